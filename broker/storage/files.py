"""The data directory: whose it is, and making sure that what was done in it survives a loss of power."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from broker.log import StorageRefused


def lock(data_dir: Path) -> int:
    """Takes the data directory for this process alone, until the descriptor that this returns is closed.

    It is closed by the process's end too, whatever way that comes. The directory itself carries the lock: a file in it could be
    deleted, and then two would hold it. Raises `StorageRefused`.
    """
    try:
        descriptor = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as problem:
        raise unusable(data_dir, problem) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        advice = "stop that one, or use another --data-dir"
        raise StorageRefused(f"the data directory {data_dir} is in use by another server: {advice}") from None
    except OSError as problem:
        os.close(descriptor)
        raise unusable(data_dir, problem) from None
    return descriptor


def unusable(data_dir: Path, problem: OSError) -> StorageRefused:
    """What to say of a directory that one cannot work in."""
    full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = "make room on the disk" if full else "make it writable, or use another --data-dir"
    return StorageRefused(f"the data directory {data_dir} cannot be used ({problem.strerror}): {advice}")


def sync(path: Path) -> None:
    """Waits until the file or directory is safe on the disk. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
