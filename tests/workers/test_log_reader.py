"""Reading the log for clients: pages and catching up against a plain list, and a file that comes, goes and changes."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.log import Entry, LogUnreadable, direct
from common.log_file import FILE_NAME
from tests.support.logs import append_in_batches, contents, copy, draft, killed_log, mixed_drafts, open_log, opened
from tests.support.memory_log import MemoryLog
from workers.log_reader import LogReader

MESSAGES = 400
IDENTITIES = [f"id{n}" for n in range(9)]
ROOMS = [f"#room{n}" for n in range(4)]
IDS = st.integers(0, MESSAGES + 2)


class Read:
    """A log in a file, a reader of it, and the same log as a list."""

    def __init__(self, directory: Path) -> None:
        self.log = open_log(directory)
        self.reader = LogReader(directory)
        self.model = MemoryLog()

    def append(self, count: int) -> None:
        drafts = mixed_drafts(count, self.log.last + 1)
        assert self.log.append(drafts, []) == self.model.append(drafts, [])

    def close(self) -> None:
        self.reader.close()
        self.log.close()


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    read = Read(tmp_path_factory.mktemp("read"))
    for _ in range(MESSAGES // 20):
        read.append(20)
    yield read
    read.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[LogReader]:
    reader = LogReader(tmp_path)
    yield reader
    reader.close()


# --- against a list ----------------------------------------------------------------------------------------------------


@given(
    conv=st.sampled_from([*ROOMS, direct("id0", "id1"), direct("id8", "id0"), direct("id0", "id5"), "#nowhere", "~"]),
    before=st.none() | IDS,
    limit=st.integers(1, 200),
    until=IDS,
)
def test_a_page_is_what_a_list_gives(read: Read, conv: str, before: int | None, limit: int, until: int) -> None:
    assert read.reader.page(conv, before, limit, until) == read.model.page(conv, before, limit, until)


@given(
    after=IDS,
    until=IDS,
    rooms=st.dictionaries(st.sampled_from([*ROOMS, "#nowhere", '#"odd" ü\U0001f600']), IDS),
    identity=st.sampled_from([*IDENTITIES, "nobody"]),
    limit=st.integers(1, 200),
    chars=st.integers(1, 4_000),
)
def test_what_follows_is_what_a_list_gives(
    read: Read, after: int, until: int, rooms: dict[str, int], identity: str, limit: int, chars: int
) -> None:
    found = read.reader.following(after, until, rooms, identity, limit, chars)
    assert found == read.model.following(after, until, rooms, identity, limit, chars)


def test_following_step_by_step_misses_and_repeats_nothing(read: Read) -> None:
    rooms = {"#room1": 0, "#room2": 50, "#room3": 390}
    for limit in (1, 7, 200):
        seen: list[Entry] = []
        while step := read.reader.following(seen[-1].id if seen else 0, MESSAGES, rooms, "id3", limit):
            seen += step
        assert seen == read.model.following(0, MESSAGES, rooms, "id3", MESSAGES)
        assert {entry.conv for entry in seen} == {*rooms, direct("id2", "id3"), direct("id3", "id4")}


def test_talking_to_oneself_is_one_conversation(tmp_path: Path, reader: LogReader) -> None:
    with opened(tmp_path) as log:
        entries = log.append([draft(1, direct("ada", "ada"))], [])
        assert reader.following(0, 10, {}, "ada", 10) == entries


def test_odd_rooms_and_texts_come_back_as_they_were(tmp_path: Path, reader: LogReader) -> None:
    conv = "#\"quoted\\\" 'ü' {} \U0001f600"
    with opened(tmp_path) as log:
        entries = log.append([draft(1, conv, text="\0 tab\t line\n \U0001f600 ' \" \\")], [])
        assert reader.page(conv, None, 10, 10) == (entries, False)
        assert reader.following(0, 10, {conv: 0}, "bob", 10) == entries


def test_only_new_messages_are_read_while_the_log_grows(tmp_path: Path) -> None:
    read = Read(tmp_path)
    chance = random.Random(1)
    cursor = 0
    for _ in range(30):
        read.append(chance.randrange(1, 30))
        if chance.random() < 0.3:
            read.log.checkpoint(wait=chance.random() < 0.5)
        for entry in read.reader.following(cursor, read.log.last, dict.fromkeys(ROOMS, 0), "id1", 25):
            assert entry == read.model.following(cursor, entry.id, dict.fromkeys(ROOMS, 0), "id1", 1)[0]
            cursor = entry.id
    assert cursor > 100
    read.close()


# --- the file ----------------------------------------------------------------------------------------------------------


def test_the_file_need_not_be_there_yet(tmp_path: Path, reader: LogReader) -> None:
    with pytest.raises(LogUnreadable, match=rf"^the log {tmp_path / FILE_NAME} cannot be read: "):
        reader.page("#lobby", None, 10, 10)
    assert contents(tmp_path) == {}
    with opened(tmp_path) as log:
        entries = log.append([draft(1)], [])
        assert reader.page("#lobby", None, 10, 10) == (entries, False)


READS: dict[str, Callable[[LogReader], object]] = {
    "page": lambda reader: reader.page("#room1", None, 10, 1000),
    "following": lambda reader: reader.following(0, 1000, {"#room1": 0}, "id1", 10),
    "following far": lambda reader: reader.following(300, 1000, dict.fromkeys(ROOMS, 0), "id1", 200),
    "nothing": lambda reader: reader.following(1000, 1000, {}, "nobody", 200),
}


@pytest.mark.parametrize("call", READS.values(), ids=READS)
def test_a_reader_leaves_nothing_open(tmp_path: Path, reader: LogReader, call: Callable[[LogReader], object]) -> None:
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(MESSAGES))
        call(reader)
        append_in_batches(log, mixed_drafts(5, MESSAGES + 1))
        call(reader)
        assert log.checkpoint(wait=True) == 0, "an open reader would be waited for in vain"


def test_a_reader_writes_nothing(tmp_path: Path) -> None:
    directory = killed_log(tmp_path / "data", 40, 20).parent
    before = contents(directory, [f"{FILE_NAME}-shm"])
    reader = LogReader(directory)
    assert [entry.id for entry in reader.page("#room1", None, 3, 1000)[0]] == [49, 53, 57]
    reader.close()
    assert contents(directory, [f"{FILE_NAME}-shm"]) == before


def test_a_reader_outlives_the_writer(tmp_path: Path) -> None:
    directory = killed_log(tmp_path / "data", 40, 20).parent
    reader = LogReader(directory)
    rooms = dict.fromkeys(ROOMS, 0)
    assert [entry.id for entry in reader.following(57, 1000, rooms, "nobody", 10)] == [58, 59]
    with opened(directory) as log:
        append_in_batches(log, mixed_drafts(5, 61))
        assert [entry.id for entry in reader.following(57, 1000, rooms, "nobody", 10)] == [58, 59, 61, 62, 63, 64]
        reader.close()


def test_a_reader_sees_the_log_that_has_the_name_now(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with opened(directory) as log:
        append_in_batches(log, mixed_drafts(20))
        reader = LogReader(directory)
        assert len(reader.page("#room1", None, 100, 1000)[0]) == 4
    directory.rename(tmp_path / "old")
    with pytest.raises(LogUnreadable):
        reader.page("#room1", None, 100, 1000)
    with opened(directory) as log:
        assert reader.page("#room1", None, 100, 1000) == ([], False)
        append_in_batches(log, mixed_drafts(10))
        assert len(reader.page("#room1", None, 100, 1000)[0]) == 2
        reader.close()


def test_what_cannot_be_read_is_told_in_one_line_and_read_again_later(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with opened(directory) as log:
        append_in_batches(log, mixed_drafts(20))
    damaged = copy(directory, tmp_path / "damaged")
    whole = (damaged / FILE_NAME).read_bytes()
    (damaged / FILE_NAME).write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    reader = LogReader(damaged)
    for call in READS.values():
        with pytest.raises(LogUnreadable) as told:
            call(reader)
        assert str(told.value).isprintable()
    (damaged / "whole").write_bytes(whole)
    (damaged / "whole").rename(damaged / FILE_NAME)
    assert len(reader.page("#room1", None, 100, 1000)[0]) == 4
    reader.close()


def test_a_reader_cannot_write(tmp_path: Path, reader: LogReader) -> None:
    with opened(tmp_path), reader._transaction() as db, pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM messages")


def test_reading_goes_on_while_somebody_writes(tmp_path: Path, reader: LogReader) -> None:
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(20))
        with log._transaction() as db:
            db.execute("DELETE FROM messages")
            assert len(reader.page("#room1", None, 100, 1000)[0]) == 4
            db.execute("ROLLBACK")
            db.execute("BEGIN")
