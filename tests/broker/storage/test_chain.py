"""The chain of messages in a file: its end, and where it does not hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from broker.storage import chain, opening
from common.log import RUN_MESSAGES
from common.log_file import FILE_NAME
from tests.support.logs import closed_log, draft, opened


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
    crcs = [crc for (crc,) in db.execute("SELECT crc FROM runs ORDER BY last")]
    assert (chain.newest_id(db), chain.newest_crc(db)) == (20, crcs[-1])
    assert [chain.newest_crc(db, upto) for upto in (0, 1, 7)] == [0, crcs[0], crcs[6]]
    db.execute("DELETE FROM runs WHERE last > 15")
    assert (chain.newest_id(db), chain.newest_crc(db)) == (15, crcs[14])
    db.execute("DELETE FROM runs")
    assert (chain.newest_id(db), chain.newest_crc(db)) == (0, 0)


def test_only_what_is_above_is_looked_at(log: tuple[sqlite3.Connection, str]) -> None:
    db, uuid = log
    db.execute("UPDATE runs SET sender = 'eve' WHERE last = 10")
    assert list(chain.findings(db, uuid, 10)) == []
    assert list(chain.findings(db, uuid, 9)) == ["message 10, or the one before it, is not as it was written"]


def test_another_log_s_messages_do_not_fit(log: tuple[sqlite3.Connection, str]) -> None:
    db, uuid = log
    assert len(list(chain.findings(db, uuid[::-1]))) == 20


def test_every_text_of_a_run_is_looked_at(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1)._replace(texts=["one", "two", "three"]), draft(4)], [])
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as db:
        assert list(chain.findings(db, log.uuid)) == []
        db.execute("UPDATE runs SET texts = replace(texts, 'two', '2') WHERE last = 3")
        assert list(chain.findings(db, log.uuid)) == ["the text of message 2 is not as it was written"]
        db.execute("UPDATE runs SET texts = replace(texts, char(30), '') WHERE last = 3")
        assert list(chain.findings(db, log.uuid)) == ["there are not as many messages up to 3 as there should be"]


def test_one_bit_that_makes_a_text_of_a_full_run_two_is_found(tmp_path: Path) -> None:
    """`>` is one bit away from the separator."""
    with opened(tmp_path) as log:
        log.append([draft(1)._replace(texts=["->"] * RUN_MESSAGES)], [])
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as db:
        db.execute("UPDATE runs SET texts = '-' || char(30) || substr(texts, 3)")
        assert list(chain.findings(db, log.uuid)) == ["there are not as many messages up to 64 as there should be"]


def test_each_damaged_place_is_told_once(log: tuple[sqlite3.Connection, str]) -> None:
    db, uuid = log
    db.execute("UPDATE runs SET texts = 'other' WHERE last = 3")
    db.execute("UPDATE runs SET person = 99 WHERE last = 7")
    db.execute("DELETE FROM runs WHERE last = 12")
    assert list(chain.findings(db, uuid)) == [
        "the text of message 3 is not as it was written",
        "message 7 has no sender, no conversation, or a value of the wrong kind",
        "message 13, or the one before it, is not as it was written",
    ]
