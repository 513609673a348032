"""Completing what is being written: which words could stand there. Walks through them with each further Tab."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from common.names import fold
from urwid_client import emoji
from urwid_client.editing import Draft

_EMOJI_CHARS = 2
"""So much of a short name is written before emoji are proposed: a colon alone is mostly just that."""


class Suggestion(NamedTuple):
    """A word that could stand there."""

    word: str
    help: str = ""


class Words(NamedTuple):
    """What can be completed, each list with the likeliest first."""

    names: Sequence[str] = ()
    rooms: Sequence[str] = ()
    commands: Sequence[Suggestion] = ()
    """With their slash."""
    arguments: Mapping[str, str] = {}
    """What follows a command, as its usage line has it, by the command with its slash."""
    settings: Sequence[Suggestion] = ()
    servers: Sequence[str] = ()
    topics: Sequence[str] = ()
    """The one that the room has: to change a part of it."""
    values: Callable[[str], Sequence[str]] = lambda setting: ()
    """What a setting may be, where that is one of a few words."""


class Completer:
    """Remembers what it put there, so that the next Tab puts the next word in the same place."""

    def __init__(self) -> None:
        self._options: list[Suggestion] = []
        self._at = 0
        self._start = 0
        self._end = 0
        self._result: Draft | None = None

    def complete(self, draft: Draft, words: Words, step: int = 1) -> Draft:
        """The line with a word completed; the same line if there is nothing to complete. `step` -1 goes backwards."""
        if draft == self._result:
            self._at += step
        else:
            self._start, self._options = options(draft, words, asked=True)
            self._end = draft.cursor
            self._at = 0 if step > 0 else -1
        if not self._options:
            return draft
        word = self._options[self._at % len(self._options)].word
        self._result = Draft(draft.text[: self._start] + word + draft.text[self._end :], self._start + len(word))
        self._end = self._result.cursor
        return self._result

    def choices(self, draft: Draft, words: Callable[[], Words]) -> tuple[Sequence[Suggestion], int | None]:
        """What to show beside the line: what could stand there, and which of it the last Tab has chosen.

        This is asked at every key: `words`, which takes a moment, is called only where there may be something to propose.
        """
        if draft == self._result and len(self._options) > 1:
            return self._options, self._at % len(self._options)
        if not draft.text.startswith("/") and ":" not in draft.text:
            return (), None
        return options(draft, words(), asked=False)[1], None


def options(draft: Draft, words: Words, asked: bool) -> tuple[int, list[Suggestion]]:
    """Where the word before the cursor begins, and what could stand in its place, with what follows a word there.

    Without being `asked` for, only what begins with a sign that means little else is proposed: commands and emoji.
    """
    before = draft.text[: draft.cursor]
    start = max(before.rfind(" "), before.rfind("\n")) + 1
    word, first = before[start:], before[:start]
    if word.startswith("/") and not first:
        return start, _matching(word, words.commands, " ")
    if word.startswith(":") and len(word) > _EMOJI_CHARS:
        return start, [Suggestion(emoji.SHORT_NAMES[name] + " ", f":{name}:") for name in emoji.names_beginning(word[1:])]
    if not asked:
        return start, []
    return start, _argument(word, first, words) if first.startswith("/") else _said(word, first, words)


def _said(word: str, first: str, words: Words) -> list[Suggestion]:
    """A word of a message."""
    if word.startswith("#"):
        return _matching(word, map(Suggestion, words.rooms), " ")
    if word.startswith("@"):
        return _matching(word, (Suggestion(f"@{name}") for name in words.names), " ")
    return _matching(word, map(Suggestion, words.names), " " if first else ": ") if word else []


def _argument(word: str, first: str, words: Words) -> list[Suggestion]:
    """A word behind a command; what is wanted there is told by the command's usage, and completed from nothing, too."""
    command, *given = first.split()
    wanted = words.arguments.get(command.lower(), "").split()
    kind = wanted[len(given)].strip("[]") if len(given) < len(wanted) else "TEXT"
    sources: dict[str, Callable[[], Sequence[Suggestion]]] = {
        "NAME": lambda: [*map(Suggestion, words.names)],
        "#ROOM": lambda: [*map(Suggestion, words.rooms)],
        "COMMAND": lambda: words.commands,
        "SETTING": lambda: words.settings,
        "TOPIC": lambda: [*map(Suggestion, words.topics)],
        "VALUE": lambda: [*map(Suggestion, words.values(given[0]))],
        "SERVER": lambda: [*map(Suggestion, words.servers)],
    }
    if kind not in sources:
        return _said(word, first, words)
    if kind == "COMMAND" and not word.startswith("/"):
        word = "/" + word
    return _matching(word, sources[kind](), "" if kind == "TOPIC" else " ")


def _matching(word: str, candidates: Iterable[Suggestion], suffix: str) -> list[Suggestion]:
    beginning = fold(word)
    found = [candidate for candidate in candidates if fold(candidate.word).startswith(beginning)]
    return [candidate._replace(word=candidate.word + suffix) for candidate in found]
