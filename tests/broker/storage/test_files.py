"""The lock on a data directory, and what is said of one that cannot be used."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from broker.log import StorageRefused
from broker.storage import files


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


def test_files_and_directories_can_be_made_safe(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files.sync(tmp_path / "file")
    files.sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        files.sync(tmp_path / "missing")
