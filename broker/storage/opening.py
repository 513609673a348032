"""Before a log is used: the lock on its directory, making a new file, looking at one that is there without changing it.

A file that is refused stays as it was, byte by byte, and nothing appears beside it. SQLite by itself puts a write-ahead
log that it finds into the database as soon as it is opened, so everything is judged by a look that cannot write.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
import struct
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from broker.log import StorageRefused
from broker.storage import wal
from common.log import Entry
from common.log_file import (
    APPLICATION_ID,
    PAGE_BYTES,
    SCHEMA,
    SCHEMA_VERSION,
    SELECT_ENTRIES,
    checksum,
    entry_of,
    link,
    text_checksum,
)
from common.messages import ID_MAX

LOCK_NAME = "lock"
KEY_BYTES = 32
_NEWEST = 1000
"""How many of the newest messages are verified each time a log is opened: a crash or a bad disk harms those first."""
_HEADER_BYTES = 100
_MOVE_AWAY = "move it away and start again to begin a new log"
_ADVICE = {
    sqlite3.SQLITE_BUSY: "close the program that has it open",
    sqlite3.SQLITE_CANTOPEN: "make it and its directory writable",
    sqlite3.SQLITE_FULL: "make room on the disk",
    sqlite3.SQLITE_IOERR: "see to the disk",
    sqlite3.SQLITE_READONLY: "make it and its directory writable",
}
"""What to do when it is not the file that is wrong."""


class Meta(NamedTuple):
    """What never changes of a log."""

    uuid: str
    key: bytes
    created_ms: int

    @property
    def crc(self) -> int:
        return checksum(*self)


# --- the lock ----------------------------------------------------------------------------------------------------------


def lock(data_dir: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    """Takes the data directory for this process alone, until the descriptor that this returns is closed.

    It is closed by the process's end too, whatever way that comes. `flags` are for opening the file that carries the
    lock. Raises `StorageRefused`.
    """
    try:
        descriptor = os.open(data_dir / LOCK_NAME, flags | os.O_NONBLOCK, 0o600)
    except OSError as problem:
        raise _unusable(data_dir, problem) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        advice = "stop that one, or use another --data-dir"
        raise StorageRefused(f"the data directory {data_dir} is in use by another server: {advice}") from None
    except OSError as problem:
        os.close(descriptor)
        raise _unusable(data_dir, problem) from None
    return descriptor


def _unusable(data_dir: Path, problem: OSError) -> StorageRefused:
    advice = "make it writable, or use another --data-dir"
    return StorageRefused(f"the data directory {data_dir} cannot be used ({problem.strerror}): {advice}")


# --- making a new log --------------------------------------------------------------------------------------------------


def create(path: Path) -> None:
    """Makes an empty log at `path`, where there is none. Raises `StorageRefused`.

    It appears all at once, by a renaming: whatever a crash leaves behind under the other name is cleared away next time.
    """
    for stray in _beside(path):
        if stray.exists():
            raise StorageRefused(
                f"the log {path} is gone, but {stray.name} is still there: put the log back, or move that file away too"
            )
    draft = path.with_name(f"{path.name}.new")
    try:
        for leftover in (draft, *_beside(draft), draft.with_name(f"{draft.name}-shm")):
            leftover.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _fill(draft)
        _sync(draft)
        draft.rename(path)
        _sync(path.parent)
    except OSError as problem:
        raise _unusable(path.parent, problem) from None
    except sqlite3.Error as problem:
        raise StorageRefused(f"the log {path} cannot be made ({problem}): is the disk full?") from None


def _fill(path: Path) -> None:
    meta = Meta(uuid.uuid4().hex, secrets.token_bytes(KEY_BYTES), time.time_ns() // 1_000_000)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("PRAGMA auto_vacuum = NONE")
        db.execute("PRAGMA encoding = 'UTF-8'")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        _create_schema(db)
        rows = {**meta._asdict(), "crc": meta.crc, "messages": 0, "commits": 0}
        db.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", rows.items())
        db.execute("COMMIT")


def _create_schema(db: sqlite3.Connection) -> None:
    for statement in SCHEMA:
        db.execute(statement)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- looking at a log --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def looking(path: Path) -> Iterator[tuple[sqlite3.Connection, Meta]]:
    """The log at `path`, to be read without changing a byte of its directory, and what it says of itself.

    Who looks must hold the lock. Raises `StorageRefused` if it is no log of this program, or is damaged where its
    schema stands; any reading of it may raise `sqlite3.DatabaseError`.
    """
    with refusing(path):
        waiting = _write_ahead_log(path)
        _check_header(path, bool(waiting))
        with contextlib.closing(_connect(path, "immutable=1")) as db:  # this option leaves the write-ahead log out
            _check_schema(path, db)
            meta = _read_meta(path, db)
        if waiting and not any(meta.uuid.encode() in page for page in waiting):
            raise StorageRefused(f"the log {path} has a {path.name}-wal that belongs to another database: move that away")
        # Without locks, and held alone, SQLite keeps its notes on the write-ahead log in memory, and not in a file.
        with contextlib.closing(_connect(path, "vfs=unix-none" if waiting else "immutable=1")) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA synchronous = OFF")
            _check_schema(path, db)
            yield db, meta


def _connect(path: Path, option: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro&{option}", uri=True, isolation_level=None)


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Whatever goes wrong in here is a reason to refuse the log."""
    try:
        yield
    except OSError as problem:
        raise StorageRefused(f"the log {path} cannot be read ({problem.strerror}): make it readable") from None
    except sqlite3.Error as problem:
        advice = _ADVICE.get(getattr(problem, "sqlite_errorcode", 0) & 0xFF)
        if advice is None:
            raise damaged(path, str(problem)) from None
        raise StorageRefused(f"the log {path} cannot be used ({problem}): {advice}") from None


