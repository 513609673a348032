"""The log in SQLite: what it promises, against a plain list; what it does when the disk does not do its part."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.core.tidying import Tidying
from broker.log import Person, StorageError, StorageFull, StorageRefused, StorageUnavailable
from broker.storage.check import check
from broker.storage.sqlite import _SELECT_TOPIC, SqliteLog
from common.log import Entry, Run, direct, is_direct, parties
from common.log_file import FILE_NAME
from common.messages import make_ref, split_ref
from common.names import fold
from tests.support.groups import rounds
from tests.support.logs import (
    TIME_MS,
    append_in_batches,
    appended,
    contents,
    draft,
    failing_writes,
    few_descriptors,
    killed_log,
    mixed_drafts,
    open_log,
    opened,
    people,
)
from tests.support.timeouts import seconds

PEOPLE = ["ada", "bob", "cy"]
INSTANCES = [0, 1, 2**31 - 1, 2**31, 2**32 - 1]
COUNTERS = [0, 1, 2, 2**32 - 1]
CONVERSATIONS = ["#lobby", "#dev", *(direct(one, other) for one in PEOPLE for other in PEOPLE if one <= other)]

drafts_made = st.builds(
    lambda conv, identity, instance, counter, texts, topic: Run(
        0, TIME_MS, conv, conv, identity.title(), identity, make_ref(instance, counter), texts, topic
    ),
    st.sampled_from(CONVERSATIONS),
    st.sampled_from(PEOPLE),
    st.sampled_from(INSTANCES),
    st.sampled_from(COUNTERS),
    st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=10), min_size=1, max_size=3),
    st.booleans(),
)
people_made = st.builds(
    lambda identity, name, until: Person(identity, name, fold(name), until),
    st.sampled_from([*PEOPLE, "never wrote"]),
    st.sampled_from(["Ada", "ADA", "bob", "Straße"]),
    st.none() | st.integers(0, 5),
)


class AgainstAList(RuleBasedStateMachine):
    """The log does what a list does, whatever fails in between, and its file is whole at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.log = open_log(self.directory)
        self.entries: list[Entry] = []
        self.people: dict[str, Person] = {}
        self.again = draft(1)
        """One of those that were appended, once there are any."""
        self.seen_id = 0

    def new(self, drafts: list[Run]) -> list[Run]:
        """Those whose keys are not used yet, each key once, and none beyond the end of its instance."""
        used = {(entry.identity, entry.ref) for entry in self.entries}
        new = []
        for one in drafts:
            keys = {(one.identity, ref) for ref in range(one.ref, one.last_ref + 1)}
            if not keys & used and split_ref(one.ref)[0] == split_ref(one.last_ref)[0]:
                new.append(one)
                used |= keys
        return new

    @rule(drafts=st.lists(drafts_made, max_size=6), updates=st.lists(people_made, max_size=3))
    def append(self, drafts: list[Run], updates: list[Person]) -> None:
        drafts = self.new(drafts)
        runs = self.log.append(drafts, updates)
        assert [run._replace(first=0) for run in runs] == drafts
        entries = [entry for run in runs for entry in run.entries()]
        ids = [self.seen_id, *(entry.id for entry in entries)]
        assert ids == sorted(set(ids)), "ids rise"
        self.seen_id = ids[-1]
        self.entries += entries
        self.again = drafts[-1] if drafts else self.again
        self.people.update({person.identity: person for person in updates})
        for entry in entries:
            name = entry.sender
            self.people.setdefault(entry.identity, Person(entry.identity, name, fold(name), None))
            for party in parties(entry.conv) if is_direct(entry.conv) else ():
                self.people.setdefault(party, Person(party, "", "", 0))

    @precondition(lambda self: self.entries)
    @rule(drafts=st.lists(drafts_made, max_size=6), updates=st.lists(people_made, max_size=3))
    def append_on_a_full_disk(self, drafts: list[Run], updates: list[Person]) -> None:
        drafts = [draft._replace(texts=["long" * 5000]) for draft in self.new(drafts)]
        if drafts:
            with full(self.log), pytest.raises(StorageFull):
                self.log.append(drafts, updates)

    @precondition(lambda self: self.entries)
    @rule(drafts=st.lists(drafts_made, min_size=1, max_size=6))
    def a_key_that_is_used_is_not_taken(self, drafts: list[Run]) -> None:
        with pytest.raises(StorageUnavailable, match="UNIQUE constraint failed"):
            self.log.append([*self.new(drafts), self.again], [])

    @rule()
    def lose_the_connection(self) -> None:
        self.log._disconnect()

    @rule(wait=st.booleans())
    def checkpoint(self, wait: bool) -> None:
        self.log.checkpoint(wait)

    @rule()
    def start_anew(self) -> None:
        self.log.close()
        self.log = open_log(self.directory)
        self.seen_id = max(self.seen_id, self.log.last)

    @invariant()
    def it_holds_what_was_appended(self) -> None:
        assert self.log.last == (self.entries[-1].id if self.entries else 0)
        assert self.log.count == len(self.entries)

    @rule(identity=st.sampled_from(PEOPLE), instance=st.sampled_from(INSTANCES), counter=st.sampled_from(COUNTERS))
    def find(self, identity: str, instance: int, counter: int) -> None:
        ref = make_ref(instance, counter)
        of_person = [entry for entry in self.entries if entry.identity == identity]
        assert self.log.find(identity, ref) == next((entry for entry in of_person if entry.ref == ref), None)
        counters = [split_ref(entry.ref)[1] for entry in of_person if split_ref(entry.ref)[0] == instance]
        assert self.log.newest_counter(identity, instance) == max(counters, default=None)

    @rule(conv=st.sampled_from([*CONVERSATIONS, "#nobody's"]))
    def topic(self, conv: str) -> None:
        topics = [entry for entry in self.entries if entry.conv == conv and entry.topic]
        assert self.log.topic(conv) == (topics[-1] if topics else None)

    @rule(now_ms=st.integers(0, 5))
    def look_up(self, now_ms: int) -> None:
        for identity in [*PEOPLE, "never wrote", "nobody"]:
            assert self.log.person(identity) == self.people.get(identity)
        everybody = self.people.values()
        kept = {person for person in everybody if person.kept_until_ms is None or person.kept_until_ms > now_ms}
        assert set(self.log.kept_people(now_ms)) == kept
        for key in ("ada", "bob", "strasse", "nobody"):
            named = self.log.people_named(key)
            assert sorted(named, key=repr) == sorted((p for p in everybody if p.name_key == key), key=repr)
            until = [float("inf") if person.kept_until_ms is None else person.kept_until_ms for person in named]
            assert until == sorted(until, reverse=True), "who had the name last comes first"

    def teardown(self) -> None:
        self.log.close()
        findings = check(self.directory)
        shutil.rmtree(self.directory)
        assert findings == []


