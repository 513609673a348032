"""What is refused at opening, in words, and that it stays as it was; what is not refused; how a new log comes to be."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import struct
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from broker.log import StorageRefused
from broker.storage.check import check
from broker.storage.opening import create
from broker.storage.sqlite import SqliteLog
from common.log_file import APPLICATION_ID, FILE_NAME, PAGE_BYTES
from tests.support.groups import rounds
from tests.support.logs import append_in_batches, closed_log, contents, copy, killed_log, mixed_drafts, opened

WAL = f"{FILE_NAME}-wal"
MESSAGES = 60


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return closed_log(tmp_path_factory.mktemp("at_rest") / "data", MESSAGES).parent


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return killed_log(tmp_path_factory.mktemp("killed") / "data", 40, 20).parent


def refusal(directory: Path) -> str:
    """The one line with which the log is refused; nothing in the directory has changed."""
    before = contents(directory)
    with pytest.raises(StorageRefused) as refused:
        SqliteLog.open(directory).close()
    assert contents(directory) == before
    text = str(refused.value)
    assert text.isprintable()
    assert str(directory) in text
    assert ": " in text, "what to do comes behind a colon"
    return text


def in_header(data: bytes, at: int, *numbers: int) -> bytes:
    """The file with other 32-bit numbers in its header."""
    return data[:at] + struct.pack(f">{len(numbers)}I", *numbers) + data[at + 4 * len(numbers) :]


# --- a file that is no log ---------------------------------------------------------------------------------------------

UNUSABLE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "is empty"),
    "shorter than a header": (lambda data: data[:60], "is not a database"),
    "random": (lambda data: random.Random(1).randbytes(20_000), "is not a database"),
    "text": (lambda data: b"hello\n" * 100, "is not a database"),
    "newer": (lambda data: in_header(data, 60, 3), r"newer chat-broker \(format 3, this one knows 2\): start that"),
    "older": (lambda data: in_header(data, 60, 1), r"early chat-broker \(format 1, this one knows 2\): start that"),
    "older than the first": (lambda data: in_header(data, 60, 0), "is damaged"),
    "another program's": (lambda data: in_header(data, 68, APPLICATION_ID + 1), "another program"),
    "cut by a page": (lambda data: data[:-PAGE_BYTES], "is damaged"),
    "cut by a byte": (lambda data: data[:-1], "is damaged"),
    "cut to a page": (lambda data: data[:PAGE_BYTES], "is damaged"),
    "cut to a header": (lambda data: data[:100], "is damaged"),
    "without a write-ahead log": (lambda data: data[:18] + b"\1\1" + data[20:], "is damaged"),
    "zeros behind the first page": (lambda data: data[:PAGE_BYTES] + bytes(len(data) - PAGE_BYTES), "is damaged"),
}


@pytest.mark.parametrize(("change", "said"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_log_is_refused(at_rest: Path, tmp_path: Path, change: Callable[[bytes], bytes], said: str) -> None:
    (tmp_path / FILE_NAME).write_bytes(change((at_rest / FILE_NAME).read_bytes()))
    text = refusal(tmp_path)
    assert text.startswith(f"the log {tmp_path / FILE_NAME} ")
    assert re.search(said, text)


DAMAGED = {
    "a table more": ("CREATE TABLE more (x)", "its schema"),
    "an index less": ("DROP INDEX runs_by_conversation", "its schema"),
    "a trigger": ("CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM people; END", "its schema"),
    "another text": ("UPDATE runs SET texts = 'other' WHERE last = 55", "the text of message 55 "),
    "another sender": ("UPDATE runs SET sender = 'other' WHERE last = 55", "message 55, or the one before it"),
    "another person": ("UPDATE runs SET person = person + 1, ref = 99 WHERE last = 55", "message 55, or the one before it"),
    "nobody": ("UPDATE runs SET person = 99 WHERE last = 55", "message 55 has no sender"),
    "another checksum": ("UPDATE runs SET crc = 1 - crc WHERE last = 55", "message 55, or the one before it"),
    "a message less": ("DELETE FROM runs WHERE last = 55", "message 56, or the one before it"),
    "a text that is none": ("UPDATE runs SET texts = CAST(x'61ff' AS TEXT) WHERE last = 55", "the text of message 55 "),
    "a name that is no text": ("UPDATE people SET name = CAST(x'61ff' AS TEXT) WHERE person = 2", "person 2 is not as .* check"),
    "another key": ("UPDATE meta SET value = zeroblob(32) WHERE key = 'key'", "its key and identity"),
    "no uuid": ("DELETE FROM meta WHERE key = 'uuid'", "its key and identity"),
}


@pytest.mark.parametrize(("statement", "said"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_damaged_is_refused(at_rest: Path, tmp_path: Path, statement: str, said: str) -> None:
    shutil.copy(at_rest / FILE_NAME, tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as db:
        db.execute(statement)
    text = refusal(tmp_path)
    assert re.search(said, text)
    assert text.endswith("put a backup in its place, or move it away and start again to begin a new log")


def test_random_damage_is_refused_or_harmless(at_rest: Path, tmp_path: Path) -> None:
    """Nothing but `StorageRefused` comes out, whatever bits are flipped."""
    data = (at_rest / FILE_NAME).read_bytes()
    chance = random.Random(7)
    for number in range(rounds(40, 2000)):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 1, 100))):
            damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / FILE_NAME).write_bytes(damaged)
        try:
            SqliteLog.open(directory, synchronous="OFF").close()
        except StorageRefused:
            assert contents(directory) == {FILE_NAME: damaged}


# --- what lies beside the file -----------------------------------------------------------------------------------------


def test_the_write_ahead_log_of_another_log_is_refused(at_rest: Path, killed: Path, tmp_path: Path) -> None:
    SqliteLog.open(tmp_path).close()
    shutil.copy(killed / WAL, tmp_path)
    assert "has a chat.db-wal that is not its own" in refusal(tmp_path)


def test_the_write_ahead_log_of_another_database_is_refused(at_rest: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other, isolation_level=None)) as db:
        for pragma in ("page_size = 4096", "journal_mode = WAL", "wal_autocheckpoint = 0"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("CREATE TABLE other (text)")
        db.execute("INSERT INTO other VALUES (?)", ("x" * 10_000,))
        directory = copy(at_rest, tmp_path / "data")
        shutil.copy(f"{other}-wal", directory / WAL)
    assert "has a chat.db-wal that is not its own" in refusal(directory)


@pytest.mark.parametrize("page_bytes", [512, 8192])
def test_the_write_ahead_log_of_a_database_with_other_pages_is_refused(at_rest: Path, tmp_path: Path, page_bytes: int) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other, isolation_level=None)) as db:
        for pragma in (f"page_size = {page_bytes}", "journal_mode = WAL", "wal_autocheckpoint = 0"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("CREATE TABLE other (text)")
        directory = copy(at_rest, tmp_path / "data")
        shutil.copy(f"{other}-wal", directory / WAL)
    refusal(directory)


def test_a_log_that_lost_its_main_file_is_not_begun_anew(killed: Path, tmp_path: Path) -> None:
    shutil.copy(killed / WAL, tmp_path)
    assert "is gone, but chat.db-wal is still there" in refusal(tmp_path)


def test_a_journal_of_another_database_is_refused(at_rest: Path, tmp_path: Path) -> None:
    directory = copy(at_rest, tmp_path / "data")
    (directory / f"{FILE_NAME}-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")
    assert "chat.db-journal that is not its own" in refusal(directory)


def test_a_damaged_log_of_a_killed_server_stays_as_it_was(killed: Path, tmp_path: Path) -> None:
    directory = copy(killed, tmp_path / "data")
    data = bytearray((directory / FILE_NAME).read_bytes())
    data[2 * PAGE_BYTES :] = bytes(len(data) - 2 * PAGE_BYTES)
    (directory / FILE_NAME).write_bytes(data)
    assert "is damaged" in refusal(directory)


@pytest.mark.parametrize("left_over", [b"", b"\0" * 32, b"\0" * 10_000, b"hello"])
def test_a_write_ahead_log_that_sqlite_ignores_is_no_reason_to_refuse(at_rest: Path, tmp_path: Path, left_over: bytes) -> None:
    directory = copy(at_rest, tmp_path / "data")
    (directory / WAL).write_bytes(left_over)
    with opened(directory) as log:
        assert log.count == MESSAGES


# --- what a crash leaves -----------------------------------------------------------------------------------------------


def test_a_killed_server_s_log_is_opened_with_all_that_was_written(killed: Path, tmp_path: Path) -> None:
    for name in (None, f"{FILE_NAME}-shm"):
        directory = copy(killed, tmp_path / f"without {name}")
        if name:
            (directory / name).unlink()
        with opened(directory) as log:
            assert (log.count, log.last) == (60, 60)
        assert check(directory) == []


def test_a_checkpoint_that_was_cut_short_is_no_damage(killed: Path, tmp_path: Path) -> None:
    """The first pages of the file are new already, and say that it is longer than it is."""
    before = copy(killed, tmp_path / "before")
    after = copy(killed, tmp_path / "after")
    with opened(after):
        pass
    old, new = ((directory / FILE_NAME).read_bytes() for directory in (before, after))
    assert len(new) > len(old), "the file grows by what waits"
    for pages in range(len(new) // PAGE_BYTES):
        directory = copy(before, tmp_path / str(pages))
        written = pages * PAGE_BYTES
        (directory / FILE_NAME).write_bytes(new[:written] + old[written:])
        assert check(directory) == []
        with opened(directory) as log:
            assert (log.count, log.last) == (60, 60)


# --- making a new log --------------------------------------------------------------------------------------------------


def test_a_half_made_log_is_begun_again(tmp_path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        (tmp_path / f"{FILE_NAME}.new{suffix}").write_bytes(b"left over")
    SqliteLog.open(tmp_path, synchronous="OFF").close()
    assert sorted(contents(tmp_path)) == ["chat.db", "chat.db.seal"]


def test_a_kill_while_a_log_is_made_does_no_harm(tmp_path: Path) -> None:
    chance = random.Random(3)
    for number in range(rounds(10, 300)):
        directory = tmp_path / str(number)
        directory.mkdir()
        child = os.fork()
        if child == 0:
            try:
                create(directory / FILE_NAME)
            finally:
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(chance.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with opened(directory) as log:
            append_in_batches(log, mixed_drafts(3))
        assert check(directory) == []


# --- a directory that cannot be used -----------------------------------------------------------------------------------


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("missing", "file", "loop"):
        path = tmp_path / name
        with pytest.raises(StorageRefused, match=rf"^the data directory .*{name} cannot be used \(.*\): make it writable"):
            SqliteLog.open(path)


def test_a_directory_in_the_place_of_the_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StorageRefused, match="is not a file"):
        SqliteLog.open(tmp_path)


def test_a_pipe_in_the_place_of_the_log_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE_NAME)
    with pytest.raises(StorageRefused, match="is not a file"):
        SqliteLog.open(tmp_path)


def test_a_link_to_nowhere_in_the_place_of_the_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).symlink_to("nowhere")
    with pytest.raises(StorageRefused, match="is not a file"):
        SqliteLog.open(tmp_path)
