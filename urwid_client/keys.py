"""The keys: one table of what they do, and what users bind anew. The help screen and the documents are made from it.

Keys are named as Urwid names them ("ctrl a", "meta left"); `shown` says how people call them. What an action does is in `app`.
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
    Binding(Action.PREVIOUS_MENTION, ("meta p",), "to the mention before"),
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
    Binding(Action.INTERRUPT, ("ctrl c",), "clear the input; on an empty input, put /quit there"),
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
    Binding(Action.KILL_WORD, ("meta d",), "cut the word behind the cursor"),
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

_MODIFIERS = {"ctrl": "ctrl", "control": "ctrl", "alt": "meta", "meta": "meta", "shift": "shift"}
_CALLED = {"pgup": "page up", "pgdn": "page down", "escape": "esc", "return": "enter", "del": "delete", "ins": "insert"}
_SPECIAL = frozenset(
    {"enter", "tab", "esc", "backspace", "delete", "insert", "home", "end", "page up", "page down", "up", "down", "left", "right"}
    | {f"f{number}" for number in range(1, 21)}
)


class KeyMap:
    """Which key does what: the table, with what the user has bound anew. Nothing is bound twice: the user's keys win."""

    def __init__(self, anew: Mapping[str, Sequence[str]]) -> None:
        """`anew` has the new keys of actions, by the actions' names, as `understand` gives them."""
        taken = {key for keys in anew.values() for key in keys}
        self.sections = {
            title: tuple(
                binding._replace(keys=tuple(anew.get(binding.action.value, [key for key in binding.keys if key not in taken])))
                for binding in bindings
            )
            for title, bindings in SECTIONS.items()
        }
        bindings = [binding for section in self.sections.values() for binding in section]
        self.actions = {key: binding.action for binding in bindings for key in binding.keys}
        """What each key does. A key that is not in here is written into the input if it is a character."""
        self._called = {binding.action: _shown(binding.keys[0]) for binding in bindings if binding.keys}
        self.switches = next(binding.keys for binding in bindings if binding.action is Action.SWITCH)
        """The keys of `Action.SWITCH`: the conversation's number is the key's place in here."""

    def called(self, action: Action) -> str:
        """How people call the first key of an action; empty if it has none."""
        return self._called.get(action, "")

    def writes(self, key: object) -> bool:
        """Whether a key (or what else comes as input) changes nothing but the line that is written."""
        if not isinstance(key, str):
            return False
        action = self.actions.get(key)
        return len(key) == 1 if action is None else action in EDITING


def understand(text: str) -> str:
    """A key as people call it ("Ctrl+X", "alt left", "F5") in Urwid's words. Raises `ValueError`."""
    words = re.split(r"[\s+-]+", text.strip().lower())
    modifiers = [_MODIFIERS[word] for word in itertools.takewhile(_MODIFIERS.__contains__, words[:-1])]
    name = " ".join(words[len(modifiers) :])
    name = _CALLED.get(name, name)
    if name not in _SPECIAL and (len(name) != 1 or not {"ctrl", "meta"} & {*modifiers}):
        raise ValueError(text)
    return " ".join([*modifiers, name])


_NAMES = {"meta": "Alt", "page up": "PgUp", "page down": "PgDn", "up": "↑", "down": "↓", "left": "←", "right": "→"}


def shown(binding: Binding) -> str:
    """The keys of a binding as people call them."""
    if binding.keys == _DIGITS:
        return "Alt+1 … Alt+9, Alt+0"
    return ", ".join(map(_shown, binding.keys))


def _shown(key: str) -> str:
    *modifiers, last = [key] if key in _NAMES else key.split(" ")
    last = _NAMES.get(last, last.upper() if len(last) == 1 else last.capitalize())
    return "+".join([_NAMES.get(modifier, modifier.capitalize()) for modifier in modifiers] + [last])
