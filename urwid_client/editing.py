"""A line of input and what can be done to it: readline's editing, without any key or screen.

A line may hold line feeds (a message of several lines). Positions are counts of code points; a step never ends inside of a
character that is made of several (an accent, an emoji with its modifiers).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import NamedTuple

_JOINER = "\u200d"
_TAB = 4
"""The columns that a tab takes."""
_KILLS_KEPT = 20
_UNDOS_KEPT = 200


class Draft(NamedTuple):
    """What stands in the line, and where the cursor is."""

    text: str = ""
    cursor: int = 0
    pasted: str = ""
    """Several lines that were pasted here, and wait to be confirmed."""
    pasted_at: int = 0
    """Where in the text they belong."""

    @property
    def empty(self) -> bool:
        return not (self.text or self.pasted)


class Editor:
    """The line that is being written. What was cut is kept in a ring, what was done can be undone."""

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self.mark = 0
        """A place that stays between the characters where it is, whatever is written before or behind it."""
        self._killed: list[str] = []
        self._undo: list[Draft] = []
        self._last = ""
        """What the last change was: changes of one kind in a row count as one."""
        self._yanked: tuple[int, int] | None = None
        """Where the text that was put back last stands, as long as nothing else happened."""

    # --- as a whole ---------------------------------------------------------------------------------------------------

    @property
    def draft(self) -> Draft:
        return Draft(self.text, self.cursor)

    def load(self, draft: Draft) -> None:
        """Another line altogether; there is no way back by `undo`."""
        self._set(draft)
        self.mark = min(draft.pasted_at, len(draft.text))
        self._undo.clear()
        self._settle("")

    def replace(self, draft: Draft) -> None:
        """Another text for the line, as history and completion give it; `undo` brings the old one back."""
        self._remember("replace")
        self._set(draft)

    def clear(self) -> None:
        """Cuts everything."""
        self._kill(0, len(self.text))

    def undo(self) -> None:
        if self._undo:
            self._set(self._undo.pop())
        self._settle("undo")

    def _set(self, draft: Draft) -> None:
        if not draft.text.startswith(self.text[: self.mark]):
            self.mark = len(draft.text)
        self.text, self.cursor = draft.text, draft.cursor

    # --- writing ------------------------------------------------------------------------------------------------------

    def insert(self, text: str) -> None:
        self._change("insert" if not text.isspace() else "space", self.cursor, self.cursor, text)

    def insert_lines_at_mark(self, lines: str) -> None:
        """Puts lines of their own there; the cursor stays where it is in what was written."""
        before, behind = self.text[: self.mark], self.text[self.mark :]
        start = "\n" if before and not before[-1].isspace() else ""
        end = "\n" if behind and not behind[0].isspace() else ""
        text, cursor = f"{start}{lines}{end}", self.cursor
        self._change("lines", self.mark, self.mark, text)
        self.cursor = cursor if cursor < self.mark else cursor + len(text)

    def newline(self) -> None:
        self.insert("\n")

    def delete_back(self) -> None:
        self._change("delete", self._left(self.cursor), self.cursor, "")

    def delete(self) -> None:
        self._change("delete", self.cursor, self._right(self.cursor), "")

    def transpose(self) -> None:
        """Swaps the two characters around the cursor; at the end, the last two."""
        middle = self._left(self.cursor) if self.cursor == len(self.text) else self.cursor
        start, end = self._left(middle), self._right(middle)
        if start < middle < end:
            self._change("transpose", start, end, self.text[middle:end] + self.text[start:middle])

    # --- cutting and putting back -------------------------------------------------------------------------------------

    def kill_to_end(self) -> None:
        """Cuts the rest of the line; at its end, the line feed."""
        end = self._end_of_line()
        self._kill(self.cursor, end if end > self.cursor else min(end + 1, len(self.text)))

    def kill_to_start(self) -> None:
        start = self._start_of_line()
        self._kill(start if start < self.cursor else max(start - 1, 0), self.cursor)

    def kill_word_back(self) -> None:
        """Cuts the word before the cursor, where only white space separates words (Ctrl+W)."""
        self._kill(self._word_left(lambda character: not character.isspace()), self.cursor)

    def kill_name_back(self) -> None:
        """Cuts the word before the cursor, where everything but letters and digits separates words (Alt+Backspace)."""
        self._kill(self._word_left(_is_of_name), self.cursor)

    def kill_word(self) -> None:
        self._kill(self.cursor, self._word_right())

    def yank(self) -> None:
        """Puts back what was cut last."""
        if self._killed:
            self._put_back(self.cursor, self.cursor)

    def yank_earlier(self) -> None:
        """Right after a `yank`: what was cut before that, instead."""
        if self._yanked is not None:
            self._killed.insert(0, self._killed.pop())
            self._put_back(*self._yanked)

    def _put_back(self, start: int, end: int) -> None:
        text = self._killed[-1]
        self._change("yank", start, end, text)
        self._yanked = (start, start + len(text))

    def _kill(self, start: int, end: int) -> None:
        if start == end:
            return
        text = self.text[start:end]
        if self._last != "kill":
            self._killed.append(text)
            del self._killed[:-_KILLS_KEPT]
        elif start < self.cursor:
            self._killed[-1] = text + self._killed[-1]
        else:
            self._killed[-1] += text
        self._change("kill", start, end, "")

    # --- moving -------------------------------------------------------------------------------------------------------

    def left(self) -> None:
        self._move(self._left(self.cursor))

    def right(self) -> None:
        self._move(self._right(self.cursor))

    def word_left(self) -> None:
        self._move(self._word_left(_is_of_name))

    def word_right(self) -> None:
        self._move(self._word_right())

    def line_start(self) -> None:
        self._move(self._start_of_line())

    def line_end(self) -> None:
        self._move(self._end_of_line())

    def line_up(self) -> bool:
        """To the line above, if there is one."""
        start = self._start_of_line()
        if start == 0:
            return False
        above = self.text.rfind("\n", 0, start - 1) + 1
        self._move(self._at_column(above, start - 1, self._column()))
        return True

    def line_down(self) -> bool:
        """To the line below, if there is one."""
        end = self._end_of_line()
        if end == len(self.text):
            return False
        below_end = self.text.find("\n", end + 1)
        self._move(self._at_column(end + 1, len(self.text) if below_end < 0 else below_end, self._column()))
        return True

    def _move(self, cursor: int) -> None:
        self.cursor = cursor
        self._settle("")

    def _start_of_line(self) -> int:
        return self.text.rfind("\n", 0, self.cursor) + 1

    def _end_of_line(self) -> int:
        end = self.text.find("\n", self.cursor)
        return len(self.text) if end < 0 else end

    def _column(self) -> int:
        return _width(self.text[self._start_of_line() : self.cursor])

    def _at_column(self, start: int, end: int, column: int) -> int:
        """Where that column of the line from `start` to `end` is: before the character that reaches over it, else at the end."""
        while start < end:
            behind = self._right(start)
            column -= _width(self.text[start:behind])
            if column < 0:
                break
            start = behind
        return start

    def _word_right(self) -> int:
        at = self.cursor
        for within in (False, True):
            while at < len(self.text) and _is_of_name(self.text[at]) is within:
                at = self._right(at)
        return at

    def _word_left(self, is_of_word: Callable[[str], bool]) -> int:
        at = self.cursor
        for within in (False, True):
            while at > 0 and is_of_word(self.text[self._left(at)]) is within:
                at = self._left(at)
        return at

    def _right(self, at: int) -> int:
        at = min(at + 1, len(self.text))
        while at < len(self.text) and self._inside(at):
            at += 1
        return at

    def _left(self, at: int) -> int:
        at = max(at - 1, 0)
        while at > 0 and self._inside(at):
            at -= 1
        return at

    def _inside(self, at: int) -> bool:
        """Whether the position is within one character as people see it."""
        around = self.text[at - 1 : at + 1]
        return "\n" not in around and (_JOINER in around or _extends(around[1]))

    # --- changes ------------------------------------------------------------------------------------------------------

    def _change(self, kind: str, start: int, end: int, text: str) -> None:
        if start == end and not text:
            return
        self._remember(kind)
        if start < self.mark:
            self.mark = max(self.mark, end) + len(text) - (end - start)
        self.text = self.text[:start] + text + self.text[end:]
        self.cursor = start + len(text)

    def _remember(self, kind: str) -> None:
        if kind != self._last or kind not in ("insert", "delete"):
            self._undo.append(self.draft)
            del self._undo[:-_UNDOS_KEPT]
        self._settle(kind)

    def _settle(self, kind: str) -> None:
        self._last = kind
        self._yanked = None


def _extends(character: str) -> bool:
    """Whether it belongs to the character before it: marks, variation selectors, skin colours."""
    return unicodedata.category(character)[0] == "M" or "\U0001f3fb" <= character <= "\U0001f3ff"


def _is_of_name(character: str) -> bool:
    return character.isalnum() or character == "_"


def _width(text: str) -> int:
    """How many columns it takes, as the input shows it."""
    return sum(
        _TAB if character == "\t" else 1 + (unicodedata.east_asian_width(character) in ("W", "F"))
        for character in text
        if not (character == _JOINER or _extends(character))
    )


class InputHistory:
    """What was sent, to be walked through; the line that was being written waits at the end."""

    def __init__(self, limit: int = 500) -> None:
        self._limit = limit
        self._texts: list[str] = []
        self._at: int | None = None
        self._waiting = ""

    def add(self, text: str) -> None:
        """`text` was sent. Walking begins anew."""
        if not self._texts or self._texts[-1] != text:
            self._texts.append(text)
            del self._texts[: -self._limit]
        self.stop()

    def stop(self) -> None:
        """What is written next has nothing to do with what was walked through."""
        self._at = None

    def waiting_behind(self, shown: str) -> str | None:
        """The line that was being written, while an earlier text is shown as it was sent; None if `shown` is being written."""
        return None if self._at is None or self._texts[self._at : self._at + 1] != [shown] else self._waiting

    def older(self, current: str) -> str | None:
        """The text before the one that is shown; None at the first."""
        if self._at is None:
            self._at, self._waiting = len(self._texts), current
        return self._step(-1)

    def newer(self) -> str | None:
        """The text after the one that is shown; after the last the line that was being written; None behind that."""
        return None if self._at is None else self._step(1)

    def find(self, words: str, before: int | None) -> tuple[int, str] | None:
        """The newest text with these words in it, and its place; of those `before` a place."""
        sought = words.lower()
        for at in range((len(self._texts) if before is None else before) - 1, -1, -1):
            if sought in self._texts[at].lower():
                return at, self._texts[at]
        return None

    @property
    def texts(self) -> list[str]:
        """What was sent, in order."""
        return list(self._texts)

    def _step(self, by: int) -> str | None:
        assert self._at is not None
        at = self._at + by
        if not 0 <= at <= len(self._texts):
            return None
        self._at = at
        if at < len(self._texts):
            return self._texts[at]
        self._at = None
        return self._waiting
