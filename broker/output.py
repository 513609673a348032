"""What the command says to the user. Written to the descriptors directly: whether anybody reads it stops nothing."""

from __future__ import annotations

import contextlib
import os

from common.text import clean_line


def say(text: str) -> None:
    """The answer that was asked for, on stdout; may have several lines."""
    _write(1, text)


def complain(problem: str) -> None:
    """What went wrong, on stderr, in one line."""
    _write(2, clean_line(f"chat-broker: {problem}"))


def _write(fd: int, text: str) -> None:
    left = f"{text}\n".encode("utf-8", "surrogateescape")
    with contextlib.suppress(OSError):
        while left:
            left = left[os.write(fd, left) :]
