"""Opening files that somebody else may have put something else in the place of, and waiting for the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def without_waiting(path: str, flags: int) -> int:
    """An `opener`: of a pipe it is not waited for who is at the other end; there is nothing in it then. Raises `OSError`."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def sync(path: Path) -> None:
    """Waits until a file's content, or the names in a directory, are safe on the disk. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as problem:
        if problem.errno != errno.EINVAL:  # a file system that cannot be asked for that of its directories
            raise
    finally:
        os.close(descriptor)
