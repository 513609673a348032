"""The lock on a data directory, and what is said of one that cannot be used."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.log import StorageRefused
from broker.storage import files
from tests.support.logs import failing_writes


def test_a_lock_is_held_until_it_is_closed(tmp_path: Path) -> None:
    held = files.lock(tmp_path)
    with pytest.raises(StorageRefused, match="is in use by another server"):
        files.lock(tmp_path)
    os.close(held)
    os.close(files.lock(tmp_path))


def test_a_lock_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    holder = os.fork()
    if holder == 0:
        try:
            files.lock(tmp_path)
            (tmp_path / "held").touch()
            time.sleep(60)
        finally:
            os._exit(1)
    while not (tmp_path / "held").exists():
        time.sleep(0.001)
    with pytest.raises(StorageRefused):
        files.lock(tmp_path)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    os.close(files.lock(tmp_path))


def test_a_lock_does_not_pass_to_other_programs(tmp_path: Path) -> None:
    held = files.lock(tmp_path)
    assert not os.get_inheritable(held)
    os.close(held)


def test_the_advice_fits_the_trouble() -> None:
    said = {number: str(files.unusable(Path("/data"), OSError(number, "why"))) for number in (errno.EROFS, errno.ENOSPC)}
    assert said[errno.EROFS] == ("the data directory /data cannot be used (why): make it writable, or use another --data-dir")
    assert said[errno.ENOSPC].endswith(": make room on the disk")


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_room_is_proved_also_where_none_can_be_reserved(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every C library helps a file system that cannot (NFS, ZFS, FUSE): the trouble there would never be over."""
    monkeypatch.setattr(os, "posix_fallocate", failing_with(number))
    files.prove_room(tmp_path, 10_000)
    with failing_writes(5_000), pytest.raises(OSError, match="File too large"):
        files.prove_room(tmp_path, 10_000)
    assert not [*tmp_path.iterdir()]


def test_a_disk_that_fails_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", failing_with(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        files.prove_room(tmp_path, 10_000)
    assert not [*tmp_path.iterdir()]


def failing_with(number: int) -> Callable[[int, int, int], None]:
    def fail(descriptor: int, start: int, size: int) -> None:
        raise OSError(number, os.strerror(number))

    return fail