TestAgainstAList = AgainstAList.TestCase
TestAgainstAList.settings = settings(max_examples=rounds(25, 1000), stateful_step_count=20)


@contextmanager
def full(log: SqliteLog) -> Iterator[None]:
    """The file may not grow: SQLite answers as it does on a full disk."""
    assert log._ready().execute("PRAGMA max_page_count = 1").fetchone()[0] > 1  # it cannot be less than what is there
    yield
    log._ready().execute("PRAGMA max_page_count = 1000000")


# --- appending ---------------------------------------------------------------------------------------------------------


def test_nothing_to_append_costs_no_commit(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        before = contents(tmp_path)
        assert log.append([], []) == []
        assert contents(tmp_path) == before


def test_an_update_counts_for_a_message_of_the_same_batch(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1, identity="ada")], [Person("ada", "Countess", "countess", None)])
        assert log.person("ada") == Person("ada", "Countess", "countess", None)


def test_who_only_was_written_to_has_no_name_to_keep(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1, conv=direct("ada", "bob"), identity="ada")], [])
        assert log.person("ada") == Person("ada", "Ada", "ada", None)
        assert log.person("bob") == Person("bob", "", "", 0)
        assert [person.identity for person in log.kept_people(0)] == ["ada"]
        log.append([], [Person("bob", "Bob", "bob", 5)])
        assert log.person("bob") == Person("bob", "Bob", "bob", 5)


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    log = SqliteLog.open(tmp_path)
    append_in_batches(log, mixed_drafts(30))
    log.close()
    again = SqliteLog.open(tmp_path)
    assert (again.uuid, again.key, again.last, again.count) == (log.uuid, log.key, 30, 30)
    assert [entry.id for entry in appended(again, mixed_drafts(2, 31))] == [31, 32]
    again.close()
    assert check(tmp_path) == []


