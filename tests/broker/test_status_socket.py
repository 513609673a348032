"""broker.status_socket over a real socket in a real directory."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from broker import status_socket
from broker.status_socket import NotRunning, StatusSocket, answer, ask


def asked(status: StatusSocket, data_dir: Path, told: dict[str, Any]) -> dict[str, Any]:
    """What one learns who asks while the supervisor answers `told`."""
    learned: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: learned.append(ask(data_dir)))
    asking.start()
    while (asker := status.accept()) is None:
        pass
    answer(asker, told)
    asking.join()
    return learned[0]


@pytest.mark.parametrize("data_dir", [Path("data"), Path(*["long" * 12] * 5)], ids=["short", "long"])
def test_a_question_and_its_answer(tmp_path: Path, data_dir: Path) -> None:
    directory = tmp_path / data_dir
    directory.mkdir(parents=True)
    status = StatusSocket(directory)
    path = directory / status_socket.NAME
    try:
        assert path.stat().st_mode & 0o777 == 0o600
        told = {"users": 3, "per_worker": [{"number": number} for number in range(1024)]}
        assert asked(status, directory, told) == told
        assert asked(status, directory, {"users": None}) == {"users": None}
        assert status.accept() is None
    finally:
        status.close()
    assert not path.exists()


def test_the_socket_of_a_killed_server_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / status_socket.NAME))
    with pytest.raises(NotRunning, match="no server runs on "):
        ask(tmp_path)
    status = StatusSocket(tmp_path)
    assert asked(status, tmp_path, {"users": 0}) == {"users": 0}
    status.close()


def test_nobody_there(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "none", tmp_path.joinpath(*["long" * 12] * 5)):
        with pytest.raises(NotRunning, match=r"^no server runs on \S+, start one or name its directory with --data-dir$"):
            ask(directory)


def test_a_server_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_socket, "_ANSWER_SECONDS", 0.05)
    status = StatusSocket(tmp_path)
    with pytest.raises(NotRunning, match="does not answer"):
        ask(tmp_path)
    status.close()


def test_one_who_does_not_wait_for_the_answer_is_no_trouble(tmp_path: Path) -> None:
    status = StatusSocket(tmp_path)
    with socket.socket(socket.AF_UNIX) as impatient:
        impatient.connect(str(tmp_path / status_socket.NAME))
    asker = status.accept()
    assert asker is not None
    before = len(os.listdir("/proc/self/fd"))
    answer(asker, {"text": "long" * 1_000_000})
    assert len(os.listdir("/proc/self/fd")) == before - 1
    status.close()
