"""common.files: what is opened, that nothing is waited for, and what is waited for."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest

from common.files import sync, without_waiting


def test_a_file_is_read_and_a_pipe_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"something")
    os.mkfifo(tmp_path / "pipe")
    for name, content in (("file", b"something"), ("pipe", b"")):
        with open(tmp_path / name, "rb", opener=without_waiting) as file:
            assert file.read() == content
            assert not os.get_inheritable(file.fileno())


@pytest.mark.parametrize(("number", "raised"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_directory_that_cannot_be_synced_is_told_unless_its_file_system_never_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, raised: bool
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output") if raised else contextlib.nullcontext():
        sync(tmp_path)


def test_files_and_directories_can_be_made_safe(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sync(tmp_path / "file")
    sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "missing")