def test_two_logs_have_different_keys(tmp_path: Path) -> None:
    logs = [SqliteLog.open(make(tmp_path / name)) for name in "ab"]
    assert len({log.uuid for log in logs}) == len({log.key for log in logs}) == 2
    assert [(len(log.uuid), len(log.key)) for log in logs] == [(32, 32)] * 2
    for log in logs:
        log.close()


def make(directory: Path) -> Path:
    directory.mkdir()
    return directory


def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    log = SqliteLog.open(tmp_path)
    log.append([draft(1)], [])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    log.close()
    assert modes == dict.fromkeys(["chat.db", "chat.db-wal", "chat.db-shm"], 0o600)


def test_closing_leaves_one_file_and_its_seal(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1)], [])
    log.close()  # once more is fine
    assert sorted(contents(tmp_path)) == ["chat.db", "chat.db.seal"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_the_directory_belongs_to_one_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1)], [])
        with pytest.raises(StorageRefused, match=r"^the data directory .* is in use by another server: stop that one"):
            SqliteLog.open(tmp_path)
        log.append([draft(2)], [])
    with opened(tmp_path) as log:
        assert log.last == 2


def test_a_topic_is_found_without_looking_at_messages(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        plan = log._rows(f"EXPLAIN QUERY PLAN {_SELECT_TOPIC}", "#dev")
    assert any("topics" in detail for *_, detail in plan), plan
    assert not any("SCAN" in detail or "TEMP B-TREE" in detail for *_, detail in plan), plan


# --- a full disk -------------------------------------------------------------------------------------------------------


def test_a_full_disk_takes_nothing_and_heals(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(20))
        with full(log):
            for _ in range(3):
                with pytest.raises(StorageFull, match=r"^the disk with the log .* is full: make room$"):
                    log.append([draft(1, "#new", "new", "long" * 5000)], [Person("other", "Other", "other", None)])
            assert (log.last, log.count, log.find("new", draft(1).ref)) == (20, 20, None)
            assert log.person("new") is log.person("other") is None
        (entry,) = appended(log, [draft(1, "#new", "new", "long" * 5000)])
        assert entry.id > 20
        assert log.find("new", entry.ref) == entry
    assert check(tmp_path) == []


def test_a_probe_fails_while_there_is_little_room_and_changes_no_message(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(20))
        with failing_writes(200_000), pytest.raises(StorageUnavailable, match=r"\(File too large\): see to the disk$"):
            log.probe()
        log.probe()
        assert (log.last, log.count) == (20, 20)
        assert not (tmp_path / ".probe").exists()
    assert check(tmp_path) == []


def test_ids_of_a_failed_append_are_not_used_again(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1)], [])
        with full(log), pytest.raises(StorageFull):
            log.append([draft(number, text="long" * 5000) for number in (2, 3, 4)], [])
        assert [entry.id for entry in appended(log, [draft(2)])] == [5]


# --- a failing disk ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [0, 40, 5000, 9000, 20_000])
def test_a_write_that_fails_takes_nothing_and_heals(tmp_path: Path, room: int) -> None:
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(20))
        log.checkpoint(wait=True)
        with failing_writes(room):
            for _ in range(2):
                with pytest.raises((StorageUnavailable, StorageFull)):
                    log.append([draft(1, "#new", "new", "long" * 5000)], [])
        assert (log.last, log.count, log.find("new", draft(1).ref)) == (20, 20, None)
        assert log.newest_counter("new", 1) is None
        (entry,) = appended(log, [draft(1, "#new", "new")])
        assert entry.id > 20
    assert check(tmp_path) == []


