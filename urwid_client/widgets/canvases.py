"""Putting canvases together: small helpers for widgets that draw themselves."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import urwid

from urwid_client.rendering import Link, Span


def text(spans: Iterable[Span], cols: int, align: str = "left", wrap: str = "ellipsis") -> urwid.Canvas:
    """The words on as many rows as they need; on one, unless `wrap` is "space"."""
    return _text(tuple(spans), cols, align, wrap)


@functools.lru_cache(maxsize=1_000)
def _text(spans: tuple[Span, ...], cols: int, align: str, wrap: str) -> urwid.Canvas:
    """Most of a screen is what it was at the last key."""
    markup = [(_attribute(style), words) for style, words in spans if words] or ""
    return urwid.Text(markup, align=align, wrap=wrap).render((cols,))  # type: ignore[arg-type]


def _attribute(style: str | Link) -> object:
    """What Urwid draws a style with; a link takes its look from the palette, and says where it leads."""
    if isinstance(style, str):
        return style
    return urwid.AttrSpec("inherit,underline", "inherit", hyperlink=style.target)


def column(lines: Sequence[urwid.Canvas], cols: int, rows: int, bottom: bool = False) -> urwid.Canvas:
    """The lines under each other in a box of `rows`: cut off below, or filled up (above, if `bottom`)."""
    if not lines:
        return urwid.SolidCanvas(" ", cols, rows)
    canvas = urwid.CanvasCombine([(line, None, False) for line in lines])
    missing = rows - canvas.rows()
    if missing < 0:
        canvas.trim(0, rows)
    elif bottom:
        canvas.pad_trim_top_bottom(missing, 0)
    else:
        canvas.pad_trim_top_bottom(0, missing)
    return canvas


def beside(canvases: Iterable[tuple[urwid.Canvas, int]]) -> urwid.Canvas:
    """Canvases side by side, each with its width."""
    return urwid.CanvasJoin([(canvas, None, False, cols) for canvas, cols in canvases])


def styled(canvas: urwid.Canvas, style: str) -> urwid.Canvas:
    """The same with one style for all of it."""
    composite = urwid.CompositeCanvas(canvas)
    composite.fill_attr(style)
    return composite