def damaged(path: Path, what: str) -> StorageRefused:
    return StorageRefused(f"the log {path} is damaged ({what}): put a backup in its place, or {_MOVE_AWAY}")


def _beside(path: Path) -> list[Path]:
    """The files that SQLite would take into account for the one at `path`, whatever they hold."""
    return [path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-journal")]


def _write_ahead_log(path: Path) -> list[bytes]:
    """The pages of the first transaction that waits beside the file to be put into it. Raises `StorageRefused`."""
    log, journal = _beside(path)
    if journal.exists():
        raise StorageRefused(f"the log {path} has a {journal.name} that is not its own: move that away")
    return wal.first_commit(log.read_bytes()) if log.exists() else []


def _check_header(path: Path, has_write_ahead_log: bool) -> None:
    """Judges the first bytes of the file, which tell what it is. Raises `StorageRefused`."""
    if not path.is_file():
        raise StorageRefused(f"the log {path} is not a file: {_MOVE_AWAY}")
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header:
        raise StorageRefused(f"the log {path} is empty: put a backup in its place, or {_MOVE_AWAY}")
    if len(header) < _HEADER_BYTES or not header.startswith(b"SQLite format 3\0"):
        raise StorageRefused(f"the log {path} is not a database: {_MOVE_AWAY}")
    version, application = struct.unpack(">I4xI", header[60:72])
    if application != APPLICATION_ID:
        raise StorageRefused(f"the log {path} is a database of another program: {_MOVE_AWAY}")
    if version > SCHEMA_VERSION:
        raise StorageRefused(
            f"the log {path} was written by a newer chat-broker (format {version}, this one knows {SCHEMA_VERSION}): "
            "start that version"
        )
    if not _is_plausible(header, None if has_write_ahead_log else path.stat().st_size):
        raise damaged(path, "its header does not fit")


def _is_plausible(header: bytes, file_bytes: int | None) -> bool:
    """Whether the header is one that this program's SQLite writes; `file_bytes` only where the file is all there is."""
    page_bytes, formats, fractions = struct.unpack(">HHI", header[16:24])
    changes, pages, free_trunk, free_pages, _, schema_format = struct.unpack(">6I", header[24:48])
    vacuum_root, encoding, version, incremental = struct.unpack(">4I", header[52:68])
    return (
        (page_bytes, formats, fractions) == (PAGE_BYTES, 0x0202, 0x00402020)  # 0x0202: with a write-ahead log
        and (free_trunk, free_pages, schema_format) == (0, 0, 4)
        and (vacuum_root, encoding, version, incremental) == (0, 1, SCHEMA_VERSION, 0)
        and header[72:92] == bytes(20)
        and header[92:96] == changes.to_bytes(4)
        and file_bytes in (None, pages * PAGE_BYTES)
    )


def _check_schema(path: Path, db: sqlite3.Connection) -> None:
    """Raises `StorageRefused` unless the tables and indexes are just those that a new log has."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        _create_schema(model)
        wanted = _schema_of(model)
    if _schema_of(db) != wanted:
        raise damaged(path, "its schema is not the one of this version")


def _schema_of(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    return db.execute("SELECT name, type, tbl_name, sql FROM sqlite_schema ORDER BY name").fetchall()


def _read_meta(path: Path, db: sqlite3.Connection) -> Meta:
    """Raises `StorageRefused`."""
    rows = dict(db.execute("SELECT key, value FROM meta"))
    meta = Meta(*(rows.get(field) for field in Meta._fields))  # type: ignore[arg-type]
    try:
        whole = meta.crc == rows.get("crc")
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise damaged(path, "its key and identity are not whole")
    return meta


# --- the messages ------------------------------------------------------------------------------------------------------


def check_newest(path: Path, db: sqlite3.Connection, meta: Meta) -> None:
    """Raises `StorageRefused` if something is wrong with the newest messages, or the next ids would not be new."""
    with refusing(path):
        row = db.execute("SELECT id FROM messages ORDER BY id DESC LIMIT 1 OFFSET ?", (_NEWEST,)).fetchone()
        for finding in findings(db, meta.uuid, row[0] if row else 0):
            raise damaged(path, finding)
        if used_ids(db) < newest_id(db):
            raise damaged(path, "the next ids would not be new")


def newest_id(db: sqlite3.Connection) -> int:
    """0 in an empty log."""
    return int(db.execute("SELECT ifnull(max(id), 0) FROM messages").fetchone()[0])


def newest_crc(db: sqlite3.Connection, upto: int = ID_MAX) -> int:
    """The checksum of the newest message with an id up to `upto`, 0 if there is none: what the next one follows."""
    row = db.execute("SELECT crc FROM messages WHERE id <= ? ORDER BY id DESC LIMIT 1", (upto,)).fetchone()
    return row[0] if row else 0


def used_ids(db: sqlite3.Connection) -> int:
    """The greatest id that was ever in the log."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
    return int(row[0]) if row else 0


_SELECT_LINKS = SELECT_ENTRIES.replace("SELECT id", "SELECT text_crc, messages.crc, id").replace("JOIN", "LEFT JOIN")
"""Rows whose conversation or person is not there come with NULL for it."""
_TYPES = (int, int, int, int, str, str, str, str, int, str)


def findings(db: sqlite3.Connection, log: str, after: int = 0) -> Iterator[str]:
    """What is wrong with the messages above the id `after`, a few words each."""
    before = newest_crc(db, after)
    for text_crc, crc, *row in db.execute(f"{_SELECT_LINKS} WHERE id > ? ORDER BY id", (after,)):
        if tuple(map(type, (text_crc, crc, *row))) != _TYPES:
            yield f"message {row[0]} has no sender, no conversation, or a value of the wrong kind"
        else:
            entry = entry_of(row)
            if text_checksum(entry.text) != text_crc:
                yield f"the text of message {entry.id} is not as it was written"
            if not _fits(log, entry, text_crc, crc, before):
                yield f"message {entry.id}, or the one before it, is not as it was written"
        before = crc if type(crc) is int else 0


def _fits(log: str, entry: Entry, text_crc: int, crc: int, before: int) -> bool:
    return 0 <= before < 1 << 32 and link(log, entry, text_crc, before) == crc
