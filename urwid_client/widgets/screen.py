"""The whole screen: a heading; the conversations, the messages and the people side by side; a status line; the input below."""

from __future__ import annotations

import enum
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import urwid

from urwid_client import rendering
from urwid_client.buffers import Buffer
from urwid_client.conversations import by_importance
from urwid_client.rendering import Span, Spans
from urwid_client.widgets import canvases
from urwid_client.widgets.input_line import InputLine
from urwid_client.widgets.messages import MessageList
from urwid_client.widgets.overlays import Overlay


class Panes(NamedTuple):
    """How wide the lists at the sides are, without their borders; 0 hides one."""

    conversations: int
    people: int


def panes(cols: int, conversations: bool, people: bool) -> Panes:
    """What there is room for on a screen of this width, of what is wanted."""
    left = min(max(cols // 6, 12), 22) if conversations and cols >= 60 else 0
    right = min(max(cols // 7, 10), 18) if people and cols >= 80 else 0
    return Panes(left, right)


class Side(enum.Enum):
    """The lists beside the messages."""

    CONVERSATIONS = "conversations"
    PEOPLE = "people"


class Screen(urwid.Widget):
    """Shows what `app` put into its attributes. Every part gives way when there is no room for it, the input last."""

    _sizing = frozenset([urwid.BOX])
    no_cache = ("render",)

    def __init__(self, buffer: Buffer) -> None:
        super().__init__()
        self.messages = MessageList(buffer)
        self.input = InputLine()
        self.buffers: Sequence[Buffer] = ()
        self.active = buffer
        self.heading: Spans = []
        self.status: Spans = []
        self.full_status: Spans = []
        """The same with more words, for a screen that has room for them."""
        self.elsewhere: Spans = []
        """What waits in other conversations; it is added to the status when their list, or its beginning, is not shown."""
        self.typing: Spans = []
        """Who is typing; it is added behind everything else that stands in the status."""
        self.help_hint = ""
        """How to get help; at the right end of the heading."""
        self.hint: Span = ("", "")
        """What stands at the right end of the status line."""
        self._wanted = {Side.CONVERSATIONS: True, Side.PEOPLE: True}
        self._alone: Side | None = None
        """The list that stands in the place of the messages, where there is no room for it beside them."""
        self._cols = 80
        self._listed: dict[int, Buffer] = {}
        """Which conversation stands in which row of the screen, as far as they do."""
        self._list_cols = 0
        self._skipped = 0
        """How many conversations stand above those that are listed."""
        self.beside_input: list[Spans] = []
        """Lines between the status and the input: what could be written, what is asked."""
        self.overlay: Overlay | None = None
        """What stands over the lists and messages."""
        self.body_stays = False
        """Whether what is above the status line may stay as it was drawn last."""
        self._drawn: urwid.Canvas | None = None
        """How that was."""

    def conversation_at(self, col: int, row: int) -> Buffer | None:
        """The conversation whose name stands at this place of the screen."""
        return self._listed.get(row) if col < self._list_cols and self.overlay is None else None

    def draw_emoji(self, full: bool) -> None:
        """With all their parts, or in the form that all terminals agree about."""
        self.messages.full_emoji = self.input.full_emoji = full

    def toggle(self, side: Side) -> None:
        """Shows or hides a list: beside the messages, or in their place where the screen is narrow."""
        if getattr(panes(self._cols, True, True), side.value):
            self._wanted[side] = not self._wanted[side]
        else:
            self._alone = None if self._alone is side else side

    def show_messages(self) -> None:
        """Closes whatever stands in the place of the messages."""
        self.overlay = self._alone = None

    def render(self, size: Any, focus: bool = False) -> urwid.Canvas:
        cols, rows = size
        if cols != self._cols:
            self._alone, self._cols = None, cols
        below = self.input.draw(cols, max(min(6, rows // 3), 1))
        room = rows - below.rows()
        offered = [canvases.text(spans, cols) for spans in self.beside_input[: max(room // 2, 0)]]
        room -= len(offered)
        with_status, with_heading = room >= 2, room >= 5
        room -= with_status + with_heading
        heading = [self._heading(cols)] if with_heading else []
        body = [self._kept_body(cols, room, len(heading))] if room > 0 else []
        status = [self._status(cols)] if with_status else []
        lines = [*heading, *body, *status, *offered, below]
        return urwid.CanvasCombine([(line, None, line is below) for line in lines])

    def _heading(self, cols: int) -> urwid.Canvas:
        hint_cols = len(self.help_hint) + 3 if cols >= 50 else 0
        left = canvases.text([("title", " "), *self.heading], cols - hint_cols)
        right = [(canvases.text([("faint", f" {self.help_hint}")], hint_cols), hint_cols)] if hint_cols else []
        return canvases.beside([(left, cols - hint_cols), *right])

    def _status(self, cols: int) -> urwid.Canvas:
        """A rule with words in it: it parts the messages from the input, and tells how things are."""
        hint = canvases.text([self.hint], min(len(self.hint[1]), cols // 2)) if self.hint[1] and cols >= 8 else None
        room = cols - (hint.cols() + 3 if hint else 0)
        elsewhere = [] if self._list_cols and not self._skipped else self.elsewhere
        full, short = ([("border", "── "), *status, *elsewhere, *self.typing] for status in (self.full_status, self.status))
        words = full if self.full_status and _width(full) <= room else short
        if _width(words) > room:
            left = canvases.text(words, room)
        else:
            left = canvases.text([*words, ("border", " " + "─" * cols)], room, wrap="clip")
        right = [] if hint is None else [(canvases.text([("border", " ")], 1), 1), (hint, hint.cols() + 2)]
        return canvases.beside([(left, room), *right])

    def _kept_body(self, cols: int, rows: int, top: int) -> urwid.Canvas:
        drawn = self._drawn
        if drawn is None or not self.body_stays or (drawn.cols(), drawn.rows()) != (cols, rows):
            drawn = self._drawn = self._body(cols, rows, top)
        return drawn

    def _body(self, cols: int, rows: int, top: int) -> urwid.Canvas:
        if self.overlay is not None:
            return self.overlay.draw(cols, rows)
        if self._alone is not None:
            return self._in_place_of_messages(self._alone, cols, rows, top)
        sides = panes(cols, self._wanted[Side.CONVERSATIONS], self._wanted[Side.PEOPLE] and bool(self.active.people))
        self._list_cols = sides.conversations
        border = canvases.styled(urwid.SolidCanvas("│", 1, rows), "border")
        parts: list[tuple[urwid.Canvas, int]] = []
        if sides.conversations:
            parts += [(self._conversations(sides.conversations, rows, top), sides.conversations), (border, 1)]
        middle = cols - sum(width for _, width in parts) - (sides.people + 1 if sides.people else 0)
        edge = 1 if middle >= 24 else 0
        blank = canvases.column([], edge, rows)
        parts += [(blank, edge), (self.messages.draw(middle - 2 * edge, rows), middle - 2 * edge), (blank, edge)]
        if sides.people:
            parts += [(border, 1), (self._people(sides.people, rows), sides.people)]
        return canvases.beside(parts)

    def _in_place_of_messages(self, side: Side, cols: int, rows: int, top: int) -> urwid.Canvas:
        self._list_cols = cols if side is Side.CONVERSATIONS else 0
        return self._conversations(cols, rows, top) if side is Side.CONVERSATIONS else self._people(cols, rows)

    def _conversations(self, cols: int, rows: int, top: int) -> urwid.Canvas:
        """The list, the most important first; if it is longer than the screen, the part down to the active one."""
        lines = []
        ordered = by_importance(self.buffers)
        at = next((place for place, buffer in enumerate(ordered) if buffer is self.active), 0)
        self._skipped = max(at - rows + 1, 0)
        shown = ordered[self._skipped : self._skipped + rows]
        self._listed = {top + row: buffer for row, buffer in enumerate(shown)}
        for buffer in shown:
            line = rendering.conversation_line(buffer, buffer is self.active)
            count = [("text", " "), line.unread, ("text", " ")] if line.unread[1] else [("text", " ")]
            count_cols = sum(len(text) for _, text in count)
            name_cols = cols - 3 - count_cols
            lines.append(
                canvases.beside(
                    [
                        (canvases.text([("faint", f" {line.number}")], 3, wrap="clip"), 3),
                        (canvases.text([line.name], name_cols), name_cols),
                        (canvases.text(count, count_cols, wrap="clip"), count_cols),
                    ]
                )
            )
        return canvases.column(lines, cols, rows)

    def _people(self, cols: int, rows: int) -> urwid.Canvas:
        lines = rendering.people(self.active) or [("faint", "nobody is listed here")]
        if len(lines) > rows:
            lines = [*lines[: rows - 1], ("faint", f"+{self.active.head_count - rows + 1:,} more")]
        return _names(tuple(lines), cols, rows)


@functools.lru_cache(maxsize=4)
def _names(lines: tuple[Span, ...], cols: int, rows: int) -> urwid.Canvas:
    marked = [[(style, "~" if style == "away" else " "), (style, name)] for style, name in lines]
    return canvases.column([canvases.text(spans, cols) for spans in marked], cols, rows)


def _width(spans: Spans) -> int:
    return sum(urwid.calc_width(text, 0, len(text)) for _, text in spans)
