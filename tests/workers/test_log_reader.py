"""Reading the log for clients: pages and catching up against a plain list, and a file that comes, goes and changes."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.storage.check import check
from broker.storage.sqlite import SqliteLog
from common.log import Entry, LogUnreadable, direct
from common.log_file import FILE_NAME
from tests.support.logs import (
    append_in_batches,
    appended,
    contents,
    copy,
    draft,
    few_descriptors,
    killed_log,
    mixed_drafts,
    open_log,
    opened,
    runs_drafts,
    usual_uuid,
)
from tests.support.memory_log import MemoryLog
from workers import log_reader
from workers.log_reader import LogReader

MESSAGES = 400
IDENTITIES = [f"id{n}" for n in range(9)]
ROOMS = [f"#room{n}" for n in range(4)]
IDS = st.integers(0, MESSAGES + 2)


def reader_of(directory: Path) -> LogReader:
    """A reader of the usual log in the directory. It need not be there yet."""
    reader = LogReader(directory)
    with contextlib.suppress(LogUnreadable):
        reader.expect(usual_uuid(), 0)
    return reader


class Read:
    """A log in a file, a reader of it, and the same log as a list."""

    def __init__(self, directory: Path) -> None:
        self.log = open_log(directory)
        self.reader = reader_of(directory)
        self.model = MemoryLog()

    def append(self, count: int) -> None:
        drafts = mixed_drafts(count, self.log.last + 1)
        assert self.log.append(drafts, []) == self.model.append(drafts, [])

    def append_runs(self, lengths: Sequence[int]) -> None:
        drafts = runs_drafts(lengths, self.log.last + 1)
        assert self.log.append(drafts, []) == self.model.append(drafts, [])

    def close(self) -> None:
        self.reader.close()
        self.log.close()


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    read = Read(tmp_path_factory.mktemp("read"))
    for _ in range(MESSAGES // 40):
        read.append(20)
        read.append_runs([1, 2, 3, 10, 4])
    yield read
    read.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[LogReader]:
    reader = reader_of(tmp_path)
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
    assert found[:2] == read.model.following(after, until, rooms, identity, limit, chars)[:2]


@given(
    after=IDS,
    until=IDS,
    rooms=st.dictionaries(st.sampled_from([*ROOMS, "#nowhere"]), IDS),
    identity=st.sampled_from([*IDENTITIES, "nobody"]),
    limit=st.integers(1, 200),
    chars=st.integers(1, 4_000),
    looks_through=st.integers(1, MESSAGES),
)
def test_for_whoever_has_many_conversations_part_of_the_log_is_looked_through(
    read: Read, after: int, until: int, rooms: dict[str, int], identity: str, limit: int, chars: int, looks_through: int
) -> None:
    with mock.patch.multiple(log_reader, _HEADS_AT_ONCE=-1, _AMONG_AT_ONCE=looks_through):
        found = read.reader.following(after, until, rooms, identity, limit, chars)
    with mock.patch.object(read.model, "looks_through", looks_through):
        assert found[:2] == read.model.following(after, until, rooms, identity, limit, chars)[:2]


@pytest.mark.parametrize("heads_at_once", [1_000, 4, 3])
@pytest.mark.parametrize("limit", [1, 7, 200])
def test_following_step_by_step_misses_and_repeats_nothing(read: Read, heads_at_once: int, limit: int) -> None:
    """`id3` has two direct conversations beside the rooms."""
    rooms = {"#room1": 0, "#room2": 50, "#room3": 390}
    seen: list[Entry] = []
    cursor = 0
    with mock.patch.multiple(log_reader, _HEADS_AT_ONCE=heads_at_once, _AMONG_AT_ONCE=13):
        while cursor < MESSAGES:
            entries, cursor, _ = read.reader.following(cursor, MESSAGES, rooms, "id3", limit)
            seen += entries
        assert seen == read.model.following(0, MESSAGES, rooms, "id3", MESSAGES).entries
        assert {entry.conv for entry in seen} == {*rooms, direct("id2", "id3"), direct("id3", "id4")}


def steps(reader: LogReader, after: int, until: int, rooms: int = 1) -> int:
    """What one call takes in the database's own instructions."""
    count = 0

    def note() -> None:
        nonlocal count
        count += 1

    assert reader._db is not None
    reader._db.set_progress_handler(note, 1)
    reader.following(after, until, {f"#room{number}": 0 for number in range(rooms)}, "ada", 200, 1)
    reader._db.set_progress_handler(None, 1)
    return count


