"""The keys: one table of what they do, and what users bind anew. The help screen and the documents are made from it.

Keys are named as Urwid names them ("ctrl a", "meta left"). People are told of "Ctrl+A" and "Alt+←" (`called`), and may
write what they are used to (`understand`). What an action does is in `app`.
"""

from __future__ import annotations

import enum
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Action(enum.Enum):
    """What a key can do."""

    SEND = "send"
    NEWLINE = "newline"
    COMPLETE = "complete"
    COMPLETE_BACK = "complete_back"
    OLDER_INPUT = "older_input"
    NEWER_INPUT = "newer_input"
    SEARCH_INPUT = "search_input"
    INTERRUPT = "interrupt"

    LEFT = "left"
    RIGHT = "right"
    WORD_LEFT = "word_left"
    WORD_RIGHT = "word_right"
    LINE_START = "line_start"
    LINE_END = "line_end"
    DELETE_BACK = "delete_back"
    DELETE = "delete"
    KILL_WORD_BACK = "kill_word_back"
    KILL_NAME_BACK = "kill_name_back"
    KILL_WORD = "kill_word"
    KILL_TO_START = "kill_to_start"
    KILL_TO_END = "kill_to_end"
    YANK = "yank"
    YANK_EARLIER = "yank_earlier"
    TRANSPOSE = "transpose"
    UNDO = "undo"

    SWITCH = "switch"
    NEXT_BUFFER = "next_buffer"
    PREVIOUS_BUFFER = "previous_buffer"
    NEXT_UNREAD = "next_unread"

    PAGE_UP = "page_up"
    PAGE_DOWN = "page_down"
    TO_START = "to_start"
    TO_END = "to_end"
    TO_UNREAD = "to_unread"
    NEXT_MENTION = "next_mention"
    PREVIOUS_MENTION = "previous_mention"
    OPEN_LINK = "open_link"
    FIND = "find"

    HELP = "help"
    TOGGLE_BUFFERS = "toggle_buffers"
    TOGGLE_PEOPLE = "toggle_people"
    REDRAW = "redraw"
    CLOSE = "close"


EDITING = frozenset(
    {
        Action.NEWLINE,
        Action.LEFT,
        Action.RIGHT,
        Action.WORD_LEFT,
        Action.WORD_RIGHT,
        Action.LINE_START,
        Action.LINE_END,
        Action.DELETE_BACK,
        Action.DELETE,
        Action.KILL_WORD_BACK,
        Action.KILL_NAME_BACK,
        Action.KILL_WORD,
        Action.KILL_TO_START,
        Action.KILL_TO_END,
        Action.YANK,
        Action.YANK_EARLIER,
        Action.TRANSPOSE,
        Action.UNDO,
    }
)
"""What is done by the method of `editing.Editor` that has the action's name."""


class Binding(NamedTuple):
    action: Action
    keys: tuple[str, ...]
    help: str


_DIGITS = tuple(f"meta {digit}" for digit in "1234567890")

