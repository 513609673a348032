"""The list of messages: draws the part of a buffer that is in view, from its lower edge up."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

import urwid

from urwid_client import rendering
from urwid_client.buffers import Buffer, Entry, Said
from urwid_client.finding import found_in
from urwid_client.rendering import Block, Context, Sought, Spans
from urwid_client.scrolling import Key, Part
from urwid_client.widgets import canvases

_CANVASES_KEPT = 2_000
_TIME_COLS = 5
_GOES_ON = "↳ "
"""In front of what goes on with a line of a code block."""
_MARKED_COLS = 12
"""Where there are fewer columns it would take too many of them."""
_LOAD_WITHIN = 10
"""Earlier messages are wanted when so few are left above the view."""

_COUNTED = 1_000
"""How many below the view are counted at most."""
_ALONE = Context(new_day=False, first_unread=False, same_minute=False, continues=False)
"""An entry with nothing above it that would say who speaks, and when."""

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

    def __init__(
        self, buffer: Buffer, cols: int, kept: dict[object, urwid.Canvas], full_emoji: bool, query: str, pointed: Key | None
    ) -> None:
        self._full_emoji = full_emoji
        self._query = query
        self._pointed = pointed
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

    def context(self, index: int) -> Context:
        return rendering.context(self.entries[index], self.entries[index - 1] if index else None, self._unread_from)

    def canvas(self, index: int) -> urwid.Canvas:
        entry, seen_in = self.entries[index], self.context(index)
        sought = self._sought(entry)
        name = entry, seen_in, self._full_emoji, sought
        found = self._kept.get(name)
        if found is None:
            if len(self._kept) >= _CANVASES_KEPT:
                del self._kept[next(iter(self._kept))]  # the oldest; to give all back at once would take a while
            block = rendering.block(entry, seen_in, full_emoji=self._full_emoji, sought=sought)
            found = self._kept[name] = draw(block, self._cols)
        return found

    def _sought(self, entry: Entry) -> Sought | None:
        """What is to be marked in it, if it is searched for, and stands there."""
        if not self._query or not isinstance(entry, Said) or not found_in(rendering.searched(entry), self._query):
            return None
        return Sought(self._query, gone_to=entry.key == self._pointed)


def draw(block: Block, cols: int) -> urwid.Canvas:
    """One entry at the given width."""
    body = block.body
    if not columns(cols).name and block.label[1]:
        body = [block.label, ("text", " "), *body]
    left = _left(block, cols)
    room = cols - sum(width for _, width in left)
    row = canvases.beside([*left, (canvases.text(_with_marks(body, room), room, wrap="space"), room)])
    rules = [canvases.text([rule], cols, align="center") for rule in block.rules]
    return canvases.column([*rules, row], cols, len(rules) + row.rows())


def _with_marks(body: Spans, cols: int) -> Spans:
    """With a mark in front of each row that only goes on with a line of a code block, which has no room on one."""
    if cols < _MARKED_COLS or not any(style == "code block" for style, _ in body):
        return body
    spans: Spans = []
    at = 0
    for style, text in body:
        for number, line in enumerate(text.split("\n")):
            if number:
                spans.append((style, "\n"))
                at = 0
            if style == "code block":
                while urwid.calc_width(line, 0, len(line)) > cols - at > 0:
                    cut, _ = urwid.calc_text_pos(line, 0, len(line), cols - at)
                    spans += [(style, f"{line[:cut]}\n"), ("faint", _GOES_ON)]
                    line, at = line[cut:], len(_GOES_ON)
            spans.append((style, line))
            at += urwid.calc_width(line, 0, len(line))
    return spans


def _left(block: Block, cols: int) -> list[tuple[urwid.Canvas, int]]:
    """What stands beside the text: the time and the name, as far as there are columns for them."""
    parts = columns(cols)
    left = [(canvases.text([("time", block.time)], parts.time), parts.time + 1)] if parts.time else []
    if parts.name:
        left.append((canvases.text([block.label], parts.name, align="right"), parts.name + 1))
    return left


def _signed(canvas: urwid.Canvas, block: Block, cols: int) -> urwid.Canvas:
    """The same rows with time and name beside the first of them; where names have no column, in the place of the first."""
    if not columns(cols).name:
        line: urwid.Canvas = canvases.text([("time", block.time), ("time", " "), block.label, ("faint", " …")], cols)
    else:
        left = _left(block, cols)
        taken = sum(width for _, width in left)
        first = urwid.CompositeCanvas(canvas)
        first.trim(0, 1)
        first.pad_trim_left_right(-taken, 0)
        line = canvases.beside([*left, (first, cols - taken)])
    if canvas.rows() == 1:
        return line
    rest = urwid.CompositeCanvas(canvas)
    rest.trim(1)
    return urwid.CanvasCombine([(line, None, False), (rest, None, False)])


class MessageList:
    """Shows a buffer, and moves in it. What is in view is known from the last drawing."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._kept: dict[object, urwid.Canvas] = {}
        self._counted: tuple[Buffer, int, int] | None = None
        """What was counted last: the messages of a buffer from a place on, and how many entries it had."""
        self._newer = 0
        self._pointed: Key | None = None
        """The message that was gone to last: a mention, or what was searched for."""
        self._query = ""
        self.placeholder: Block | None = None
        """What stands here while there are no messages, if there is something to say."""
        self.full_emoji = False
        """Whether emoji are drawn with all their parts."""
        self._cols = 0
        self._rows = 0
        self._top = 0

    def show(self, buffer: Buffer) -> None:
        self._buffer, self._pointed = buffer, None

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
        shown: list[urwid.Canvas] = []
        for part in parts:
            canvas = urwid.CompositeCanvas(blocks.canvas(part.block))
            canvas.trim(part.skipped, part.rows)
            shown.append(canvas)
        if parts and rows > 1:
            shown[0] = self._say_who_speaks(blocks, parts[0], shown[0])
        if not parts and self.placeholder is not None:
            shown = [draw(self.placeholder, cols)]
        return canvases.column(shown, cols, self._rows, bottom=True)

    def _say_who_speaks(self, blocks: _Blocks, part: Part, canvas: urwid.Canvas) -> urwid.Canvas:
        """The top of the view names the speaker, whatever has been scrolled out of it above."""
        entry, seen_in = blocks.entries[part.block], blocks.context(part.block)
        rules = seen_in.new_day + seen_in.first_unread
        named = part.skipped < rules or (part.skipped == rules and not seen_in.continues and not seen_in.same_minute)
        if named or not isinstance(entry, Said):
            return canvas
        return _signed(canvas, rendering.block(entry, _ALONE), self._cols)

    @property
    def wants_older(self) -> bool:
        """Whether the view has come near the first message that is loaded; what the program said may stand above it."""
        buffer = self._buffer
        return buffer.older_exist and not buffer.cleared and self._top - buffer.before_messages < _LOAD_WITHIN

    @property
    def at_end(self) -> bool:
        return self._buffer.viewport.follows

    def newer(self) -> int:
        """How many messages of others lie below the view that came since the end was in view."""
        if self.at_end:
            return 0
        blocks = self._blocks()
        start = max(self._buffer.viewport.newer(blocks), bisect.bisect_right(blocks.entries, self._buffer.seen, key=_by_key))
        counted = self._buffer, start, len(blocks)
        if counted != self._counted:
            below = itertools.islice(blocks.entries, start, start + _COUNTED)
            self._counted, self._newer = counted, sum(isinstance(entry, Said) and entry.is_news for entry in below)
        return self._newer

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
        self._pointed = None

    def to_unread(self) -> None:
        """To the first of those that were unread when the conversation was opened."""
        first = self._buffer.unread_from
        blocks = self._blocks()
        if first is not None and (index := blocks.find(first) + 1) < len(blocks):
            self._bring(blocks, index, above=0)

    def to_mention(self, by: int) -> None:
        """To the mention before the one that this led to last (at first, before the lower edge); behind it, if `by` is 1."""
        self._go(by, lambda said: bool(said.mentioned))

    def seek(self, query: str, by: int) -> bool:
        """The same for messages with these words; with 0 it may stay where it is. Whether there is one."""
        return self._go(by, lambda said: found_in(rendering.searched(said), query))

    def has(self, query: str) -> bool:
        """Whether there is any message with these words."""
        return any(isinstance(entry, Said) and found_in(rendering.searched(entry), query) for entry in self._buffer.shown())

    def mark(self, query: str) -> None:
        """Shows where these words stand. Without words it shows nothing, and what is sought next is sought from the view."""
        self._query = query
        if not query:
            self._pointed = None

    def _go(self, by: int, wanted: Callable[[Said], bool]) -> bool:
        blocks = self._blocks()
        at = blocks.find(self._pointed) if self._pointed is not None else self._buffer.viewport.newer(blocks)
        first = at + by if by else min(at, len(blocks) - 1)
        for index in range(first, len(blocks)) if by > 0 else range(first, -1, -1):
            entry = blocks.entries[index]
            if isinstance(entry, Said) and wanted(entry):
                self._bring(blocks, index, above=self._rows // 2)
                self._pointed = entry.key
                return True
        return False

    def _bring(self, blocks: _Blocks, index: int, above: int) -> None:
        self._buffer.cleared = False
        self._buffer.viewport.bring(blocks, self._rows, index, above)

    def _blocks(self) -> _Blocks:
        return _Blocks(self._buffer, max(self._cols, 1), self._kept, self.full_emoji, self._query, self._pointed)
