"""Which conversations there are, and which of them is on the screen. What is said in them, and by whom, is `state`'s business."""

from __future__ import annotations

from collections.abc import Sequence

from common import messages as m
from common.names import fold
from urwid_client.buffers import Buffer, Kind

DIRECTS_KEPT = 200
"""The most direct conversations that are open at once, beside those in which something is being written."""


class Conversations:
    """The buffers, by number: the program's own, the rooms (the lobby first), the direct conversations."""

    def __init__(self) -> None:
        self.server = Buffer(Kind.SERVER, "server")
        self.lobby = Buffer(Kind.ROOM, m.LOBBY, m.LOBBY)
        self.buffers = [self.server, self.lobby]
        self.active = self.lobby
        """The one that is on the screen."""

    # --- going from one to another ------------------------------------------------------------------------------------

    def open(self, buffer: Buffer) -> None:
        """Shows a buffer; what was unread in it is read with that."""
        self.active.unread_from = None
        self.active = buffer
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
        """Rooms stand before direct conversations."""
        if buffer.kind is Kind.DIRECT:
            self._put_one_away()
        rooms = [index for index, other in enumerate(self.buffers) if other.kind is not Kind.DIRECT]
        self.buffers.insert(rooms[-1] + 1 if buffer.kind is Kind.ROOM else len(self.buffers), buffer)
        return buffer

    def remove(self, buffer: Buffer) -> None:
        if self.active is buffer:
            self.open_next(-1)
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


def by_importance(buffers: Sequence[Buffer]) -> list[tuple[int, Buffer]]:
    """Buffers with their places: first those in which one is meant, then those with something unread, then the quiet ones."""
    return sorted(enumerate(buffers), key=lambda numbered: 0 if numbered[1].mentions else 1 if numbered[1].unread else 2)
