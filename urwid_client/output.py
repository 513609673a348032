"""What the client says on its standard streams, and what becomes of it when nobody reads it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TextIO

from common.text import clean_line
from urwid_client.errors import Failed, OutputClosed

_waiting = False


def is_waiting() -> bool:
    """Whether a text is being written, which takes as long as whoever reads likes. Only the handler of a signal can see that."""
    return _waiting


def say(text: str) -> None:
    """A text and the end of its line, at once. Raises `OutputClosed` and `Failed`, and no `OSError`.

    `asyncio.CancelledError`, which the handler of a signal may raise meanwhile, cuts it short.
    """
    global _waiting
    _waiting = True
    try:
        print(_encodable(text), flush=True)
    except asyncio.CancelledError:
        discard_output()
        raise
    except OSError as problem:
        discard_output()
        if isinstance(problem, BrokenPipeError):
            raise OutputClosed from None
        raise Failed(f"the output cannot be written: {problem.strerror}") from None
    finally:
        _waiting = False


def complain(text: str) -> None:
    """One line on the standard error, if that can be written."""
    if sys.stderr is None:
        return  # `print` would take the standard output instead
    try:
        print(f"chat-client: {clean_line(text)}", file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def remark(text: str) -> None:
    """The same where a person reads it: scripts that run each minute would fill a log with it."""
    if sys.stderr is not None and sys.stderr.isatty():
        complain(text)


def _encodable(text: str) -> str:
    """What the output's encoding has no sign for is told by its number, as Python does on the standard error."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def discard_output() -> None:
    """The standard output cannot be written any more."""
    _discard(sys.stdout)


def _discard(stream: TextIO) -> None:
    """What Python still holds for it goes nowhere; otherwise it would fail at its end, with an exit status of its own (120)."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
