"""Draws the pictures of the documents: a real server, real clients, and what the terminal of one of them shows.

The pictures in docs/images, and the whole screens in tests/terminal/screens that a test compares with; with a directory, there
and to be looked at only: every theme at every size. Needs what the tests need. The terminal is the one of
`tests.support.terminal`; nothing is drawn by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).parents[1]))

from wcwidth import wcswidth

from tests.support.scene import scene, timeless
from tests.support.terminal import Terminal
from urwid_client.palette import THEMES

ROOT = Path(__file__).parents[1]
SIZES = ((120, 40), (80, 24), (40, 10))
NARROW = 40

CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 17, 14
FONT = "ui-monospace, 'JetBrains Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace"


class Theme(NamedTuple):
    background: str
    foreground: str
    cursor: str
    named: dict[str, str]
    """The sixteen colours that have names."""


_NAMES = ("red", "green", "brown", "blue", "magenta", "cyan", "white", "black")
DARK = Theme(
    "#16181d",
    "#d6d9e0",
    "#d6d9e0",
    dict(zip(_NAMES, ("#e06c75", "#98c379", "#d19a66", "#61afef", "#c678dd", "#56b6c2", "#d6d9e0", "#16181d"), strict=True)),
)
LIGHT = Theme(
    "#fbfbf8",
    "#24262b",
    "#24262b",
    dict(zip(_NAMES, ("#b3261e", "#3a7d1e", "#8a5a00", "#1e5fb3", "#8a2a9b", "#0f7480", "#fbfbf8", "#24262b"), strict=True)),
)


# --- drawing ----------------------------------------------------------------------------------------------------------


def svg(window: Terminal, theme: Theme) -> str:
    """What is on the screen."""
    cells = window.buffer
    width, height = len(cells[0]) * CELL_WIDTH + 2 * MARGIN, len(cells) * CELL_HEIGHT + 2 * MARGIN
    x, y = window.cursor
    cursor = f'x="{MARGIN + x * CELL_WIDTH:.1f}" y="{MARGIN + y * CELL_HEIGHT}" width="{CELL_WIDTH}" height="{CELL_HEIGHT}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" font-family="{FONT}" font-size="14">',
        f'<rect width="100%" height="100%" rx="8" fill="{theme.background}"/>',
        *(rect for row, line in enumerate(cells) for rect in _backgrounds(line, row, theme)),
        f'<rect {cursor} fill="{theme.cursor}" opacity="0.6"/>',
        *(text for row, line in enumerate(cells) for text in _line(line, row, theme)),
        "</svg>",
    ]
    return re.sub(r"(on 127\.0\.0\.1):\d{5}", r"\1:65432", "\n".join(lines) + "\n")  # the port is another one each time


def _backgrounds(cells: list[Any], row: int, theme: Theme) -> list[str]:
    """One rectangle for each run of cells with a background of their own, a little larger, so that none shines through."""
    rects: list[str] = []
    column = 0
    for background, run in groupby(cells, lambda cell: cell.bg):
        count = len(list(run))
        if background != "default":
            place = f'x="{MARGIN + column * CELL_WIDTH:.1f}" y="{MARGIN + row * CELL_HEIGHT}"'
            size = f'width="{count * CELL_WIDTH + 0.5:.1f}" height="{CELL_HEIGHT + 0.5}"'
            rects.append(f'<rect {place} {size} fill="{_colour(background, theme)}"/>')
        column += count
    return rects


def _colour(name: str, theme: Theme) -> str:
    return theme.foreground if name == "default" else theme.named.get(name, f"#{name}")


def _line(cells: list[Any], row: int, theme: Theme) -> list[str]:
    """One text element for each run of cells that look the same."""
    texts: list[str] = []
    column = 0
    for look, run in groupby(cells, lambda cell: (cell.fg, cell.bold, cell.italics, cell.underscore)):
        characters = [cell.data for cell in run]
        text = "".join(characters)
        words = re.finditer(r"\S+(?: \S+)*", text)
        texts += [_text(word[0], column + wcswidth(text[: word.start()]), row, look, theme) for word in words]
        column += len(characters)
    return texts


def _text(text: str, column: int, row: int, look: tuple[str, bool, bool, bool], theme: Theme) -> str:
    colour, bold, italic, underline = look
    fill = _colour(colour, theme)
    style = ' font-weight="bold"' * bold + ' font-style="italic"' * italic + ' text-decoration="underline"' * underline
    left, base = MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT + 13
    return (
        f'<text x="{left:.1f}" y="{base}" fill="{fill}"{style} textLength="{wcswidth(text) * CELL_WIDTH:.1f}">'
        f"{escape(text)}</text>"
    )


def draw_every_theme(directory: Path) -> None:
    """Those that leave the background to the terminal, on a dark and on a light one."""
    for theme in THEMES:
        with tempfile.TemporaryDirectory() as data, scene(Path(data), *SIZES[0], "--theme", theme) as window:
            for cols, rows in SIZES:
                window.resize(cols, rows)
                window.settle(0.5)
                (directory / f"{theme}-{cols}x{rows}.svg").write_text(svg(window, DARK))
                (directory / f"{theme}-{cols}x{rows}-on-light.svg").write_text(svg(window, LIGHT))


def _directory(path: str) -> Path:
    """An existing one."""
    if not Path(path).is_dir():
        raise argparse.ArgumentTypeError(f"{path} is no directory, make it first")
    return Path(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", nargs="?", type=_directory, help="draw every theme at every size, into this directory")
    if directory := parser.parse_args().directory:
        draw_every_theme(directory)
        return
    screens = ROOT / "tests" / "terminal" / "screens"
    with tempfile.TemporaryDirectory() as directory, scene(Path(directory), 88, 24) as window:
        (ROOT / "docs" / "images" / "screen.svg").write_text(svg(window, DARK))
        (ROOT / "docs" / "images" / "light.svg").write_text(svg(window, LIGHT))
        for cols, rows in SIZES:
            window.resize(cols, rows)
            window.settle(0.5)
            (screens / f"{cols}x{rows}.txt").write_text("\n".join(timeless(window.lines)) + "\n")
            if cols == NARROW:
                (ROOT / "docs" / "images" / "narrow.svg").write_text(svg(window, DARK))
        window.resize(88, 24)
        window.press("ctrl c")
        window.type("/")
        window.settle(0.3)
        (ROOT / "docs" / "images" / "commands.svg").write_text(svg(window, DARK))


if __name__ == "__main__":
    main()
