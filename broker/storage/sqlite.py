"""The log in a file of SQLite, as its one writer has it.

How it is judged before it is opened is in `broker.storage.opening`, what stands in it in `common.log_file`; the workers
read it by themselves. Every append is one transaction, and waits for the disk.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from broker.log import Person, PersonUpdate, StorageError, StorageFull, StorageUnavailable
from broker.storage import chain, files, opening, seal, wal
from common.log import RUN_MESSAGES, Entry, Run, is_direct, make_run, parties
from common.log_file import (
    DATABASE_ERRORS,
    FILE_NAME,
    SELECT_RUNS,
    Damage,
    checksum,
    joined,
    link,
    run_of,
    signed,
    text_checksums,
    underlying,
    which_file,
    which_files,
    why,
)
from common.messages import COUNTER_BITS, make_ref, split_ref
from common.names import fold

logger = logging.getLogger("chat_broker.broker")

_NUMBERS_REMEMBERED = 50_000
"""People, and as many conversations, whose numbers in the file are held in memory."""
_NAMESAKES = 100
_CACHE_KIB = 16 * 1024
_ROOM_BYTES = 256 * 1024
"""So much must be free on a disk that was full, before it is said that it takes messages again: a few of the longest."""
_PATIENCE_S = 1.0
"""How long a tidying up that wants no readers waits for them."""

_as_text = functools.partial(str, encoding="utf-8", errors="replace")
"""What somebody has written into the file that is no text is shown as well as may be: it says nothing about the disk."""

_PUT_PERSON = """
    INSERT INTO people (identity, name, name_key, kept_until_ms, crc) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (identity) DO UPDATE
    SET name = excluded.name, name_key = excluded.name_key, kept_until_ms = excluded.kept_until_ms, crc = excluded.crc
"""
_PUT_RUN = """
    INSERT OR ROLLBACK INTO runs
    (last, count, time_ms, conversation, person, ref, recipient, sender, texts, topic, text_crcs, crc)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
"""Without `OR ROLLBACK` SQLite would keep what it takes to undo one statement alone, in a file among the temporary ones."""
_AT_ONCE = 32
"""So many rows in one statement take little more than half the time that they take in one each."""
_PUT_RUNS = _PUT_RUN + ", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" * (_AT_ONCE - 1)
_COUNT = """
    UPDATE meta SET value = value + CASE key WHEN 'messages' THEN ? ELSE 1 END WHERE key IN ('messages', 'commits')
"""
"""`commits` makes each transaction touch this table, and so tells whose write-ahead log one is (it holds the uuid)."""
_PUT_CONVERSATION = "INSERT INTO conversations (conv, one, other) VALUES (?, ?, ?)"
_SELECT_NEWEST = f"""
    {SELECT_RUNS} WHERE person = (SELECT person FROM people WHERE identity = ?) AND ref BETWEEN ? AND ?
    ORDER BY ref DESC LIMIT 1
"""
_SELECT_TOPIC = f"""
    {SELECT_RUNS} WHERE conversation = (SELECT number FROM conversations WHERE conv = ?) AND topic
    ORDER BY last DESC LIMIT 1
"""
_SELECT_PEOPLE = "SELECT identity, name, name_key, kept_until_ms FROM people"


class _Numbers:
    """The numbers that stand for people and conversations in the file; whoever has none yet is given one.

    It remembers what it gave out, and so is of no use any more when that was rolled back.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.of_person = functools.lru_cache(_NUMBERS_REMEMBERED)(self._of_person)
        self.of_conversation = functools.lru_cache(_NUMBERS_REMEMBERED)(self._of_conversation)

    def _of_person(self, identity: str, name: str) -> int | None:
        """`name` is what a person who is new is stored with, as connected; without one they are stored as nobody's."""
        found = self._db.execute("SELECT person FROM people WHERE identity = ?", (identity,)).fetchone()
        if found is None:
            person = Person(identity, name, fold(name), None if name else 0)
            return self._db.execute(_PUT_PERSON, _person_row(person)).lastrowid
        return int(found[0])

    def _of_conversation(self, conv: str) -> int | None:
        found = self._db.execute("SELECT number FROM conversations WHERE conv = ?", (conv,)).fetchone()
        if found is None:
            one, other = (self.of_person(party, "") for party in parties(conv)) if is_direct(conv) else (None, None)
            return self._db.execute(_PUT_CONVERSATION, (conv, one, other)).lastrowid
        return int(found[0])


