"""Checking a whole log: nothing is wrong with a good one, and whatever is changed in one is found; nothing is touched."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from broker.log import StorageRefused
from broker.storage.check import check
from common.log import direct
from common.log_file import DATABASE_ERRORS, FILE_NAME
from tests.support.groups import rounds
from tests.support.logs import append_in_batches, closed_log, contents, copy, draft, killed_log, mixed_drafts, opened
from tests.support.strangers import said_as_a_stranger

SEAL = f"{FILE_NAME}.seal"
WAL = f"{FILE_NAME}-wal"


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return closed_log(tmp_path_factory.mktemp("at_rest") / "data", 300).parent


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return killed_log(tmp_path_factory.mktemp("killed") / "data", 40, 200).parent


def checked(directory: Path) -> list[str]:
    """The findings, each one line; the directory has not changed."""
    before = contents(directory)
    findings = check(directory)
    assert contents(directory) == before
    assert all(finding.isprintable() for finding in findings)
    assert len(findings) <= 100
    return findings


def readable(path: Path) -> object:
    """All that anybody could read in the file, without its write-ahead log."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        try:
            tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            return [db.execute(f"SELECT * FROM {table}").fetchall() for (table,) in tables]
        except DATABASE_ERRORS as problem:
            return str(problem)


# --- good ones ---------------------------------------------------------------------------------------------------------


def test_nothing_is_wrong_with_a_log_at_rest(at_rest: Path) -> None:
    assert checked(at_rest) == []


def test_nothing_is_wrong_with_a_killed_server_s_log(killed: Path) -> None:
    assert (killed / WAL).stat().st_size > 0
    assert checked(killed) == []


def test_nothing_is_wrong_with_an_empty_log(tmp_path: Path) -> None:
    assert checked(closed_log(tmp_path / "data", 0).parent) == []


