"""Which conversations there are, and which of them is on the screen. What is said in them, and by whom, is `state`'s business."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from operator import attrgetter

from common import messages as m
from common.names import fold
from urwid_client.buffers import Buffer, Kind

DIRECTS_KEPT = 200
"""The most direct conversations that are open at once, beside those in which something is being written."""


class Conversations:
    """The buffers, by their numbers: first the program's own, then the lobby."""

    def __init__(self) -> None:
        self.server = Buffer(Kind.SERVER, "server")
        self.lobby = Buffer(Kind.ROOM, m.LOBBY, m.LOBBY)
        self.buffers: list[Buffer] = []
        self.active = self.lobby
        """The one that is on the screen."""
        self._before = self.lobby
        """The one that was there before it."""
        self.add(self.server)
        self.add(self.lobby)

    # --- going from one to another ------------------------------------------------------------------------------------

    def open(self, buffer: Buffer) -> None:
        """Shows a buffer; what was unread in it is read with that."""
        self.active.unread_from = None
        if buffer is not self.active:
            self._before, self.active = self.active, buffer
        buffer.unread = buffer.mentions = 0

    def open_next(self, by: int) -> None:
        self.open(self.buffers[(self.buffers.index(self.active) + by) % len(self.buffers)])

    def open_next_unread(self) -> None:
        """The next buffer with something unread behind the active one; first those with mentions."""
        at = self.buffers.index(self.active)
        others = self.buffers[at + 1 :] + self.buffers[:at]
        for counted in ("mentions", "unread"):
            found = next((buffer for buffer in others if getattr(buffer, counted)), None)
            if found is not None:
                self.open(found)
                return

    # --- finding ------------------------------------------------------------------------------------------------------

    def find_number(self, number: int) -> Buffer | None:
        return next((buffer for buffer in self.buffers if buffer.number == number), None)

    def find_room(self, room: str) -> Buffer | None:
        folded = fold(room)
        return next((b for b in self.buffers if b.kind is Kind.ROOM and fold(b.title) == folded), None)

    def find_directs(self, name: str) -> list[Buffer]:
        """The conversations with those who go by this name, or went by it."""
        folded = fold(name)
        return [buffer for buffer in self.buffers if buffer.kind is Kind.DIRECT and fold(buffer.title) == folded]

    def find_conv(self, conv: str) -> Buffer | None:
        return next((buffer for buffer in self.buffers if buffer.conv == conv), None)

    # --- coming and going ---------------------------------------------------------------------------------------------

    def add(self, buffer: Buffer) -> Buffer:
        """Gives it the lowest number that is free; those of the others stay."""
        if buffer.kind is Kind.DIRECT:
            self._put_one_away()
        taken = {other.number for other in self.buffers}
        buffer.number = next(number for number in itertools.count(1) if number not in taken)
        bisect.insort(self.buffers, buffer, key=attrgetter("number"))
        return buffer

    def remove(self, buffer: Buffer) -> None:
        """Where it was on the screen, what was there before it comes back."""
        if self.active is buffer:
            self.open(self._before if self._before in self.buffers else self.lobby)
        self.buffers.remove(buffer)

    def _put_one_away(self) -> None:
        """Where strangers by the hundred have written, the direct conversation that has rested longest; the server has it."""
        idle = [
            buffer
            for buffer in self.buffers
            if buffer.kind is Kind.DIRECT and buffer is not self.active and not buffer.pending and buffer.draft.empty
        ]
        if len(idle) >= DIRECTS_KEPT:
            self.remove(min(idle, key=lambda buffer: buffer.last_key))


def by_importance(buffers: Sequence[Buffer]) -> list[Buffer]:
    """First those in which one is meant, then those with something unread, then the quiet ones."""
    return sorted(buffers, key=lambda buffer: 0 if buffer.mentions else 1 if buffer.unread else 2)
