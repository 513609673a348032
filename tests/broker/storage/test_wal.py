"""Reading a write-ahead log byte by byte: what SQLite would take from it, and what it would leave out in silence."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from broker.storage import wal
from tests.support.groups import rounds
from tests.support.logs import append_in_batches, mixed_drafts, opened, people

FRAME_BYTES = 24 + 4096


def written(path: Path, transactions: int) -> tuple[bytes, bytes]:
    """A small database before so many transactions of several pages each, and the write-ahead log with them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA page_size = 4096")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE texts (text)")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        for number in range(transactions):
            db.execute("INSERT INTO texts VALUES (?)", (f"number {number} " + "x" * 9000,))
        return path.read_bytes(), Path(f"{path}-wal").read_bytes()


def rows_that_sqlite_sees(path: Path, data: bytes) -> int:
    """With this write-ahead log beside the file."""
    Path(f"{path}-wal").write_bytes(data)
    Path(f"{path}-shm").unlink(missing_ok=True)
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        (count,) = db.execute("SELECT count(*) FROM texts").fetchone()
    return int(count)


def committed(data: bytes) -> int:
    return sum(frame.commits for frame in wal.frames(data) if frame.valid)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "texts.db"


def test_every_transaction_is_seen(path: Path) -> None:
    _, data = written(path, 5)
    frames = list(wal.frames(data))
    assert len(frames) == (len(data) - 32) // FRAME_BYTES
    assert all(frame.valid for frame in frames)
    assert committed(data) == 5
    first = wal.first_commit(data)
    assert any(b"number 0 " in page for page in first)
    assert not any(b"number 1 " in page for page in first)
    assert not wal.lost_commits(data)


def test_nothing_is_seen_where_nothing_is() -> None:
    for data in (b"", b"hello", bytes(32), bytes(5000), random.Random(1).randbytes(20_000)):
        assert list(wal.frames(data)) == []
        assert wal.first_commit(data) == []


def test_a_cut_shows_the_same_to_us_and_to_sqlite(path: Path, tmp_path: Path) -> None:
    main, data = written(path, 5)
    copied = tmp_path / "copied.db"
    copied.write_bytes(main)
    chance = random.Random(2)
    for at in [0, 31, 32, 33, *chance.sample(range(len(data)), rounds(10, 300))]:
        cut = data[:at]
        assert committed(cut) == rows_that_sqlite_sees(copied, cut)
        assert bool(wal.first_commit(cut)) == (committed(cut) > 0)
        assert not wal.lost_commits(cut), "a crash looks like that"


def test_a_flipped_bit_shows_the_same_to_us_and_to_sqlite(path: Path, tmp_path: Path) -> None:
    main, data = written(path, 5)
    copied = tmp_path / "copied.db"
    copied.write_bytes(main)
    chance = random.Random(3)
    for _ in range(rounds(30, 1000)):
        at = chance.randrange(32, len(data))
        flipped = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        seen = committed(flipped)
        assert seen == rows_that_sqlite_sees(copied, flipped)
        assert wal.lost_commits(flipped) == (seen < 4), "damage of the last transaction looks like a crash"


def test_a_flipped_bit_in_the_header_loses_everything(path: Path) -> None:
    _, data = written(path, 3)
    for at in range(32):
        flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert wal.lost_commits(flipped) or committed(flipped) == 3  # one bit tells the byte order, and nothing else


def test_what_is_left_over_from_an_earlier_use_is_left_out(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(200))
        log.checkpoint()
        log.append(mixed_drafts(1, 201), [])
        data = (tmp_path / "chat.db-wal").read_bytes()
    frames = list(wal.frames(data))
    assert len(frames) < (len(data) - 32) // FRAME_BYTES
    assert committed(data) == 1
    assert not wal.lost_commits(data)
    assert any(log.uuid.encode() in page for page in wal.first_commit(data))


def test_every_transaction_of_a_log_has_its_uuid(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        for drafts, updates in ((mixed_drafts(1), []), ([], people(1)), ([], people(1)), (mixed_drafts(20, 2), people(5))):
            log.checkpoint(wait=True)
            log.append(drafts, updates)
            data = (tmp_path / "chat.db-wal").read_bytes()
            assert any(log.uuid.encode() in page for page in wal.first_commit(data))
