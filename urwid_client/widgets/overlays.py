"""What can stand over the messages: the help, and a page of words."""

from __future__ import annotations

from typing import Protocol

import urwid

from urwid_client import commands, keys
from urwid_client.rendering import Spans
from urwid_client.widgets import canvases


class Overlay(Protocol):
    """Stands in the place of the lists and messages."""

    def draw(self, cols: int, rows: int) -> urwid.Canvas: ...


class Help(Overlay):
    """The keys and the commands, from their tables. Longer than a screen: `scroll` moves it."""

    def __init__(self, keymap: keys.KeyMap) -> None:
        self.keymap = keymap
        self._skipped = 0
        self._rows = 1

    def scroll(self, rows: int) -> None:
        """Up if `rows` is positive."""
        self._skipped = max(self._skipped - rows, 0)

    def page(self, by: int) -> None:
        """Scrolls by pages, up if `by` is positive; two rows stay in view."""
        self.scroll(by * max(self._rows - 2, 1))

    def draw(self, cols: int, rows: int) -> urwid.Canvas:
        lines = [canvas for spans in _help_lines(self.keymap) for canvas in [_line(spans, cols)]]
        whole = urwid.CanvasCombine([(line, None, False) for line in lines])
        self._rows = rows
        self._skipped = max(min(self._skipped, whole.rows() - rows), 0)
        whole.trim(self._skipped)
        return canvases.column([whole], cols, rows)


def _line(spans: tuple[str, str] | str, cols: int) -> urwid.Canvas:
    """A heading, or a name with its explanation beside it."""
    if isinstance(spans, str):
        return canvases.text([("title", f" {spans}")], cols)
    name, explanation = spans
    name_cols = max(min(28, cols // 2), 1)
    left = canvases.text([("prompt", name)], max(name_cols - 1, 1), wrap="space")
    right = canvases.text([("text", explanation)], max(cols - name_cols - 1, 1), wrap="space")
    return canvases.beside([(canvases.text([], 1), 1), (left, name_cols), (right, max(cols - name_cols - 1, 1))])


def _help_lines(keymap: keys.KeyMap) -> list[tuple[str, str] | str]:
    close, up, down = map(keymap.called, (keys.Action.CLOSE, keys.Action.PAGE_UP, keys.Action.PAGE_DOWN))
    lines: list[tuple[str, str] | str] = [f"{close} closes this, {up} and {down} scroll", "", "Commands"]
    lines += [(command.usage, commands.help_of(command)) for command in commands.COMMANDS]
    lines.append(("//text", "send a text that begins with a slash"))
    for section, bindings in keymap.sections.items():
        lines += ["", section]
        lines += [(keys.shown(binding) or "(no key)", binding.help) for binding in bindings]
    return lines


class Page(Overlay):
    """Words in the middle of the screen."""

    def __init__(self) -> None:
        self.lines: list[Spans] = []

    def draw(self, cols: int, rows: int) -> urwid.Canvas:
        """Where there is too little room, what matters least goes first, and then what stands above."""
        whole = self._whole(cols, self.lines)
        if whole.rows() > rows:
            whole = self._whole(cols, [spans for spans in self.lines if spans])
        if whole.rows() > rows:
            whole = self._whole(cols, [spans for spans in self.lines if any(style != "faint" for style, _ in spans)])
        whole.trim(max(whole.rows() - rows, 0))
        above = (rows - whole.rows()) // 2
        return canvases.column([*([urwid.SolidCanvas(" ", cols, above)] if above else []), whole], cols, rows)

    def _whole(self, cols: int, lines: list[Spans]) -> urwid.CompositeCanvas:
        texts = [canvases.text(spans, cols, align="center", wrap="space") for spans in lines]
        return urwid.CanvasCombine([(text, None, False) for text in texts])
