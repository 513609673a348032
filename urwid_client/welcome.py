"""What is asked before one is in the chat, and whether an answer will do.

A name, at the first start the server, and on the first visit to one for which nobody vouches whether its key is the right one.
"""

from __future__ import annotations

import enum

from common.errors import Refused
from common.fingerprints import as_fingerprint
from common.invitations import Invitation, understand
from common.names import check_name
from common.text import clean_line
from urwid_client.editing import Draft, Editor
from urwid_client.pasting import Paste

LEAVING = (["/quit"], ["/exit"])
"""The first words of answers that leave instead."""


class Question(enum.Enum):
    """What is asked, as it stands before the answer."""

    NAME = "Your name: "
    SERVER = "Server: "
    KEY = "Is it the same? "


class Welcome:
    """The questions, one after the other, and the line that the answer is written in."""

    def __init__(
        self,
        name: str = "",
        server: str = "",
        ask_server: bool = False,
        problem: str = "",
        fingerprint: str = "",
        came_from: str = "",
    ) -> None:
        """`name` and `server` are proposed; `problem` says why an answer that was given would not do.

        With a `fingerprint` the first question is whether that is the one of the server's key. Who says no goes back to where
        they `came_from`, or is asked for another server.
        """
        self.name = name
        self.server = server
        self.place: Invitation | None = None
        """Where to go, if that was asked."""
        self.problem = problem
        self.fingerprint = fingerprint
        self.came_from = came_from
        self.refused = False
        """Whether the user said that this is not the key."""
        self._told_other = False
        """Whether the fingerprint that the user was told is another one: a yes does not count any more."""
        self.editor = Editor()
        self._paste = Paste()
        self._left = [Question.KEY] if fingerprint else [Question.NAME, *([Question.SERVER] if ask_server else [])]
        self._propose()

    @property
    def question(self) -> Question:
        return self._left[0]

    @property
    def proposed(self) -> str:
        """What stands in the line before anything is written."""
        return {Question.NAME: self.name, Question.SERVER: self.server, Question.KEY: ""}[self.question]

    @property
    def asks_server(self) -> bool:
        """Whether the server is asked for, now or afterwards."""
        return Question.SERVER in self._left

    @property
    def pasting(self) -> bool:
        """Whether the keys that come are a paste."""
        return self._paste.active

    def paste(self, key: str) -> None:
        """A key that comes while `pasting`, or one that begins or ends it. What was pasted is still to be answered with."""
        if (text := self._paste.take(key)) is not None:
            self.editor.insert(clean_line(text))

    def answer(self) -> bool:
        """Takes what was written for the answer; True if it was the last one."""
        text = self.editor.text.strip()
        try:
            self._take(text)
        except Refused as refused:
            self.problem = refused.text
        except ValueError as problem:
            self.problem = str(problem)
            if self.question is Question.KEY:  # there is nothing in it to be mended
                self.editor.load(Draft())
        else:
            self.problem = ""
            if len(self._left) == 1:
                return True
            del self._left[0]
            self._propose()
        return False

    def _take(self, text: str) -> None:
        """Raises `Refused` and `ValueError`."""
        match self.question:
            case Question.NAME:
                self.name = check_name(text)
            case Question.SERVER:
                self.place = understand(text)
            case Question.KEY:
                self._take_verdict(text)

    def _take_verdict(self, text: str) -> None:
        """Raises `ValueError`."""
        if text.lower() in ("no", "n"):
            self.refused = True
            if not self.came_from:
                self._left.append(Question.SERVER)
            return
        told = _as_told(text)
        if told:
            self._told_other = told != self.fingerprint
        if self._told_other:
            raise ValueError(
                "THIS IS ANOTHER KEY than the one that you were told: somebody may be in the middle."
                " Nothing was said to the server. Write no, and ask its operator."
            )
        if not told and text.lower() not in ("yes", "y"):
            raise ValueError("This is neither yes nor no, nor its fingerprint. Nothing was said to the server.")

    def _propose(self) -> None:
        self.editor.load(Draft(self.proposed, len(self.proposed)))


def _as_told(text: str) -> str:
    """The fingerprint that somebody wrote; empty if it is none."""
    try:
        return as_fingerprint(text)
    except ValueError:
        return ""
