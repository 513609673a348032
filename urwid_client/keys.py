"""The keys: one table of what they do. The help screen and the documents are made from it.

Keys are named as Urwid names them ("ctrl a", "meta left"); `shown` says how people call them. What an action does is in `app`.
"""

from __future__ import annotations

import enum
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


DIGITS = tuple(f"meta {digit}" for digit in "1234567890")
"""The keys of `Action.SWITCH`: the conversation's number is the digit's place in here."""

_CONVERSATIONS = (
    Binding(Action.SWITCH, DIGITS, "go to a conversation by its number"),
    Binding(Action.NEXT_BUFFER, ("ctrl n", "meta right"), "next conversation"),
    Binding(Action.PREVIOUS_BUFFER, ("ctrl p", "meta left"), "previous conversation"),
    Binding(Action.NEXT_UNREAD, ("meta a",), "next conversation with something unread, mentions first"),
)
_READING = (
    Binding(Action.PAGE_UP, ("page up",), "scroll up; earlier messages are loaded as you go"),
    Binding(Action.PAGE_DOWN, ("page down",), "scroll down"),
    Binding(Action.TO_START, ("meta home",), "to the first loaded message"),
    Binding(Action.TO_END, ("meta end",), "to the newest message"),
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

ACTIONS: dict[str, Action] = {
    key: binding.action for bindings in SECTIONS.values() for binding in bindings for key in binding.keys
}
"""What each key does. A key that is not in here is written into the input if it is a character."""

_NAMES = {"meta": "Alt", "page up": "PgUp", "page down": "PgDn", "up": "↑", "down": "↓", "left": "←", "right": "→"}


def shown(binding: Binding) -> str:
    """The keys of a binding as people call them."""
    if binding.action is Action.SWITCH:
        return "Alt+1 … Alt+9, Alt+0"
    return ", ".join(map(_shown, binding.keys))


def _shown(key: str) -> str:
    *modifiers, last = [key] if key in _NAMES else key.split(" ")
    last = _NAMES.get(last, last.upper() if len(last) == 1 else last.capitalize())
    return "+".join([_NAMES.get(modifier, modifier.capitalize()) for modifier in modifiers] + [last])
