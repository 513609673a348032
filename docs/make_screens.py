"""Draws the picture of the README: a real server, real clients, and what the terminal of one of them shows.

    python docs/make_screens.py [--light] [--cols N] [--rows N] [FILE]

FILE is docs/images/screen.svg if it is not given. Needs what the tests need. The
terminal is the one of `tests.support.terminal`; nothing on the picture is drawn by hand.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).parents[1]))

from wcwidth import wcswidth

from tests.support.server import SCRIPTS, Server, running_server
from tests.support.terminal import Terminal, terminal

CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 17, 14
FONT = "ui-monospace, 'JetBrains Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace"


class Theme(NamedTuple):
    background: str
    foreground: str
    cursor: str
    named: dict[str, str]
    """The sixteen colours that have names."""


DARK = Theme("#16181d", "#d6d9e0", "#d6d9e0", {"red": "#e06c75", "green": "#98c379", "brown": "#d19a66", "blue": "#61afef"})
LIGHT = Theme("#fbfbf8", "#24262b", "#24262b", {"red": "#b3261e", "green": "#3a7d1e", "brown": "#8a5a00", "blue": "#1e5fb3"})


# --- the scene --------------------------------------------------------------------------------------------------------

TALK = (
    ("bob", "#lobby", "Good morning! The workshop room is set up, the projector works."),
    ("carla", "#lobby", "Perfect. I'll bring the cables."),
    ("carla", "#lobby", "Who has the key to the cupboard?"),
    ("dmitri", "#lobby", "me 🙂 there in ten minutes"),
    ("bob", "#dev", "the fix for the parser is merged"),
    ("erin", "#dev", "ada: could you look at the release notes?"),
    ("ada", "#lobby", "I can take the introduction, if nobody minds. My slides are ready, and they are short: six of them."),
    ("dmitri", "#lobby", "please do!"),
    ("bob", "#lobby", "ada: then I'll start after you, at about 10:30"),
    ("erin", "ada", "psst, have you seen the cake in the kitchen?"),
)


def say(server: Server, data_dir: Path, name: str, to: str, text: str) -> None:
    """One message, by the client's own `send`."""
    subprocess.run([*client(server, data_dir, name, "send"), "--to", to, text], check=True)


def client(server: Server, data_dir: Path, name: str, *form: str) -> list[str | Path]:
    return [SCRIPTS / "chat-client", *form, "--port", str(server.port), "--data-dir", data_dir / name, "--name", name]


def scene(directory: Path, cols: int, rows: int, theme: Theme) -> str:
    """The picture, as SVG."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_server(directory / "server", workers=2))
        for name in ("bob", "carla", "dmitri", "erin"):
            listening = subprocess.Popen(
                [*client(server, directory, name, "tail"), "--room", "#dev"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(listening.wait)
            stack.callback(listening.terminate)
        window = stack.enter_context(terminal(client(server, directory, "ada"), cols, rows))
        window.wait_for("● ada")
        window.enter("/join #dev")
        window.wait_for("#dev  5 people")
        window.press("alt 2")
        for name, to, text in TALK:
            if name == "ada":
                window.enter(text)
                window.wait_for(text[:20])
            else:
                say(server, directory, name, to, text)
        window.type("Great, see you all ")
        window.settle(0.5)
        picture = svg(window, theme)
        window.press("ctrl c")
        window.enter("/quit")
        window.wait_exit()
        return picture


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
        f'<rect {cursor} fill="{theme.cursor}" opacity="0.6"/>',
        *(text for row, line in enumerate(cells) for text in _line(line, row, theme)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: list[Any], row: int, theme: Theme) -> list[str]:
    """One text element for each run of cells that look the same."""
    texts: list[str] = []
    column = 0
    for look, run in groupby(cells, lambda cell: (cell.fg, cell.bold, cell.underscore)):
        characters = [cell.data for cell in run]
        text = "".join(characters)
        words = re.finditer(r"\S+(?: \S+)*", text)
        texts += [_text(word[0], column + word.start(), row, look, theme) for word in words]
        column += len(characters)
    return texts


def _text(text: str, column: int, row: int, look: tuple[str, bool, bool], theme: Theme) -> str:
    colour, bold, underline = look
    fill = theme.foreground if colour == "default" else theme.named.get(colour, f"#{colour}")
    style = ' font-weight="bold"' * bold + ' text-decoration="underline"' * underline
    left, base = MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT + 13
    return (
        f'<text x="{left:.1f}" y="{base}" fill="{fill}"{style} textLength="{wcswidth(text) * CELL_WIDTH:.1f}">'
        f"{escape(text)}</text>"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the picture of the README.")
    parser.add_argument("file", nargs="?", type=Path, default=Path(__file__).with_name("images") / "screen.svg")
    parser.add_argument("--light", action="store_true", help="on a light background")
    parser.add_argument("--cols", type=int, default=88)
    parser.add_argument("--rows", type=int, default=24)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        picture = scene(Path(directory), options.cols, options.rows, LIGHT if options.light else DARK)
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(picture)


if __name__ == "__main__":
    main()
