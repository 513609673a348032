"""Completing what is being written: which words could stand there. Walks through them with each further Tab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from common.names import fold
from urwid_client.editing import Draft


class Words(NamedTuple):
    """What can be completed, each list with the likeliest first."""

    names: Sequence[str] = ()
    rooms: Sequence[str] = ()
    commands: Sequence[str] = ()
    """With their slash."""


class Completer:
    """Remembers what it put there, so that the next Tab puts the next word in the same place."""

    def __init__(self) -> None:
        self._options: list[str] = []
        self._at = 0
        self._start = 0
        self._end = 0
        self._result: Draft | None = None

    def complete(self, draft: Draft, words: Words, step: int = 1) -> Draft:
        """The line with a word completed; the same line if there is nothing to complete. `step` -1 goes backwards."""
        if draft == self._result:
            self._at += step
        else:
            self._start, self._options = _options(draft, words)
            self._end = draft.cursor
            self._at = 0 if step > 0 else -1
        if not self._options:
            return draft
        word = self._options[self._at % len(self._options)]
        self._result = Draft(draft.text[: self._start] + word + draft.text[self._end :], self._start + len(word))
        self._end = self._result.cursor
        return self._result


def _options(draft: Draft, words: Words) -> tuple[int, list[str]]:
    """Where the word before the cursor begins, and what could stand in its place, with what follows a word there."""
    before = draft.text[: draft.cursor]
    start = max(before.rfind(" "), before.rfind("\n")) + 1
    word = before[start:]
    if not word:
        return start, []
    first = start == 0
    if word.startswith("#"):
        return start, [room + " " for room in _matching(word, words.rooms)]
    if first and word.startswith("/"):
        return start, [command + " " for command in _matching(word, words.commands)]
    return start, [name + (": " if first else " ") for name in _matching(word, words.names)]


def _matching(word: str, candidates: Sequence[str]) -> list[str]:
    beginning = fold(word)
    return [candidate for candidate in candidates if fold(candidate).startswith(beginning)]