def _person_row(person: Person) -> tuple[Any, ...]:
    return (*person, checksum(*person))


class SqliteLog:
    """See `broker.log.Log`."""

    def __init__(self, path: Path, meta: opening.Meta, lock: int, synchronous: str) -> None:
        """To be made by `open`."""
        self.uuid = meta.uuid
        self.key = meta.key
        self.last = 0
        self.count = 0
        self.written = 0
        self._path = path
        self._damage = Damage(path, logger)
        self._lock: int | None = lock
        self._synchronous = synchronous
        self._used_id = 0
        """The greatest id that was ever tried: those of a failed append are not used again."""
        self._crc = 0
        """The checksum of the newest row."""
        self._files: list[tuple[int, int]] = []
        self._db: sqlite3.Connection | None = None
        """None after a failure; the next use connects again."""
        self._index: int | None = None
        """A descriptor of the write-ahead log's index. To close it gives up all locks of this process on that file (POSIX), those
        of the connection too: so it is closed behind it."""
        self._connect()

    @classmethod
    def open(cls, data_dir: Path, *, synchronous: str = "FULL") -> SqliteLog:
        """The log in the directory; a new one where there is none. Raises `StorageRefused`.

        `synchronous` is SQLite's; anything but FULL is for experiments.
        """
        path = data_dir.absolute() / FILE_NAME
        with contextlib.ExitStack() as undo:
            lock = files.lock(path.parent)
            undo.callback(os.close, lock)
            if not os.path.lexists(path):
                opening.create(path)
            with opening.looking(path) as (db, meta):
                opening.check_newest(path, db, meta)
            with opening.refusing(path):
                seal.take_off(path)
                log = cls(path, meta, lock, synchronous)
            undo.pop_all()
        return log

    # --- writing -------------------------------------------------------------------------------------------------------

    def append(self, drafts: Sequence[Run], people: Sequence[PersonUpdate]) -> list[Run]:
        if not drafts and not people:
            return []
        with self._transaction() as db:
            db.executemany(_PUT_PERSON, map(_person_row, people))
            runs, crc = self._put_runs(db, drafts)
            messages = runs[-1].last - runs[0].first + 1 if runs else 0
            db.execute(_COUNT, (messages,))
        self._crc = crc
        self.count += messages
        self.written += len(runs) + len(people)
        if runs:
            self.last = runs[-1].last
        return runs

    def _put_runs(self, db: sqlite3.Connection, drafts: Sequence[Run]) -> tuple[list[Run], int]:
        """What is new in the log, and the checksum of the last row."""
        of_person, of_conversation = self._numbers.of_person, self._numbers.of_conversation
        runs, rows, crc = [], [], self._crc
        for draft in drafts:
            _, time_ms, conv, to, sender, identity, ref, texts, topic = draft
            first = self._used_id + 1
            self._used_id = last = self._used_id + len(texts)
            run = make_run((first, time_ms, conv, to, sender, identity, ref, texts, topic))
            text_crcs = text_checksums(texts)
            crc = link(self.uuid, run, text_crcs, crc)
            person = of_person(identity, sender)  # before the conversation, which would store them without a name
            number = of_conversation(conv)
            rows.append(
                (last, len(texts), time_ms, number, person, signed(ref), to, sender, joined(texts), topic, text_crcs, crc)
            )
            runs.append(run)
        alone = len(rows) % _AT_ONCE
        db.executemany(_PUT_RUN, rows[:alone])
        many = (rows[start : start + _AT_ONCE] for start in range(alone, len(rows), _AT_ONCE))
        db.executemany(_PUT_RUNS, ([*itertools.chain.from_iterable(some)] for some in many))
        return runs, crc

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._ready()
        with self._failing():
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    def probe(self) -> None:
        self._ready()
        try:
            files.prove_room(self._path.parent, _ROOM_BYTES)
        except OSError as problem:
            raise self._full() if files.is_full(problem) else self._unusable(problem) from None
        with self._transaction() as db:
            db.execute(_COUNT, (0,))

    # --- reading -------------------------------------------------------------------------------------------------------

    def find(self, identity: str, ref: int) -> Entry | None:
        first = max(make_ref(split_ref(ref)[0], 0), ref - RUN_MESSAGES + 1)
        for run in self._runs(_SELECT_NEWEST, identity, signed(first), signed(ref)):
            if ref - run.ref < len(run.texts):
                return run.entry(ref - run.ref)
        return None

    def topic(self, conv: str) -> Entry | None:
        for row in self._rows(_SELECT_TOPIC, conv):
            try:
                return run_of(row).entries()[-1]
            except sqlite3.DatabaseError as damage:
                self._damage.tell(row[0], str(damage))
        return None

    def newest_counter(self, identity: str, instance: int) -> int | None:
        lowest = signed(make_ref(instance, 0))
        highest = lowest + (1 << COUNTER_BITS) - 1
        runs = self._runs(_SELECT_NEWEST, identity, lowest, highest)
        return split_ref(runs[0].ref + len(runs[0].texts) - 1)[1] if runs else None

    def person(self, identity: str) -> Person | None:
        rows = self._rows(f"{_SELECT_PEOPLE} WHERE identity = ?", identity)
        return Person(*rows[0]) if rows else None

    def people_named(self, name_key: str) -> list[Person]:
        query = f"{_SELECT_PEOPLE} WHERE name_key = ? ORDER BY kept_until_ms DESC NULLS FIRST LIMIT ?"
        return [Person(*row) for row in self._rows(query, name_key, _NAMESAKES)]

    def kept_people(self, now_ms: int) -> list[Person]:
        query = f"{_SELECT_PEOPLE} WHERE kept_until_ms IS NULL OR kept_until_ms > ?"
        return [Person(*row) for row in self._rows(query, now_ms)]

    def _runs(self, query: str, *values: Any) -> list[Run]:
        db = self._ready()
        with self._failing():
            return [run_of(row) for row in db.execute(query, values)]

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        db = self._ready()
        with self._failing():
            return db.execute(query, values).fetchall()

    # --- keeping the file in order -------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        if self._index is None:
            return 0
        try:
            return wal.pages_waiting(os.pread(self._index, wal.INDEX_BYTES, 0))
        except OSError:
            self._disconnect()  # whoever uses the log next hears of it, unless all is well then
            return 0

    def checkpoint(self, wait: bool = False) -> int:
        if not wait:
            ((_, pages, _),) = self._rows("PRAGMA wal_checkpoint(PASSIVE)")
            return int(pages)
        # The file keeps its size: commits that make it grow again are slower.
        ((busy, pages, _),) = self._rows("PRAGMA wal_checkpoint(RESTART)")
        return int(pages) if busy else 0

    def close(self) -> None:
        if self._lock is None:
            return
        pages = None
        with contextlib.suppress(StorageError):
            self._ready()  # clears away what was refused
        with contextlib.suppress(*DATABASE_ERRORS, OSError):  # what is committed is safe in the write-ahead log as well
            if self._db is not None:
                _, pages, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._disconnect()
            if pages == 0:
                seal.put(self._path)
        self._disconnect()
        os.close(self._lock)
        self._lock = None

    # --- the connection, and what goes wrong with it --------------------------------------------------------------------

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """What goes wrong in here is undone, and becomes a `StorageError` if it may be the disk's doing and not ours."""
        try:
            yield
        except BaseException as problem:
            code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
            if code != sqlite3.SQLITE_FULL or not self._roll_back():
                self._disconnect()
            if isinstance(problem, DATABASE_ERRORS) and not isinstance(problem, sqlite3.ProgrammingError):
                raise self._told(problem, code) from problem
            raise

    def _told(self, problem: BaseException, code: int) -> StorageError:
        no_room = code == sqlite3.SQLITE_FULL
        if code == sqlite3.SQLITE_IOERR:
            with contextlib.suppress(OSError):
                no_room = os.statvfs(self._path.parent).f_bavail == 0
        if no_room:
            return self._full()
        return self._unusable(problem)

    def _full(self) -> StorageFull:
        return StorageFull(f"the disk with the log {self._path} is full: make room")

    def _unusable(self, problem: BaseException) -> StorageUnavailable:
        cause = underlying(self._path, problem)
        no_descriptor = isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE)
        advice = "raise the limit of open files" if no_descriptor else "see to the disk"
        return StorageUnavailable(f"the log {self._path} cannot be used ({why(cause)}): {advice}")

    def _roll_back(self) -> bool:
        """Whether the connection is as it was before the transaction."""
        if self._db is None:
            return False
        self._numbers = _Numbers(self._db)
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except DATABASE_ERRORS:
            return False
        return True

    def _disconnect(self) -> None:
        """What was not committed is gone; whether what was being committed is, shows when the log is connected again."""
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._index is not None:
            os.close(self._index)
            self._index = None

    def _ready(self) -> sqlite3.Connection:
        """The connection, to files that are still in their place. Raises a `StorageError`."""
        try:
            if self._db is None and which_file(self._path) == self._files[0]:
                with self._failing():
                    self._connect()
            if self._db is not None and which_files(self._path) == self._files:
                return self._db
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as problem:
            raise self._unusable(problem) from None
        raise StorageUnavailable(f"the log {self._path} was moved or deleted: put it back, or restart the server")

    def _connect(self) -> None:
        """Opens the file. Raises what is in `DATABASE_ERRORS`."""
        db = sqlite3.connect(f"{self._path.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_PATIENCE_S)
        db.text_factory = _as_text
        try:
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            db.execute("PRAGMA wal_autocheckpoint = 0")
            db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._settle(db)
            self._files = which_files(self._path)
            self._index = os.open(f"{self._path}-shm", os.O_RDONLY | os.O_CLOEXEC)
        except BaseException:
            db.close()
            raise
        self._db = db
        self._numbers = _Numbers(db)

    def _settle(self, db: sqlite3.Connection) -> None:
        """Leaves nothing undecided in the file, and takes over what it says.

        A commit that failed may be found in it all the same. It was refused, so it goes. It may also be found without
        being safe on the disk, and then nothing that is written behind it is safe either, whatever the disk says of
        that. So the write-ahead log is emptied first: what was in it is written anew.
        """
        again = bool(self._files)
        try:
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise sqlite3.OperationalError("readers are in the way")
        except sqlite3.OperationalError:
            if again:
                raise  # else no commit has failed, and a full disk is no reason not to start
        db.execute("BEGIN IMMEDIATE")  # shows also that writing is allowed
        newest = chain.newest_id(db)
        if not again:
            self.last = newest
        elif newest > self.last:
            (gone,) = db.execute("SELECT sum(count) FROM runs WHERE last > ?", (self.last,)).fetchone()
            db.execute("DELETE FROM runs WHERE last > ?", (self.last,))
            db.execute(_COUNT, (-gone,))
        (self.count,) = db.execute("SELECT value FROM meta WHERE key = 'messages'").fetchone()
        self._crc = chain.newest_crc(db)
        self._used_id = max(self._used_id, newest)
        db.execute("COMMIT")
