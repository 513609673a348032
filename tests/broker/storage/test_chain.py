"""The chain of messages in a file: its end, and where it does not hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.storage import chain, opening
from tests.support.logs import closed_log


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, str]]:
    path = closed_log(tmp_path / "data", 20)
    with opening.looking(path) as (_, meta):
        pass
    db = sqlite3.connect(path, isolation_level=None)
    yield db, meta.uuid
    db.close()


def test_a_whole_chain_has_no_findings(log: tuple[sqlite3.Connection, str]) -> None:
    db, uuid = log
    for after in (0, 1, 10, 19, 20, 21):
        assert list(chain.findings(db, uuid, after)) == []


def test_the_end_of_the_chain(log: tuple[sqlite3.Connection, str]) -> None:
    db, _ = log
    crcs = [crc for (crc,) in db.execute("SELECT crc FROM messages ORDER BY id")]
    assert (chain.newest_id(db), chain.used_ids(db)) == (20, 20)
    assert chain.newest_crc(db) == crcs[-1]
    assert [chain.newest_crc(db, upto) for upto in (0, 1, 7)] == [0, crcs[0], crcs[6]]
    db.execute("DELETE FROM messages WHERE id > 15")
    assert (chain.newest_id(db), chain.used_ids(db), chain.newest_crc(db)) == (15, 20, crcs[14])
    db.execute("DELETE FROM messages")
    assert (chain.newest_id(db), chain.used_ids(db), chain.newest_crc(db)) == (0, 20, 0)


def test_only_what_is_above_is_looked_at(log: tuple[sqlite3.Connection, str]) -> None:
    db, uuid = log
    db.execute("UPDATE messages SET sender = 'eve' WHERE id = 10")
    assert list(chain.findings(db, uuid, 10)) == []
    assert list(chain.findings(db, uuid, 9)) == ["message 10, or the one before it, is not as it was written"]


def test_another_log_s_messages_do_not_fit(log: tuple[sqlite3.Connection, str]) -> None:
    db, uuid = log
    assert len(list(chain.findings(db, uuid[::-1]))) == 20


def test_each_damaged_place_is_told_once(log: tuple[sqlite3.Connection, str]) -> None:
    db, uuid = log
    db.execute("UPDATE messages SET text = 'other' WHERE id = 3")
    db.execute("UPDATE messages SET person = 99 WHERE id = 7")
    db.execute("DELETE FROM messages WHERE id = 12")
    assert list(chain.findings(db, uuid)) == [
        "the text of message 3 is not as it was written",
        "message 7 has no sender, no conversation, or a value of the wrong kind",
        "message 13, or the one before it, is not as it was written",
    ]
