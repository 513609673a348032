"""The data directory: whose it is, and making sure that what was done in it survives a loss of power."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from broker.log import StorageRefused


class InUse(StorageRefused):
    """Another process has taken the directory for itself."""


def lock(data_dir: Path) -> int:
    """Takes the data directory for this process alone, until the descriptor that this returns is closed.

    It is closed by the process's end too, whatever way that comes. The directory itself carries the lock: a file in it could be
    deleted, and then two would hold it. Raises `StorageRefused`, of which `InUse` is one.
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
        raise InUse(f"the data directory {data_dir} is in use by another server: {advice}") from None
    except OSError as problem:
        os.close(descriptor)
        raise unusable(data_dir, problem) from None
    return descriptor


def unusable(data_dir: Path, problem: OSError) -> StorageRefused:
    """What to say of a directory that one cannot work in."""
    advice = "make room on the disk" if is_full(problem) else "make it writable, or use another --data-dir"
    return StorageRefused(f"the data directory {data_dir} cannot be used ({problem.strerror}): {advice}")


def is_full(problem: OSError) -> bool:
    """Whether room is all that is missing."""
    return problem.errno in (errno.ENOSPC, errno.EDQUOT)


def prove_room(data_dir: Path, size: int) -> None:
    """Raises `OSError` unless there is room for so many bytes. Nothing of it is left, not even by a crash."""
    path = data_dir / ".probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        path.unlink()
        _take_room(descriptor, size)
    finally:
        os.close(descriptor)


def _take_room(descriptor: int, size: int) -> None:
    """Where the file system cannot reserve room, and the C library does not help it, something is written there."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as problem:
        if problem.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        left = os.urandom(size)  # zeros may take no room at all
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
