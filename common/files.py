"""Opening files that somebody else may have put something else in the place of, and names of files that last."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def without_waiting(path: str, flags: int) -> int:
    """An `opener`: of a pipe it is not waited for who is at the other end; there is nothing in it then. Raises `OSError`."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def sync_directory(path: Path) -> None:
    """Waits until the names in a directory are on the disk: that of a file is not when its content is. Raises `OSError`."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    except OSError as problem:
        if problem.errno != errno.EINVAL:  # a file system where that cannot be asked for
            raise
    finally:
        os.close(directory)
