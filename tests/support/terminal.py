"""A terminal for a test: a program on a pseudo-terminal, what it shows as pyte understands it, and keys to type."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyte

from tests.support.timeouts import seconds

KEYS = {
    "enter": "\r",
    "tab": "\t",
    "shift tab": "\x1b[Z",
    "esc": "\x1b",
    "backspace": "\x7f",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "page up": "\x1b[5~",
    "page down": "\x1b[6~",
    "alt end": "\x1b[1;3F",
    "alt home": "\x1b[1;3H",
    "alt enter": "\x1b\r",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f7": "\x1b[18~",
    "f8": "\x1b[19~",
}
"""What an xterm sends for keys that are no characters; `ctrl x` and `alt x` stand for themselves."""

_TAKE_TERMINAL = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Makes the standard input the controlling terminal of a session of its own, as a terminal window does."""


class _Screen(pyte.Screen):
    """Answers the questions that a terminal answers, and passes over those that pyte does not know."""

    answer: Callable[[str], None]

    def select_graphic_rendition(self, *attributes: int, private: bool = False) -> None:
        if not private:  # else it is the question for "modify other keys", not a colour
            super().select_graphic_rendition(*attributes)

    def write_process_input(self, data: str) -> None:
        self.answer(data)


class Terminal:
    """A terminal window with one program in it."""

    def __init__(
        self, command: Sequence[str | Path], cols: int = 80, rows: int = 24, env: Mapping[str, str] | None = None
    ) -> None:
        self._master, slave = pty.openpty()
        self._set_size(cols, rows)
        self.settings = termios.tcgetattr(slave)
        """How the terminal driver was set before the program began."""
        self._slave = slave
        self._screen = _Screen(cols, rows)
        self._screen.answer = lambda data: self._write(data.encode())
        self._stream = pyte.ByteStream(self._screen)
        self.output = b""
        """All that the program wrote."""
        self.process = subprocess.Popen(
            [sys.executable, "-ISc", _TAKE_TERMINAL, *map(str, command)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "NO_COLOR": "", **(env or {})},
        )

    # --- typing -------------------------------------------------------------------------------------------------------

    def type(self, text: str) -> None:
        self._write(text.encode())

    def press(self, *keys: str) -> None:
        for key in keys:
            self.type(_sequence(key))

    def enter(self, text: str) -> None:
        """Types a line and sends it."""
        self.type(text)
        self.press("enter")

    def paste(self, text: str) -> None:
        self.type(f"\x1b[200~{text}\x1b[201~")

    def resize(self, cols: int, rows: int) -> None:
        self.read()
        self._screen.resize(rows, cols)
        self._set_size(cols, rows)

    # --- looking ------------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without the white space at the ends of lines."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def buffer(self) -> list[list[Any]]:
        """The screen's cells with their colours, as pyte has them."""
        return [[self._screen.buffer[y][x] for x in range(self._screen.columns)] for y in range(self._screen.lines)]

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row."""
        return self._screen.cursor.x, self._screen.cursor.y

    def colour_of(self, word: str) -> str:
        """The colour of a word that is on the screen; of the first place where it stands."""
        for y, line in enumerate(self._screen.display):
            if word in line:
                return str(self._screen.buffer[y][line.index(word)].fg)
        raise AssertionError(f"{word!r} is not on the screen:\n{self.text}")

    # --- waiting ------------------------------------------------------------------------------------------------------

    def wait_for(self, *words: str, limit: float = 5) -> None:
        """Waits until all of the words are on the screen."""
        self.wait_until(lambda: all(word in self.text for word in words), f"{words} on the screen", limit)

    def wait_gone(self, word: str, limit: float = 5) -> None:
        """Waits until the word is on the screen no more."""
        self.wait_until(lambda: word not in self.text, f"{word!r} gone from the screen", limit)

    def wait_for_line(self, pattern: str, limit: float = 5) -> re.Match[str]:
        """Waits until a line of the screen matches."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found[:] = [match for line in self.lines if (match := re.search(pattern, line))]
            return bool(found)

        self.wait_until(look, f"a line that matches {pattern!r}", limit)
        return found[0]

    def wait_until(self, holds: Callable[[], bool], what: str, limit: float = 5) -> None:
        end = time.monotonic() + seconds(limit)
        self.read()
        while not holds():
            if not self.read(0.02) or time.monotonic() > end:
                if holds():
                    return
                raise AssertionError(f"not within {seconds(limit):g} s: {what}. The screen:\n{self.text}")

    def wait_exit(self, limit: float = 5) -> int:
        """Waits for the program to end; its exit status."""
        end = time.monotonic() + seconds(limit)
        while self.process.poll() is None:
            assert time.monotonic() < end, f"the program did not end. The screen:\n{self.text}"
            self.read(0.01)
        self.settle(0.05)  # its last words may still be on their way through the terminal
        return int(self.process.returncode)

    def settle(self, moment: float = 0.15) -> None:
        """Reads until the program has written nothing for a moment."""
        before = -1
        while before != len(self.output):
            before = len(self.output)
            self.read(moment)

    def read(self, wait: float = 0) -> bool:
        """Takes in what the program has written; waits for something to come at most so long. False if it has ended."""
        deadline = time.monotonic() + wait
        while select.select([self._master], [], [], max(deadline - time.monotonic(), 0))[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return False
            self.output += data
            self._stream.feed(data)
            deadline = 0
        return True

    # --- the end ------------------------------------------------------------------------------------------------------

    def is_restored(self) -> bool:
        """Whether the terminal is as it was found: the driver's settings, the screen, the cursor, what it reports."""
        modes = (b"\x1b[?1049", b"\x1b[?2004", b"\x1b[?25")
        last = [self.output.rfind(mode) for mode in modes]
        ends = [self.output[at + len(mode) : at + len(mode) + 1] for at, mode in zip(last, modes, strict=True)]
        reports = [self.output.rfind(b"\x1b[?%d" % mode) for mode in (1000, 1002, 1004, 1006)]
        off = all(self.output[at + 7 : at + 8] == b"l" for at in reports if at >= 0)
        return off and ends == [b"l", b"l", b"h"] and termios.tcgetattr(self._slave) == self.settings

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(seconds(5))
        for fd in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(fd)

    def hang_up(self) -> None:
        """Closes the window."""
        os.close(self._slave)
        os.close(self._master)
        self._slave = self._master = -1

    def _write(self, data: bytes) -> None:
        os.write(self._master, data)

    def _set_size(self, cols: int, rows: int) -> None:
        termios.tcsetwinsize(self._master, (rows, cols))


def _sequence(key: str) -> str:
    if key in KEYS:
        return KEYS[key]
    kind, _, character = key.partition(" ")
    if kind == "ctrl":
        return chr(ord(character.upper()) - 64)
    assert kind == "alt", key
    return "\x1b" + character


@contextlib.contextmanager
def terminal(
    command: Sequence[str | Path], cols: int = 80, rows: int = 24, env: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """A window that is closed at the end."""
    window = Terminal(command, cols, rows, env)
    try:
        yield window
    finally:
        window.close()
