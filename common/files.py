"""Opening files that somebody else may have put something else in the place of."""

from __future__ import annotations

import os


def without_waiting(path: str, flags: int) -> int:
    """An `opener`: of a pipe it is not waited for who is at the other end; there is nothing in it then. Raises `OSError`."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