_CONVERSATIONS = (
    Binding(Action.SWITCH, _DIGITS, "go to a conversation by its number"),
    Binding(Action.NEXT_BUFFER, ("ctrl n", "meta right"), "next conversation"),
    Binding(Action.PREVIOUS_BUFFER, ("ctrl p", "meta left"), "previous conversation"),
    Binding(Action.NEXT_UNREAD, ("meta a",), "next conversation with something unread, mentions first"),
)
_READING = (
    Binding(Action.PAGE_UP, ("page up",), "scroll up; earlier messages are loaded as you go"),
    Binding(Action.PAGE_DOWN, ("page down",), "scroll down"),
    Binding(Action.TO_START, ("meta home",), "to the first loaded message"),
    Binding(Action.TO_END, ("meta end",), "to the newest message"),
    Binding(Action.TO_UNREAD, ("meta u",), "to the first unread message"),
    Binding(Action.PREVIOUS_MENTION, ("meta p",), "to the previous mention"),
    Binding(Action.NEXT_MENTION, ("meta n",), "to the next mention"),
    Binding(Action.FIND, ("ctrl f",), "search in the messages; again for an earlier one"),
    Binding(Action.OPEN_LINK, ("meta o",), "open the newest link"),
)
_WRITING = (
    Binding(Action.SEND, ("enter",), "send"),
    Binding(Action.NEWLINE, ("meta enter", "shift enter", "ctrl enter"), "new line in the message"),
    Binding(Action.COMPLETE, ("tab",), "complete a name, a /command, a #room; again for the next one"),
    Binding(Action.COMPLETE_BACK, ("shift tab",), "complete, the other way round"),
    Binding(Action.OLDER_INPUT, ("up",), "what you sent earlier"),
    Binding(Action.NEWER_INPUT, ("down",), "what you sent later"),
    Binding(Action.SEARCH_INPUT, ("ctrl r",), "search in what you sent; again for an earlier one"),
    Binding(Action.INTERRUPT, ("ctrl c",), "cut the whole input; on an empty one offer /quit, and then leave"),
    Binding(Action.LINE_START, ("ctrl a", "home"), "to the start of the line"),
    Binding(Action.LINE_END, ("ctrl e", "end"), "to the end of the line"),
    Binding(Action.LEFT, ("left", "ctrl b"), "one character to the left"),
    Binding(Action.RIGHT, ("right",), "one character to the right"),
    Binding(Action.WORD_LEFT, ("meta b", "ctrl left"), "one word to the left"),
    Binding(Action.WORD_RIGHT, ("meta f", "ctrl right"), "one word to the right"),
    Binding(Action.DELETE_BACK, ("backspace", "ctrl h"), "delete the character before the cursor"),
    Binding(Action.DELETE, ("delete", "ctrl d"), "delete the character at the cursor"),
    Binding(Action.KILL_WORD_BACK, ("ctrl w",), "cut the word before the cursor"),
    Binding(Action.KILL_NAME_BACK, ("meta backspace",), "cut the letters and digits before the cursor"),
    Binding(Action.KILL_WORD, ("meta d",), "cut the word after the cursor"),
    Binding(Action.KILL_TO_START, ("ctrl u",), "cut to the start of the line"),
    Binding(Action.KILL_TO_END, ("ctrl k",), "cut to the end of the line"),
    Binding(Action.YANK, ("ctrl y",), "put back what was cut"),
    Binding(Action.YANK_EARLIER, ("meta y",), "then: what was cut before that, instead"),
    Binding(Action.TRANSPOSE, ("ctrl t",), "swap two characters"),
    Binding(Action.UNDO, ("ctrl _",), "undo"),
)
_SCREEN = (
    Binding(Action.HELP, ("f1",), "this help"),
    Binding(Action.TOGGLE_BUFFERS, ("f7",), "show or hide the conversations"),
    Binding(Action.TOGGLE_PEOPLE, ("f8",), "show or hide the people"),
    Binding(Action.REDRAW, ("ctrl l",), "draw the screen again"),
    Binding(Action.CLOSE, ("esc",), "close what is on top; never throws away what you wrote"),
)

SECTIONS: dict[str, tuple[Binding, ...]] = {
    "Conversations": _CONVERSATIONS,
    "Reading": _READING,
    "Writing": _WRITING,
    "Screen": _SCREEN,
}

ACTIONS = tuple(binding.action for bindings in SECTIONS.values() for binding in bindings)
"""All actions, as they stand in the table."""

_MODIFIERS = {
    **dict.fromkeys(("shift", "s"), "shift"),
    **dict.fromkeys(("alt", "meta", "opt", "option", "a", "m"), "meta"),
    **dict.fromkeys(("ctrl", "control", "ctl", "c"), "ctrl"),
}
"""What people write for a modifier, in the order in which Urwid names them."""
_MODIFIED = re.compile(r"(\w+)(?:\s*[+-]\s*|\s+)(?=\S)|(\^)(?=\S)")
_SYNONYMS = {
    "pgup": "page up",
    "pageup": "page up",
    "pgdn": "page down",
    "pgdown": "page down",
    "pagedown": "page down",
    "escape": "esc",
    "return": "enter",
    "del": "delete",
    "ins": "insert",
    "←": "left",
    "→": "right",
    "↑": "up",
    "↓": "down",
}
_SPECIAL = frozenset(
    {"enter", "tab", "esc", "backspace", "delete", "insert", "home", "end", "page up", "page down", "up", "down", "left", "right"}
    | {f"f{number}" for number in range(1, 21)}
)


