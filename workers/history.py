"""Pages of older messages that clients asked for: who waits for which, and what such a page holds."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from common import messages as m
from common.codec import size
from common.limits import FRAME_BYTES
from common.log import Entry
from workers.session import Session

PAGES_PER_TURN = 5
"""Pages that one turn reads, one for each session at most: whoever asks for many waits for them, not the others."""
_FRAME_ROOM = FRAME_BYTES - 1024


class PageWanted(NamedTuple):
    """One request for a page. What it may be is judged already."""

    session: Session
    ref: int
    to: str
    conv: str
    before: int | None
    limit: int

    def filled(self, entries: list[Entry], more: bool) -> m.Page:
        """The page: the newest of `entries` that fit a frame. `more`: there are older ones than these."""
        rows: list[m.Row] = []
        room = _FRAME_ROOM
        for entry in reversed(entries):
            row: m.Row = [*entry.as_msg()]
            room -= size(row)
            if room < 0:
                more = True
                break
            rows.append(row)
        rows.reverse()
        return m.Page(self.ref, self.to, rows, {"more": more, "conv": self.conv})


class PagesWanted:
    """What is still to be read, by session, in turn."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[PageWanted]] = {}

    def add(self, wanted: PageWanted) -> None:
        self._waiting.setdefault(wanted.session.sid, deque()).append(wanted)

    def forget(self, sid: int) -> None:
        self._waiting.pop(sid, None)

    @property
    def any_due(self) -> bool:
        return bool(self._due())

    def take(self) -> list[PageWanted]:
        """What this turn is to read; who got something goes behind all others."""
        taken: list[PageWanted] = []
        for sid in self._due()[:PAGES_PER_TURN]:
            waiting = self._waiting.pop(sid)
            taken.append(waiting.popleft())
            if waiting:
                self._waiting[sid] = waiting
        return taken

    def _due(self) -> list[int]:
        """Who waits, and reads what it was sent: others would have all that they asked for kept for them here."""
        return [sid for sid, waiting in self._waiting.items() if not waiting[0].session.blocked]