def test_what_a_call_takes_is_bounded_however_many_conversations_one_has(tmp_path: Path) -> None:
    """Twice as many, or as many messages as well, make no difference."""
    taken = []
    for conversations in (2_000, 4_000):
        directory = tmp_path / f"{conversations}"
        with opened(directory) as log, contextlib.closing(reader_of(directory)) as reader:
            log.append([draft(n, direct("ada", f"somebody {n}"), f"somebody {n}") for n in range(conversations)], [])
            log.append([draft(n, "#elsewhere", "eve") for n in range(conversations)], [])
            with mock.patch.object(log_reader, "_AMONG_AT_ONCE", 1_000):
                taken.append([steps(reader, after, log.last) for after in (0, conversations, log.last)])
                assert steps(reader, conversations, log.last, rooms=100) - taken[-1][1] < 100 * 100, "some for each room"
                cost = reader.following(conversations, log.last, {"#lobby": 0}, "ada", 200, 1).cost
                assert cost == 1_000 // log_reader._AMONG_PER_MESSAGE
    for few, many in zip(*taken, strict=True):
        assert many <= few * 1.1


def test_looking_into_conversations_costs_something(tmp_path: Path, reader: LogReader) -> None:
    with opened(tmp_path) as log:
        log.append([draft(n, direct("ada", f"somebody {n}"), f"somebody {n}") for n in range(100)], [])
        assert reader.following(100, 100, {"#lobby": 0}, "nobody", 200).cost == 0
        assert reader.following(100, 100, {}, "ada", 200) == ([], 100, 100 // log_reader._HEADS_PER_MESSAGE)


def test_talking_to_oneself_is_one_conversation(tmp_path: Path, reader: LogReader) -> None:
    with opened(tmp_path) as log:
        entries = appended(log, [draft(1, direct("ada", "ada"))])
        assert reader.following(0, 1, {}, "ada", 10).entries == entries


def test_odd_rooms_and_texts_come_back_as_they_were(tmp_path: Path, reader: LogReader) -> None:
    conv = "#\"quoted\\\" 'ü' {} \U0001f600"
    with opened(tmp_path) as log:
        entries = appended(log, [draft(1, conv, text="\0 tab\t line\n \U0001f600 ' \" \\")])
        assert reader.page(conv, None, 10, 1) == (entries, False)
        assert reader.following(0, 1, {conv: 0}, "bob", 10).entries == entries


def test_only_new_messages_are_read_while_the_log_grows(tmp_path: Path) -> None:
    read = Read(tmp_path)
    chance = random.Random(1)
    cursor = 0
    for _ in range(30):
        read.append(chance.randrange(1, 30))
        if chance.random() < 0.3:
            read.log.checkpoint(wait=chance.random() < 0.5)
        for entry in read.reader.following(cursor, read.log.last, dict.fromkeys(ROOMS, 0), "id1", 25).entries:
            assert [entry] == read.model.following(cursor, entry.id, dict.fromkeys(ROOMS, 0), "id1", 1).entries
            cursor = entry.id
    assert cursor > 100
    read.close()


# --- the file ----------------------------------------------------------------------------------------------------------


def test_the_file_need_not_be_there_yet(tmp_path: Path, reader: LogReader) -> None:
    with pytest.raises(LogUnreadable, match=rf"^the log {tmp_path / FILE_NAME} cannot be read: No such file or directory$"):
        reader.page("#lobby", None, 10, 0)
    assert contents(tmp_path) == {}
    with opened(tmp_path) as log:
        entries = appended(log, [draft(1)])
        assert reader.page("#lobby", None, 10, 1) == (entries, False)


READS: dict[str, Callable[[LogReader, int], object]] = {
    "page": lambda reader, until: reader.page("#room1", None, 10, until),
    "following": lambda reader, until: reader.following(0, until, {"#room1": 0}, "id1", 10),
    "following far": lambda reader, until: reader.following(until // 2, until, dict.fromkeys(ROOMS, 0), "id1", 200),
    "nothing": lambda reader, until: reader.following(until, until, {}, "nobody", 200),
}


@pytest.mark.parametrize("call", READS.values(), ids=READS)
def test_a_reader_leaves_no_transaction_open(tmp_path: Path, reader: LogReader, call: Callable[[LogReader, int], object]) -> None:
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(MESSAGES))
        call(reader, MESSAGES)
        append_in_batches(log, mixed_drafts(5, MESSAGES + 1))
        call(reader, MESSAGES + 5)
        assert log.checkpoint(wait=True) == 0, "a reader would be waited for in vain"


def test_a_reader_writes_nothing(tmp_path: Path) -> None:
    directory = killed_log(tmp_path / "data", 40, 20).parent
    before = contents(directory, [f"{FILE_NAME}-shm"])
    reader = reader_of(directory)
    assert [entry.id for entry in reader.page("#room1", None, 3, 60)[0]] == [49, 53, 57]
    reader.close()
    assert contents(directory, [f"{FILE_NAME}-shm"]) == before


def test_a_reader_outlives_the_writer(tmp_path: Path) -> None:
    directory = killed_log(tmp_path / "data", 40, 20).parent
    reader = reader_of(directory)
    rooms = dict.fromkeys(ROOMS, 0)
    assert [entry.id for entry in reader.following(57, 60, rooms, "nobody", 10).entries] == [58, 59]
    with opened(directory) as log:
        append_in_batches(log, mixed_drafts(5, 61))
        assert [entry.id for entry in reader.following(57, 65, rooms, "nobody", 10).entries] == [58, 59, 61, 62, 63, 64]
        reader.close()


def open_files(directory: Path) -> list[str]:
    """Those of the directory that this process has open."""
    names = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            names.append(os.readlink(f"/proc/self/fd/{fd}"))
    return sorted(name.removeprefix(f"{directory}/") for name in names if name.startswith(f"{directory}/"))


def test_what_is_expected_is_open_from_then_on(tmp_path: Path) -> None:
    killed_log(tmp_path, 40, 20)
    before = open_files(tmp_path)
    reader = LogReader(tmp_path)
    assert open_files(tmp_path) == before == []
    reader.expect(usual_uuid(), 60)
    files = open_files(tmp_path)
    assert files == [FILE_NAME, f"{FILE_NAME}-shm", f"{FILE_NAME}-wal"]
    for call in READS.values():
        call(reader, 60)
        assert open_files(tmp_path) == files
    reader.close()
    assert open_files(tmp_path) == []


# --- which log it is ---------------------------------------------------------------------------------------------------


def replace(directory: Path, by: Path) -> None:
    """Another directory has the name of the first now, as after `mv`."""
    directory.rename(directory.with_name("old"))
    by.rename(directory)


def test_a_copy_of_the_log_with_all_its_messages_is_as_good(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with opened(directory) as log:
        append_in_batches(log, mixed_drafts(20))
        reader = reader_of(directory)
        page = reader.page("#room1", None, 100, 20)
        copy(directory, tmp_path / "copy")
    directory.rename(tmp_path / "away")
    with pytest.raises(LogUnreadable, match="No such file"):
        reader.page("#room1", None, 100, 20)
    (tmp_path / "copy").rename(directory)
    assert reader.page("#room1", None, 100, 20) == page
    reader.close()


def test_an_older_copy_of_the_log_is_not_read(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with opened(directory) as log:
        append_in_batches(log, mixed_drafts(20))
        copy(directory, tmp_path / "copy")
        append_in_batches(log, mixed_drafts(10, 21))
        reader = reader_of(directory)
        reader.expect(usual_uuid(), 30)
        replace(directory, tmp_path / "copy")
        for call in READS.values():
            with pytest.raises(LogUnreadable, match=r": its last message is 20 and not 30, put back a newer copy or "):
                call(reader, 30)
        reader.close()


def test_another_log_is_not_read(tmp_path: Path) -> None:
    directory, other = tmp_path / "data", tmp_path / "other"
    other.mkdir()
    with opened(directory) as log, contextlib.closing(SqliteLog.open(other)) as another:
        append_in_batches(log, mixed_drafts(20))
        another.append(mixed_drafts(30), [])
        reader = reader_of(directory)
        assert len(reader.page("#room1", None, 100, 20)[0]) == 4
        replace(directory, other)
        for call in READS.values():
            with pytest.raises(LogUnreadable, match=r": another log is in its place, put back the server's own or "):
                call(reader, 20)
        reader.expect(another.uuid, 30)  # a new broker was started on it
        assert len(reader.page("#room1", None, 100, 30)[0]) == 6
        reader.close()


def test_what_is_no_log_is_not_read(tmp_path: Path, reader: LogReader) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        db.execute("CREATE TABLE meta (key, value)")
        db.execute("CREATE TABLE runs (last)")
    with pytest.raises(LogUnreadable, match="another log is in its place"):
        reader.page("#room1", None, 10, 0)


@pytest.mark.parametrize(
    "damage", ["count = 0", "count = 2", "count = 65", "count = 1 << 62", "count = -1 << 63", "ref = -1, count = 2", "last = 0"]
)
def test_a_damaged_run_is_passed_over_and_told_once(
    tmp_path: Path, reader: LogReader, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """One that is damaged hides nothing of what is behind it, and nobody is without an answer for it."""
    with opened(tmp_path) as log:
        log.append([draft(n) for n in range(1, 10)], [])
        with log._transaction() as db:
            db.execute(f"UPDATE runs SET {damage} WHERE last = 3")
        for _ in range(2):
            assert [entry.id for entry in reader.page("#lobby", None, 10, 9)[0]] == [1, 2, 4, 5, 6, 7, 8, 9]
        for limit in (1, 2, 3, 10):
            seen, cursor = [], 0
            while cursor < 9:
                entries, cursor, _ = reader.following(cursor, 9, {"#lobby": 0}, "ada", limit)
                seen += [entry.id for entry in entries]
            assert seen == [1, 2, 4, 5, 6, 7, 8, 9]
    (record,) = caplog.records
    told = f"there are not as many messages up to {0 if 'last' in damage else 3} as there should be: run chat-broker check"
    assert record.getMessage() == f"the log {tmp_path / FILE_NAME} is damaged, {told}"


@pytest.mark.parametrize("column", ["texts", "sender", "recipient"])
def test_what_is_no_text_is_shown_as_well_as_may_be_and_told_once(
    tmp_path: Path, reader: LogReader, caplog: pytest.LogCaptureFixture, column: str
) -> None:
    """Somebody may have written into the file: who reads over it gets on, at the second attempt."""
    with opened(tmp_path) as log:
        log.append([draft(n) for n in range(1, 6)], [])
        with log._transaction() as db:
            db.execute(f"UPDATE runs SET {column} = CAST(x'61ff62' AS TEXT) WHERE last = 3")
        with pytest.raises(LogUnreadable):
            reader.page("#lobby", None, 10, 5)
        for _ in range(2):
            entries, _ = reader.page("#lobby", None, 10, 5)
            following = reader.following(0, 5, {"#lobby": 0}, "ada", 10)
            assert (following.entries, following.until) == (entries, 5)
            assert [entry.id for entry in entries] == [1, 2, 3, 4, 5]
            shown = {"texts": entries[2].text, "sender": entries[2].sender, "recipient": entries[2].to}[column]
            assert shown == "a\ufffdb"
    (record,) = caplog.records
    assert record.getMessage() == (
        f"the log {tmp_path / FILE_NAME} is damaged, the messages up to 3 hold what is no text: run chat-broker check"
    )
    assert "of message 3 is" in check(tmp_path)[0] or "message 3, or the one before it, is" in check(tmp_path)[0]


def test_what_is_no_text_at_all_does_not_become_too_long_to_be_sent(tmp_path: Path, reader: LogReader) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1), draft(2)], [])
        with log._transaction() as db:
            db.execute("UPDATE runs SET texts = CAST(? AS TEXT) WHERE last = 1", (b"well" + b"\xff" * 60_000,))
        with pytest.raises(LogUnreadable):
            reader.following(0, 2, {"#lobby": 0}, "ada", 10)
        assert [entry.text for entry in reader.page("#lobby", None, 10, 2)[0]] == ["well", "message 2"]


def test_nothing_is_read_before_it_is_known_which_log_it_is(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(LogUnreadable):
        LogReader(tmp_path).page("#room1", None, 10, 0)


def test_which_log_it_is_is_looked_at_once(tmp_path: Path, reader: LogReader) -> None:
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(20))
        reader.expect(usual_uuid(), 20)
        statements: list[str] = []
        assert reader._db is not None
        reader._db.set_trace_callback(statements.append)
        for _ in range(3):
            reader.page("#room1", None, 10, 20)
        assert not [statement for statement in statements if "uuid" in statement]
        assert len(statements) == 9, statements


# --- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", range(4))
def test_without_descriptors_it_says_so(tmp_path: Path, left: int) -> None:
    """The first file, the next or the third cannot be opened; and with all three, all is well."""
    killed_log(tmp_path, 40, 20)
    reader = LogReader(tmp_path)
    with few_descriptors(left):
        if left < 3:
            with pytest.raises(LogUnreadable, match=r"cannot be read: Too many open files$"):
                reader.expect(usual_uuid(), 60)
            return
        reader.expect(usual_uuid(), 60)
        for call in READS.values():
            call(reader, 60)
    reader.close()


def test_what_cannot_be_read_is_told_in_one_line_and_read_again_later(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with opened(directory) as log:
        append_in_batches(log, mixed_drafts(20))
    damaged = copy(directory, tmp_path / "damaged")
    whole = (damaged / FILE_NAME).read_bytes()
    (damaged / FILE_NAME).write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    reader = reader_of(damaged)
    for call in READS.values():
        with pytest.raises(LogUnreadable) as told:
            call(reader, 20)
        assert str(told.value).isprintable()
    (damaged / "whole").write_bytes(whole)
    (damaged / "whole").rename(damaged / FILE_NAME)
    assert len(reader.page("#room1", None, 100, 20)[0]) == 4
    reader.close()


def test_a_reader_cannot_write(tmp_path: Path, reader: LogReader) -> None:
    with opened(tmp_path), reader._transaction(0) as db, pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM runs")


def test_reading_goes_on_while_somebody_writes(tmp_path: Path, reader: LogReader) -> None:
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(20))
        with log._transaction() as db:
            db.execute("DELETE FROM runs")
            assert len(reader.page("#room1", None, 100, 20)[0]) == 4
            db.execute("ROLLBACK")
            db.execute("BEGIN")