class Conflict(NamedTuple):
    """A key that the user gave to several actions."""

    key: str
    winner: Action
    loser: Action


class KeyMap:
    """Which key does what: the table, with what the user has bound anew. Nothing is bound twice: the user's keys win.

    Of several actions that the user gave a key to, the one that stands first in the table has it.
    """

    def __init__(self, anew: Mapping[str, Sequence[str]]) -> None:
        """`anew` has the new keys of actions, by the actions' names, as `understand` gives them."""
        owners: dict[str, Action] = {}
        self.conflicts: list[Conflict] = []
        for action in ACTIONS:
            for key in anew.get(action.value, ()):
                if owners.setdefault(key, action) is not action:
                    self.conflicts.append(Conflict(key, owners[key], action))

        def own(binding: Binding) -> Binding:
            wanted = anew.get(binding.action.value, binding.keys)
            return binding._replace(keys=tuple(key for key in wanted if owners.get(key, binding.action) is binding.action))

        self.sections = {title: tuple(map(own, bindings)) for title, bindings in SECTIONS.items()}
        bindings = [binding for section in self.sections.values() for binding in section]
        self.actions = {key: binding.action for binding in bindings for key in binding.keys}
        """What each key does. A key that is not in here is written into the input if it is a character."""
        self._keys = {binding.action: binding.keys for binding in bindings}
        self.switches = next(binding.keys for binding in bindings if binding.action is Action.SWITCH)
        """The keys of `Action.SWITCH`: the conversation's number is the key's place in here."""

    def called(self, action: Action) -> str:
        """How people call the first key of an action; empty if it has none."""
        return next(map(called, self._keys[action]), "")

    def keys(self, action: Action) -> tuple[str, ...]:
        return self._keys[action]

    def told(self, *what: tuple[Action, str]) -> str:
        """What some keys do, in words; nothing of those actions that have no key."""
        return ", ".join(f"{self.called(action)} {does}" for action, does in what if self.keys(action))

    def writes(self, key: object) -> bool:
        """Whether a key (or what else comes as input) changes nothing but the line that is written."""
        if not isinstance(key, str):
            return False
        action = self.actions.get(key)
        return len(key) == 1 if action is None else action in EDITING


def understand(text: str) -> str:
    """A key as people call it ("Ctrl+X", "alt left", "M-x", "^X", "F5") in Urwid's words. Raises `ValueError`."""
    rest, modifiers = text.strip().lower(), set()
    while (found := _MODIFIED.match(rest)) and (found[2] or found[1] in _MODIFIERS):
        modifiers.add("ctrl" if found[2] else _MODIFIERS[found[1]])
        rest = rest[found.end() :]
    name = " ".join(re.split(r"[\s_-]+", rest)) if len(rest) > 1 else rest
    name = _SYNONYMS.get(name, name)
    if len(name) == 1 and name.isalpha() and modifiers == {"shift", "meta"}:  # terminals tell of it in this way
        name, modifiers = name.upper(), {"meta"}
    if name not in _SPECIAL and (len(name) != 1 or "shift" in modifiers or not modifiers):
        raise ValueError(text)
    return " ".join([modifier for modifier in dict.fromkeys(_MODIFIERS.values()) if modifier in modifiers] + [name])


_NAMES = {
    "ctrl": "Ctrl",
    "meta": "Alt",
    "shift": "Shift",
    "page up": "PgUp",
    "page down": "PgDn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


def shown(binding: Binding) -> str:
    """The keys of a binding as people call them."""
    if binding.keys == _DIGITS:
        return "Alt+1 … Alt+9, Alt+0"
    return ", ".join(map(called, binding.keys))


def called(key: str) -> str:
    """A key as people call it."""
    words = key.split(" ")
    modifiers = list(itertools.takewhile(_MODIFIERS.__contains__, words[:-1]))
    last = " ".join(words[len(modifiers) :])
    if len(last) == 1 and last.isupper() and "ctrl" not in modifiers:
        modifiers = ["shift", *modifiers]
    last = _NAMES.get(last, last.upper() if len(last) == 1 else last.capitalize())
    return "+".join([_NAMES[modifier] for modifier in ("ctrl", "meta", "shift") if modifier in modifiers] + [last])