def test_a_server_starts_on_a_full_disk(tmp_path: Path) -> None:
    """What waits in the write-ahead log need not fit into the file at once."""
    path = killed_log(tmp_path / "data", 60, 200)
    with failing_writes(path.stat().st_size), opened(path.parent) as log:
        assert (log.last, log.count) == (260, 260)
        with pytest.raises(StorageError):
            log.append([draft(1)], [])
    with opened(path.parent) as log:
        log.append([draft(1)], [])
        assert log.count == 261
    assert check(path.parent) == []


def test_a_refused_message_that_is_in_the_file_all_the_same_goes(tmp_path: Path) -> None:
    """As after a commit whose frames were written and could not be made safe."""
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(20))
        told, crc, count = log.last, log._crc, log.count
        log.append([draft(1, "#new", "new")], [])
        log.last, log._crc, log.count = told, crc, count  # nobody was told of it
        log._disconnect()
        assert log.find("new", draft(1).ref) is None
        assert (log.last, log.count) == (20, 20)
        assert [entry.id for entry in appended(log, [draft(1, "#new", "new")])] == [22]
        assert (log.last, log.count) == (22, 21)
    assert check(tmp_path) == []


def test_after_a_failure_nothing_is_written_behind_what_may_not_be_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.storage.sqlite._PATIENCE_S", 0.05)
    with opened(tmp_path) as log:
        log.append([draft(1)], [])
        with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM runs").fetchone()
            log._disconnect()
            with pytest.raises(StorageUnavailable, match="readers are in the way"):
                log.append([draft(2)], [])
            reader.execute("COMMIT")
            log.append([draft(2)], [])
    assert check(tmp_path) == []


def test_a_log_that_was_moved_takes_nothing_until_it_is_back(tmp_path: Path) -> None:
    directory = make(tmp_path / "data")
    with opened(directory) as log:
        log.append([draft(1)], [])
        directory.rename(tmp_path / "elsewhere")
        for _ in range(2):
            with pytest.raises(StorageUnavailable, match=r"was moved or deleted: put it back, or restart the server$"):
                log.append([draft(2)], [])
        (tmp_path / "elsewhere").rename(directory)
        log.append([draft(2)], [])
    with opened(directory) as log:
        assert log.count == 2


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_log_that_was_deleted_takes_nothing(tmp_path: Path, suffix: str) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1)], [])
        (tmp_path / f"{FILE_NAME}{suffix}").unlink()
        with pytest.raises(StorageUnavailable):
            log.append([draft(2)], [])


@pytest.mark.parametrize("left", range(5))
def test_without_descriptors_it_says_so_and_goes_on_when_there_are_some(tmp_path: Path, left: int) -> None:
    """The first file cannot be opened, the next, the third, or the index; and with all of them, all is well."""
    with opened(tmp_path) as log:
        log.append([draft(1)], [])
        log._disconnect()
        with few_descriptors(left):
            if left < 4:
                with pytest.raises(StorageUnavailable, match=r"\(Too many open files\): raise the limit of open files$"):
                    log.append([draft(2)], [])
            else:
                log.append([draft(2)], [])
        log.append([draft(3)], [])
        assert log.waiting > 0


def test_a_directory_that_may_not_be_looked_into_is_not_told_to_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as log:
        (tmp_path / "loop").symlink_to("loop")
        monkeypatch.setattr(log, "_path", tmp_path / "loop")
        with pytest.raises(StorageUnavailable, match=r"cannot be used \(Too many levels of symbolic links\): see to the disk$"):
            log.append([draft(1)], [])
        monkeypatch.undo()


def test_a_deleted_write_ahead_log_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1)], [])
        (tmp_path / f"{FILE_NAME}-wal").unlink()
    with opened(tmp_path) as log:
        assert log.find("ada", draft(1).ref) is not None
    assert check(tmp_path) == []


