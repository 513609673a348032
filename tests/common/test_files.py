"""common.files: what is opened, and that nothing is waited for."""

from __future__ import annotations

import os
from pathlib import Path

from common.files import without_waiting


def test_a_file_is_read_and_a_pipe_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"something")
    os.mkfifo(tmp_path / "pipe")
    for name, content in (("file", b"something"), ("pipe", b"")):
        with open(tmp_path / name, "rb", opener=without_waiting) as file:
            assert file.read() == content
            assert not os.get_inheritable(file.fileno())
