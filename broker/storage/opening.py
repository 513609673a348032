"""Before a log is used: making a new file, and looking at one that is there without changing it.

A file that is refused stays as it was, byte by byte, and nothing appears beside it. SQLite by itself puts a write-ahead
log that it finds into the database as soon as it is opened, so everything is judged by a look that cannot write.
"""

from __future__ import annotations

import contextlib
import itertools
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
from broker.storage import chain, wal
from broker.storage.files import unusable
from common.files import sync
from common.log_file import APPLICATION_ID, DATABASE_ERRORS, PAGE_BYTES, SCHEMA, SCHEMA_VERSION, checksum, why

KEY_BYTES = 32
_NEWEST = 1000
"""How many of the newest runs of messages are verified each time a log is opened: a crash or a bad disk harms those first."""
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
        sync(draft)
        draft.rename(path)
        sync(path.parent)
    except OSError as problem:
        raise unusable(path.parent, problem) from None
    except DATABASE_ERRORS as problem:
        raise StorageRefused(f"the log {path} cannot be made ({problem}): is the disk full?") from None


def _fill(path: Path) -> None:
    meta = Meta(uuid.uuid4().hex, secrets.token_bytes(KEY_BYTES), time.time_ns() // 1_000_000)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("PRAGMA auto_vacuum = NONE")
        db.execute("PRAGMA encoding = 'UTF-8'")
        db.execute("BEGIN")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        _create_schema(db)
        rows = {**meta._asdict(), "crc": meta.crc, "messages": 0, "commits": 0}
        db.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", rows.items())
        db.execute("COMMIT")
        # Last, so that nothing waits in a write-ahead log, which would not be renamed with the file.
        if db.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise sqlite3.OperationalError("the disk does not take a write-ahead log")


def _create_schema(db: sqlite3.Connection) -> None:
    for statement in SCHEMA:
        db.execute(statement)


# --- looking at a log --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def looking(path: Path) -> Iterator[tuple[sqlite3.Connection, Meta]]:
    """The log at `path`, to be read without changing a byte of its directory, and what it says of itself.

    Who looks must hold the lock. Raises `StorageRefused` if it is no log of this program, or is damaged where its
    schema stands, or elsewhere and that comes up while it is read.
    """
    with refusing(path):
        pages = _waiting_pages(path)
        _check_header(path, bool(pages))
        # Without locks, and held alone, SQLite keeps its notes on the write-ahead log in memory, and not in a file.
        option = "vfs=unix-none" if pages else "immutable=1"
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&{option}", uri=True, isolation_level=None)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA synchronous = OFF")
            db.text_factory = _text_of
            if pages:
                _check_belonging(path, db, pages)
            _check_schema(path, db)
            yield db, _read_meta(path, db)


def _text_of(stored: bytes) -> str:
    """What is no text ends with a NUL, as nothing does that was written by this program: no checksum fits it."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored.decode(errors="replace") + "\0"


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Whatever goes wrong in here is a reason to refuse the log."""
    try:
        yield
    except OSError as problem:
        raise StorageRefused(f"the log {path} cannot be used ({why(problem)}): make it and its directory writable") from None
    except DATABASE_ERRORS as problem:
        advice = _ADVICE.get(getattr(problem, "sqlite_errorcode", 0) & 0xFF)
        if advice is None:
            raise damaged(path, why(problem)) from None
        raise StorageRefused(f"the log {path} cannot be used ({why(problem)}): {advice}") from None


def damaged(path: Path, what: str) -> StorageRefused:
    return StorageRefused(f"the log {path} is damaged ({what}): put a backup in its place, or {_MOVE_AWAY}")


def _beside(path: Path) -> list[Path]:
    """The files that SQLite would take into account for the one at `path`, whatever they hold."""
    return [path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-journal")]


def _waiting_pages(path: Path) -> list[bytes]:
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
    if 0 < version < SCHEMA_VERSION:
        raise StorageRefused(
            f"the log {path} was written by an early chat-broker (format {version}, this one knows {SCHEMA_VERSION}): "
            f"start that version, or {_MOVE_AWAY}"
        )
    if not _is_plausible(header, None if has_write_ahead_log else path.stat().st_size):
        raise damaged(path, "its header does not fit")


def _is_plausible(header: bytes, file_bytes: int | None) -> bool:
    """Whether the header is one that SQLite writes for this program; `file_bytes` only where the file is all there is."""
    page_bytes, formats, fractions = struct.unpack(">HHI", header[16:24])
    changes, pages, schema_format = struct.unpack(">II12xI", header[24:48])
    vacuum_root, encoding, version, incremental = struct.unpack(">4I", header[52:68])
    return (
        (page_bytes, formats, fractions) == (PAGE_BYTES, 0x0202, 0x00402020)  # 0x0202: with a write-ahead log
        and (schema_format, vacuum_root, encoding, version, incremental) == (4, 0, 1, SCHEMA_VERSION, 0)
        and header[72:92] == bytes(20)
        and header[92:96] == changes.to_bytes(4)
        and (file_bytes is None or file_bytes >= pages * PAGE_BYTES)
    )


def _check_belonging(path: Path, db: sqlite3.Connection, pages: list[bytes]) -> None:
    """Raises `StorageRefused` unless the transaction of these pages is one of this log.

    Each transaction writes the page that has the log's uuid (see `common.log_file.SCHEMA`). `db` has the pages in their
    place already: if they are another log's, then so is the uuid that it shows, and the file itself does not have that.
    """
    try:
        ((uuid,),) = db.execute("SELECT value FROM meta WHERE key = 'uuid'")
        ((page,),) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'meta'")
        with path.open("rb") as file:
            file.seek((page - 1) * PAGE_BYTES)
            own = uuid.encode() in file.read(PAGE_BYTES) and any(uuid.encode() in page for page in pages)
    except (*DATABASE_ERRORS, ValueError, AttributeError):
        own = False
    if not own:
        raise StorageRefused(f"the log {path} has a {path.name}-wal that is not its own: put back the one that is, or none")


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


def check_newest(path: Path, db: sqlite3.Connection, meta: Meta) -> None:
    """Raises `StorageRefused` if something is wrong with the newest messages, or with those who were here last."""
    with refusing(path):
        row = db.execute("SELECT last FROM runs ORDER BY last DESC LIMIT 1 OFFSET ?", (_NEWEST,)).fetchone()
        kept = people_findings(db, f"WHERE kept_until_ms IS NULL OR kept_until_ms > {time.time_ns() // 1_000_000}")
        for finding in itertools.chain(chain.findings(db, meta.uuid, row[0] if row else 0), kept):
            raise damaged(path, f"{finding}, chat-broker check finds all")


def people_findings(db: sqlite3.Connection, where: str = "") -> Iterator[str]:
    """What is wrong with the people of the log; a few words each."""
    for person, crc, *values in db.execute(f"SELECT person, crc, identity, name, name_key, kept_until_ms FROM people {where}"):
        if checksum(*values) != crc:
            yield f"person {person} is not as it was written"