def test_another_log_in_its_place_is_not_written_to(tmp_path: Path) -> None:
    with opened(make(tmp_path / "other")) as log:
        append_in_batches(log, mixed_drafts(50))
    with opened(make(tmp_path / "data")) as log:
        log.append([draft(1)], [])
        shutil.copy(tmp_path / "other" / FILE_NAME, tmp_path / "copy")
        (tmp_path / "copy").rename(tmp_path / "data" / FILE_NAME)
        log._disconnect()
        with pytest.raises(StorageUnavailable):
            log.append([draft(2)], [])
        assert (tmp_path / "data" / FILE_NAME).read_bytes() == (tmp_path / "other" / FILE_NAME).read_bytes()


@pytest.mark.parametrize("damage", ["count = 0", "count = 1 << 62", "count = -1 << 63", "ref = -1, count = 2"])
def test_a_damaged_run_refuses_what_needs_it_and_nothing_else(tmp_path: Path, damage: str) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1), draft(1, identity="bob")], [])
        with log._transaction() as db:
            db.execute(f"UPDATE runs SET {damage} WHERE last = 1")
        if "ref" not in damage:
            with pytest.raises(StorageUnavailable, match="there are not as many messages up to 1 as there should be"):
                log.newest_counter("ada", 1)
            with pytest.raises(StorageUnavailable):
                log.append([draft(1)], [])
        assert log.newest_counter("bob", 1) == 1
        log.append([draft(2, identity="bob")], [])


def test_a_damaged_topic_is_none_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tmp_path) as log:
        log.append([draft(1, topic=True)], [])
        with log._transaction() as db:
            db.execute("UPDATE runs SET count = 0")
        assert [log.topic("#lobby") for _ in range(3)] == [None] * 3
        assert log._db is db, "nothing is wrong with the connection"
    (told,) = caplog.records
    what = "there are not as many messages up to 1 as there should be"
    assert told.getMessage() == f"the log {tmp_path / FILE_NAME} is damaged, {what}: run chat-broker check"


# --- a killed writer ---------------------------------------------------------------------------------------------------

_WRITER = """
import sys
from pathlib import Path
from broker.storage.sqlite import SqliteLog
from tests.support.logs import appended, draft
log = SqliteLog.open(Path(sys.argv[1]))
number = log.last
while True:
    for entry in appended(log, [draft(number + n) for n in range(1, 4)]):
        print(entry.id, entry.text, flush=True)
    number += 3
    if number % 60 == 0:
        log.checkpoint()
"""


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for round_ in range(rounds(3, 200)):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        acknowledged += (writer.stdout.readline() for _ in range(1 + round_ * 17 % 90))
        writer.kill()
        acknowledged += writer.stdout  # what it said before it died
        writer.wait(seconds(10))
        writer.stdout.close()
        with opened(tmp_path) as log:
            for line in acknowledged:
                id, _, text = line.rstrip("\n").partition(" ")
                found = log.find("ada", draft(int(text.split()[1])).ref)
                assert found is not None
                assert (found.id, found.text) == (int(id), text)
            assert 0 <= log.last - len(acknowledged) <= 3
            acknowledged = [f"{e.id} {e.text}\n" for n in range(1, log.count + 1) if (e := log.find("ada", draft(n).ref))]
        assert check(tmp_path) == []


# --- tidying up --------------------------------------------------------------------------------------------------------


def test_the_write_ahead_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        sizes = []
        for first in range(1, 1001, 100):
            append_in_batches(log, mixed_drafts(100, first))
            log.checkpoint()
            sizes.append((tmp_path / f"{FILE_NAME}-wal").stat().st_size)
        assert sizes[-1] <= 2 * sizes[1]


