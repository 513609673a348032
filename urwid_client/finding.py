"""Searching in the messages of a conversation: what is looked for, and which way. What is in view is moved by whom it is given.

While it goes on, keys belong to it; what was being written is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from common.text import clean
from urwid_client.keys import EDITING, Action

_PAGES = 20
"""So many pages of earlier messages one key has looked through."""
_MEANWHILE = frozenset({Action.PAGE_UP, Action.PAGE_DOWN, Action.TO_START, Action.TO_END, Action.REDRAW})
"""What can be done without ending the search."""
_NOTHING_SO_FAR = "none so far"
_LOADING = "searching further back …"
_NOT_LOADED = "there is none in what is loaded; you are not connected, so earlier ones cannot be"
_ENDS = (Action.CLOSE, "ends")
_HELP: dict[str, tuple[tuple[Action, str], ...]] = {
    "": ((Action.SEND, "goes earlier"), (Action.NEWER_INPUT, "later"), _ENDS),
    _NOTHING_SO_FAR: ((Action.SEND, "goes on"), _ENDS),
}
"""What keys do while one is searching, by what came of it."""


class Messages(Protocol):
    """The list that is searched."""

    def seek(self, query: str, by: int) -> bool:
        """Goes to the next message with these words before the one gone to last; behind it, if `by` is 1; with 0 it may stay."""

    def has(self, query: str) -> bool:
        """Whether there is any message with these words."""

    def mark(self, query: str) -> None:
        """Shows where these words stand. Without words it shows nothing, and what is sought next is sought from the view."""


class Finder:
    """One search after the other."""

    def __init__(self, messages: Messages, load: Callable[[], bool], may_exist: Callable[[], bool]) -> None:
        """`load` asks for earlier messages; whether some are on their way. `may_exist`: whether there may be some in any case."""
        self._messages = messages
        self._load = load
        self._may_exist = may_exist
        self._pages = 0
        """How many more of them may be looked through."""
        self.query: str | None = None
        """What is looked for; None while nothing is."""
        self.outcome = ""
        """What there is to say about it; empty where that is only what keys do."""

    @property
    def active(self) -> bool:
        return self.query is not None

    @property
    def help(self) -> tuple[tuple[Action, str], ...]:
        """What keys do now."""
        return _HELP.get(self.outcome, (_ENDS,))

    @property
    def waits(self) -> bool:
        """Whether earlier messages are to be looked through as soon as they are there."""
        return self.active and self._pages > 0

    def begin(self) -> None:
        self.query, self.outcome, self._pages = "", "", 0
        self._messages.mark("")

    def end(self) -> None:
        self.query, self._pages = None, 0
        self._messages.mark("")

    def write(self, character: str) -> None:
        self._change((self.query or "") + clean(character))

    def do(self, action: Action) -> bool:
        """Whether the action belongs to the search; any other one, but those that only move the view, ends it."""
        match action:
            case Action.FIND | Action.SEND | Action.OLDER_INPUT:
                self._seek(-1)
            case Action.NEWER_INPUT:
                self._seek(1)
            case Action.DELETE_BACK:
                self._change((self.query or "")[:-1])
            case Action.KILL_WORD_BACK | Action.KILL_NAME_BACK:
                self._change((self.query or "").rstrip().rpartition(" ")[0])
            case Action.KILL_TO_START:
                self._change("")
            case _ if action in EDITING:
                pass  # it would change what was being written
            case Action.CLOSE | Action.INTERRUPT:
                self.end()
            case _:
                if action not in _MEANWHILE:
                    self.end()
                return False
        return True

    def go_on(self) -> None:
        """Earlier messages have come, if there were any."""
        if self._messages.seek(self.query or "", -1):
            self.outcome, self._pages = "", 0
        else:
            self._look_further()

    def _change(self, query: str) -> None:
        self.query = query
        self._messages.mark(query)
        self._seek(0)

    def _seek(self, by: int) -> None:
        self.outcome, self._pages = "", 0
        if not self.query or self._messages.seek(self.query, by):
            return
        if by > 0:
            self.outcome = self._none("later")
        else:
            self._pages = _PAGES
            self._look_further()

    def _look_further(self) -> None:
        self._pages -= 1
        if self._pages == 0:
            self.outcome = _NOTHING_SO_FAR
        elif self._load():
            self.outcome = _LOADING
        else:
            self._pages = 0
            self.outcome = _NOT_LOADED if self._may_exist() else self._none("earlier")

    def _none(self, which: str) -> str:
        return f"there is no {which} one here" if self._messages.has(self.query or "") else "there is none here at all"


def found_in(text: str, query: str) -> bool:
    """Whether the words stand in the text, however they are written."""
    return _pattern(query).search(text) is not None


def parted(text: str, query: str) -> list[str]:
    """The text in parts; every second one of them is what was looked for."""
    return _pattern(query).split(text)


def _pattern(query: str) -> re.Pattern[str]:
    return re.compile(f"({re.escape(query)})", re.IGNORECASE)
