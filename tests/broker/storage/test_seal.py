"""The checksum over a file at rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.storage import seal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "chat.db"
    path.write_bytes(b"content" * 1000)
    return path


def test_a_seal_holds_until_the_file_changes(path: Path) -> None:
    seal.put(path)
    assert not seal.is_broken(path)
    path.write_bytes(b"Content" + b"content" * 999)
    assert seal.is_broken(path)
    seal.put(path)
    assert not seal.is_broken(path)
    path.write_bytes(path.read_bytes() + b"\0")
    assert seal.is_broken(path)


def test_without_a_seal_nothing_is_broken(path: Path) -> None:
    assert not seal.is_broken(path)
    seal.put(path)
    seal.take_off(path)
    seal.take_off(path)
    path.write_bytes(b"other")
    assert not seal.is_broken(path)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("left_over", [b"", b"\0" * 20, b"0123", b"zzzzzzzz 7000\n"])
def test_a_seal_that_was_not_finished_says_nothing(path: Path, left_over: bytes) -> None:
    seal.put(path)
    (sealed,) = set(path.parent.iterdir()) - {path}
    sealed.write_bytes(left_over)
    assert not seal.is_broken(path)


def test_a_large_file_is_not_sealed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "BYTES_MAX", 6999)
    seal.put(path)
    assert list(path.parent.iterdir()) == [path]
    monkeypatch.setattr(seal, "BYTES_MAX", 7000)
    seal.put(path)
    assert len(list(path.parent.iterdir())) == 2