def test_it_knows_how_many_pages_wait(tmp_path: Path) -> None:
    with opened(tmp_path) as log, closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as reader:
        assert log.waiting == 0
        append_in_batches(log, mixed_drafts(50))
        assert log.waiting == ((tmp_path / f"{FILE_NAME}-wal").stat().st_size - 32) // (4096 + 24)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchone()
        append_in_batches(log, mixed_drafts(50, 51))
        before = log.waiting
        assert log.checkpoint() == before
        assert 0 < log.waiting < before, "what the reader is not to see stays"
        reader.execute("COMMIT")
        log.checkpoint()
        assert log.waiting == 0


def test_that_cannot_be_told_and_nobody_dies_of_it(tmp_path: Path) -> None:
    """The log is connected anew, and whoever writes next hears of it if that fails."""
    with opened(tmp_path) as log:
        log.append([draft(1)], [])
        directory = os.open(tmp_path, os.O_RDONLY)
        assert log._index is not None
        os.dup2(directory, log._index)  # it cannot be read now
        os.close(directory)
        assert log.waiting == 0
        log.append([draft(2)], [])
        assert log.waiting > 0


@pytest.mark.parametrize(("text", "rows"), [("hello", 1), ("x" * 16_000, 5)])
def test_it_stays_small_whatever_is_written_after_what(tmp_path: Path, text: str, rows: int) -> None:
    """Nothing is learned of what small rows cost that would not hold for others."""
    tidying, counter, size = Tidying(), 0, 0
    with closing(SqliteLog.open(tmp_path, synchronous="OFF")) as log:
        for words, count in [("x" * 40, 40)] * 300 + [(text, rows)] * 2_500:
            counter += count
            log.append([draft(number, text=words) for number in range(counter - count, counter)], [])
            if tidying.is_due(log.waiting):
                tidying.began(log.waiting)
                tidying.done(log.checkpoint(), log.waiting)
            size = max(size, (tmp_path / f"{FILE_NAME}-wal").stat().st_size)
    assert size < 20 * 2**20


def test_a_reader_keeps_the_write_ahead_log_and_after_waiting_for_it_it_begins_anew(tmp_path: Path) -> None:
    with opened(tmp_path) as log, closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as reader:
        append_in_batches(log, mixed_drafts(20))
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchone()
        append_in_batches(log, mixed_drafts(20, 21))
        pages = log.checkpoint()
        assert pages > 0
        append_in_batches(log, mixed_drafts(20, 41))
        assert log.checkpoint() > pages
        reader.execute("COMMIT")
        assert log.checkpoint(wait=True) == 0
        size = (tmp_path / f"{FILE_NAME}-wal").stat().st_size
        append_in_batches(log, mixed_drafts(20, 61))
        assert log.checkpoint() <= pages
        assert (tmp_path / f"{FILE_NAME}-wal").stat().st_size == size


def test_a_checkpoint_that_fails_harms_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append_in_batches(log, mixed_drafts(50))
        with failing_writes(40_000), pytest.raises(StorageError):
            log.checkpoint()
        assert log.count == 50
        append_in_batches(log, mixed_drafts(10, 51))
    assert check(tmp_path) == []


def test_a_log_can_be_used_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    odd = make(Path("with ? and # and % and ü"))
    log = SqliteLog.open(odd)
    monkeypatch.chdir("/")
    log.append([draft(1)], people(2))
    log.close()
    assert check(tmp_path / odd) == []
    assert os.listdir(tmp_path) == [odd.name]


def test_what_is_no_text_is_not_the_disk_s_fault(tmp_path: Path) -> None:
    """Somebody has written into the file while the server runs, or long before: nobody else is to hear of that."""
    with opened(tmp_path) as log:
        log.append([draft(1, text="a topic", topic=True)], people(1))
        with log._transaction() as db:
            db.execute("UPDATE people SET name = CAST(x'61ff62' AS TEXT) WHERE identity = 'id0'")
            db.execute("UPDATE runs SET texts = CAST(x'61ff62' AS TEXT)")
        assert log.people_named("name0") == [Person("id0", "a\ufffdb", "name0", TIME_MS)]
        topic = log.topic("#lobby")
        assert topic is not None
        assert topic.text == "a\ufffdb"