def test_nothing_is_wrong_with_a_copy_of_the_file_alone(at_rest: Path, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes((at_rest / FILE_NAME).read_bytes())
    assert checked(tmp_path) == []


def test_a_log_that_is_in_use_is_not_checked(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(StorageRefused) as refused:
        check(tmp_path)
    advice = f"stop that one first, or check a backup; chat-broker status {tmp_path} tells how it is"
    assert str(refused.value) == f"a server uses the log in {tmp_path}: {advice}"


def test_where_no_log_is_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(StorageRefused, match=r"^there is no log in .*: name the server's --data-dir$"):
        check(tmp_path)


def test_a_directory_that_may_not_be_looked_at(tmp_path: Path) -> None:
    directory = closed_log(tmp_path / "data", 1).parent

    def refusal() -> str:
        with pytest.raises(StorageRefused) as refused:
            check(directory)
        return str(refused.value)

    directory.chmod(0)
    told = said_as_a_stranger(refusal)
    directory.chmod(0o700)
    assert told == f"the log in {directory} cannot be read (Permission denied): check it as the server's user"


# --- chance ------------------------------------------------------------------------------------------------------------


def test_any_flipped_bit_and_any_cut_of_a_sealed_log_is_found(at_rest: Path, tmp_path: Path) -> None:
    directory = copy(at_rest, tmp_path / "data")
    data = (directory / FILE_NAME).read_bytes()
    chance = random.Random(11)
    for number in range(rounds(60, 5000)):
        at = chance.randrange(len(data))
        flipped = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        (directory / FILE_NAME).write_bytes(flipped if number % 4 else data[:at])
        assert checked(directory), f"bit flip or cut number {number} at {at}"


def test_without_a_seal_whatever_can_be_read_otherwise_is_found(at_rest: Path, tmp_path: Path) -> None:
    data = (at_rest / FILE_NAME).read_bytes()
    before = readable(at_rest / FILE_NAME)
    path = tmp_path / FILE_NAME
    chance = random.Random(12)
    changed = 0
    for number in range(rounds(80, 5000)):
        at = chance.randrange(len(data))
        flipped = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        path.write_bytes(flipped if number % 4 else data[:at])
        if readable(path) != before:
            changed += 1
            assert checked(tmp_path), f"bit flip or cut number {number} at {at}"
    assert changed > 20


def test_damage_of_a_write_ahead_log_is_found_unless_it_looks_like_a_crash(killed: Path, tmp_path: Path) -> None:
    directory = copy(killed, tmp_path / "data")
    data = (directory / WAL).read_bytes()
    last_transactions = 12 * 4120
    chance = random.Random(13)
    for number in range(rounds(20, 500)):
        at = number if number < 8 else chance.randrange(len(data) - last_transactions)
        (directory / WAL).write_bytes(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
        assert checked(directory), f"bit flip number {number} at {at}"


# --- what somebody does to a log with SQL -------------------------------------------------------------------------------

CHANGED = {
    "a text": ("UPDATE runs SET texts = 'I never said that' WHERE last = 7", "the text of message 7 "),
    "a text and its checksum": ("UPDATE runs SET texts = '', text_crcs = zeroblob(4) WHERE last = 7", "message 7, or the one"),
    "how many": ("UPDATE runs SET count = 2 WHERE last = 7", "not as many messages up to 7"),
    "more than a run has": (
        "UPDATE runs SET count = 65, texts = hex(zeroblob(32)) || texts WHERE last = 7",
        "not as many messages",
    ),
    "none": ("UPDATE runs SET count = 0 WHERE last = 7", "not as many messages up to 7"),
    "fewer than none": ("UPDATE runs SET count = -1 << 63, last = 9223372036854775807 WHERE last = 300", "not as many messages"),
    "checksums of no text": ("UPDATE runs SET text_crcs = CAST(text_crcs || x'00' AS BLOB) WHERE last = 7", "message 7, or"),
    "no checksums": ("UPDATE runs SET text_crcs = x'' WHERE last = 7", "the text of message 7"),
    "as many texts": ("UPDATE runs SET count = 2, texts = texts || char(30) WHERE last = 7", "message 7, or the one"),
    "a time": ("UPDATE runs SET time_ms = time_ms + 1 WHERE last = 7", "message 7, or"),
    "a sender": ("UPDATE runs SET sender = 'eve' WHERE last = 7", "message 7, or"),
    "a conversation": ("UPDATE runs SET conversation = 2 WHERE last = 7", "message 7, or"),
    "a ref": ("UPDATE runs SET ref = ref + 1 WHERE last = 7", "message 7, or"),
    "a message that becomes a topic": ("UPDATE runs SET topic = 1 WHERE last = 7", "message 7, or"),
    "a topic that becomes a message": ("UPDATE runs SET topic = 0 WHERE last = 11", "message 11, or"),
    "a topic that is more than one": ("UPDATE runs SET topic = 2 WHERE last = 11", "message 11 has"),
    "an id": ("UPDATE runs SET last = 1000 WHERE last = 300", "message 1000, or"),
    "a missing message": ("DELETE FROM runs WHERE last = 7", "message 8, or"),
    "the newest missing": ("DELETE FROM runs WHERE last > 290", "there are 290 messages, and should be 300"),
    "an identity": ("UPDATE people SET identity = 'eve' WHERE person = 2", "person 2 is not as"),
    "a name": ("UPDATE people SET name = 'eve' WHERE person = 2", "person 2 is not as"),
    "a time of keeping": ("UPDATE people SET kept_until_ms = 9 WHERE person = 2", "person 2 is not as"),
    "a name that is no text": ("UPDATE people SET name = CAST(x'61ff62' AS TEXT) WHERE person = 2", "person 2 is not as"),
    "a text that is none": ("UPDATE runs SET texts = CAST(x'61ff' AS TEXT) WHERE last = 7", "the text of message 7 is not as"),
    "a sender that is no text": ("UPDATE runs SET sender = CAST(x'61ff62' AS TEXT) WHERE last = 7", "message 7, or"),
    "a room's name that is no text": (
        "UPDATE conversations SET conv = CAST(x'61ff' AS TEXT) WHERE number = 1",
        "message 1, or",
    ),
    "a missing person": ("DELETE FROM people WHERE person = 2", "message 1 has no sender"),
    "a room's name": ("UPDATE conversations SET conv = '#x' WHERE number = 1", "message 1, or"),
    "the parties": ("UPDATE conversations SET one = 1, other = 1 WHERE one > 0", "has not the people that its name says"),
    "parties of a room": ("UPDATE conversations SET one = 1 WHERE number = 1", "conversation 1 has not the people"),
    "the count": ("UPDATE meta SET value = 7 WHERE key = 'messages'", "there are 300 messages, and should be 7"),
    "a row more": ("INSERT INTO meta VALUES ('more', 1)", "the table meta has not the rows"),
    "the key": ("UPDATE meta SET value = zeroblob(32) WHERE key = 'key'", "is damaged"),
}


@pytest.mark.parametrize(("statement", "said"), CHANGED.values(), ids=CHANGED)
def test_what_was_changed_in_good_form_is_found(at_rest: Path, tmp_path: Path, statement: str, said: str) -> None:
    (tmp_path / FILE_NAME).write_bytes((at_rest / FILE_NAME).read_bytes())
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as db:
        db.execute(statement)
    findings = checked(tmp_path)
    assert any(said in finding for finding in findings), findings


def test_the_parties_of_every_direct_conversation_are_compared(at_rest: Path, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes((at_rest / FILE_NAME).read_bytes())
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE conversations SET other = one WHERE conv = ?", (direct("id4", "id5"),))
    assert len(checked(tmp_path)) == 1


def test_a_key_that_stands_in_two_runs_is_found(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1)._replace(texts=["one", "two", "three"]), draft(4), draft(3, identity="bob")], [])
    assert checked(tmp_path) == []
    with opened(tmp_path) as log:
        log.append([draft(2)], [])  # it begins in the middle of another, and is told by no index
    assert checked(tmp_path) == ["the run of messages up to 6 has keys that another one has"]


def test_findings_do_not_go_on_for_ever(at_rest: Path, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes((at_rest / FILE_NAME).read_bytes())
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as db:
        db.execute("UPDATE runs SET texts = 'other'")
    assert len(checked(tmp_path)) == 100


def test_an_older_copy_of_the_file_is_told_by_the_seal(at_rest: Path, tmp_path: Path) -> None:
    directory = copy(at_rest, tmp_path / "data")
    older = (directory / FILE_NAME).read_bytes()
    with opened(directory) as log:
        append_in_batches(log, mixed_drafts(5, 301))
    assert checked(directory) == []
    (directory / FILE_NAME).write_bytes(older)
    assert checked(directory) == ["chat.db is not as the server left it when it stopped"]


def test_an_unreadable_seal_says_nothing(at_rest: Path, tmp_path: Path) -> None:
    directory = copy(at_rest, tmp_path / "data")
    (directory / SEAL).write_bytes(b"\0" * 20)
    assert checked(directory) == []
