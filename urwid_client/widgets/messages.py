"""The list of messages: draws the part of a buffer that is in view, from its lower edge up."""

from __future__ import annotations

import bisect
from operator import attrgetter
from typing import NamedTuple

import urwid

from urwid_client import rendering
from urwid_client.buffers import Buffer, Said
from urwid_client.rendering import Block
from urwid_client.scrolling import Key
from urwid_client.widgets import canvases

_CANVASES_KEPT = 2_000
_TIME_COLS = 5
_LOAD_WITHIN = 10
"""Earlier messages are wanted when so few are left above the view."""

_by_key = attrgetter("key")


class Columns(NamedTuple):
    """How wide the parts of a message are; 0 leaves a part out, and a name then stands in front of the text."""

    time: int
    name: int


def columns(cols: int) -> Columns:
    """The parts for a list of this width."""
    if cols < 24:
        return Columns(0, 0)
    if cols < 44:
        return Columns(_TIME_COLS, 0)
    return Columns(_TIME_COLS, min(max(8, cols // 7), 16))


class _Blocks:
    """A buffer's entries as `scrolling` looks at them: each drawn when it is asked for, and kept."""

    def __init__(self, buffer: Buffer, cols: int, kept: dict[object, urwid.Canvas]) -> None:
        self.entries = buffer.shown()
        self._unread_from = buffer.unread_from
        self._cols = cols
        self._kept = kept

    def __len__(self) -> int:
        return len(self.entries)

    def key(self, index: int) -> Key:
        return self.entries[index].key

    def find(self, key: Key) -> int:
        return bisect.bisect_right(self.entries, key, key=_by_key) - 1

    def height(self, index: int) -> int:
        return self.canvas(index).rows()

    def canvas(self, index: int) -> urwid.Canvas:
        entry = self.entries[index]
        seen_in = rendering.context(entry, self.entries[index - 1] if index else None, self._unread_from)
        found = self._kept.get((entry, seen_in))
        if found is None:
            if len(self._kept) >= _CANVASES_KEPT:
                self._kept.clear()
            found = self._kept[entry, seen_in] = draw(rendering.block(entry, seen_in), self._cols)
        return found


def draw(block: Block, cols: int) -> urwid.Canvas:
    """One entry at the given width."""
    parts = columns(cols)
    label, body = block.label, block.body
    if not parts.name and label[1]:
        body = [label, ("text", " "), *body]
    left = [(canvases.text([("time", block.time)], parts.time), parts.time + 1)] if parts.time else []
    if parts.name:
        left.append((canvases.text([label], parts.name, align="right"), parts.name + 1))
    taken = sum(width for _, width in left)
    row = canvases.beside([*left, (canvases.text(body, cols - taken, wrap="space"), cols - taken)])
    rules = [canvases.text([rule], cols, align="center") for rule in block.rules]
    return canvases.column([*rules, row], cols, len(rules) + row.rows())


class MessageList:
    """Shows a buffer, and moves in it. What is in view is known from the last drawing."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._kept: dict[object, urwid.Canvas] = {}
        self._cols = 0
        self._rows = 0
        self._top = 0

    def show(self, buffer: Buffer) -> None:
        self._buffer = buffer

    def draw(self, cols: int, rows: int) -> urwid.Canvas:
        self._rows = rows
        if cols != self._cols:
            self._kept.clear()
            self._cols = cols
        if self._buffer.viewport.follows:
            self._buffer.seen = self._buffer.last_key
        blocks = self._blocks()
        parts = self._buffer.viewport.parts(blocks, self._rows)
        self._top = parts[0].block if parts else 0
        shown = []
        for part in parts:
            canvas = urwid.CompositeCanvas(blocks.canvas(part.block))
            canvas.trim(part.skipped, part.rows)
            shown.append(canvas)
        return canvases.column(shown, cols, self._rows, bottom=True)

    @property
    def wants_older(self) -> bool:
        """Whether the view has come near the first message that is loaded."""
        return self._top < _LOAD_WITHIN and not self._buffer.cleared

    @property
    def at_end(self) -> bool:
        return self._buffer.viewport.follows

    def newer(self) -> int:
        """How many messages of others lie below the view that came since the end was in view."""
        if self.at_end:
            return 0
        blocks, seen = self._blocks(), self._buffer.seen
        below = blocks.entries[self._buffer.viewport.newer(blocks) :]
        return sum(isinstance(entry, Said) and not entry.own and entry.key > seen for entry in below)

    def scroll(self, rows: int) -> None:
        """Up if `rows` is positive."""
        if rows > 0:
            self._buffer.cleared = False
        self._buffer.viewport.scroll(self._blocks(), self._rows, rows)

    def page(self, by: int) -> None:
        """Scrolls by pages, up if `by` is positive; two rows stay in view."""
        self.scroll(by * max(self._rows - 2, 1))

    def to_start(self) -> None:
        self._buffer.cleared = False
        self._buffer.viewport.to_start(self._blocks(), self._rows)

    def to_end(self) -> None:
        self._buffer.viewport.to_end()

    def _blocks(self) -> _Blocks:
        return _Blocks(self._buffer, max(self._cols, 1), self._kept)
