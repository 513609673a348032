"""The log's file, as those who write it and those who read it must both know it: names, schema, rows, checksums.

No database is opened here: `broker.storage` writes the file, `workers.log_reader` reads it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgpack

from common.log import RUN_MESSAGES, Run
from common.messages import COUNTER_BITS
from common.text import clean_line

FILE_NAME = "chat.db"
APPLICATION_ID = 0x6362726B
"""Marks an SQLite file as a log of this program ("cbrk")."""
SCHEMA_VERSION = 2
PAGE_BYTES = 4096

DATABASE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What any use of the file may raise: SQLite quotes a damaged file in its errors, and Python cannot always decode that."""

SCHEMA: tuple[str, ...] = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE people (
        person INTEGER PRIMARY KEY,
        identity TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL,
        kept_until_ms INTEGER,
        crc INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX people_by_name ON people (name_key, kept_until_ms)",
    "CREATE INDEX people_by_time ON people (kept_until_ms)",
    """CREATE TABLE conversations (
        number INTEGER PRIMARY KEY,
        conv TEXT NOT NULL UNIQUE,
        one INTEGER REFERENCES people (person),
        other INTEGER REFERENCES people (person)
    ) STRICT""",
    "CREATE INDEX conversations_by_one ON conversations (one)",
    "CREATE INDEX conversations_by_other ON conversations (other)",
    """CREATE TABLE runs (
        last INTEGER PRIMARY KEY,
        count INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        conversation INTEGER NOT NULL REFERENCES conversations (number),
        person INTEGER NOT NULL REFERENCES people (person),
        ref INTEGER NOT NULL,
        recipient TEXT NOT NULL,
        sender TEXT NOT NULL,
        texts TEXT NOT NULL,
        topic INTEGER NOT NULL,
        text_crcs BLOB NOT NULL,
        crc INTEGER NOT NULL,
        UNIQUE (person, ref)
    ) STRICT""",
    "CREATE INDEX runs_by_conversation ON runs (conversation)",
    "CREATE INDEX topics ON runs (conversation) WHERE topic",
)
"""`meta` holds `uuid`, `key`, `created_ms`, `crc` (over these three), `messages` and `commits` (how many there are).

A row of `runs` is a run of `count` messages (see `common.log.Run`), of which `last` is the newest one's id and `ref` the
oldest one's. An index ends with the row's id, so `runs_by_conversation` gives a conversation's runs in order without touching
the rows, and `topics` those of its messages that set the topic. `one` and `other` are the people of a direct conversation, and
NULL for a room.
"""

SELECT_RUNS = """
    SELECT last, count, time_ms, conv, recipient, sender, identity, ref, texts, topic
    FROM runs JOIN conversations ON number = conversation JOIN people USING (person)
"""
"""Gives rows for `run_of`; a WHERE follows."""


def run_of(row: Sequence[Any]) -> Run:
    """The messages that a row of `SELECT_RUNS` stands for. Raises `sqlite3.DatabaseError` if it can be none of ours."""
    last, count, time_ms, conv, recipient, sender, identity, ref, together, topic = row
    texts = split(together, count)
    counter = unsigned(ref) & (1 << COUNTER_BITS) - 1
    if len(texts) != count or count > RUN_MESSAGES or last < count or counter + count > 1 << COUNTER_BITS:
        raise sqlite3.DatabaseError(f"there are not as many messages up to {last} as there should be")
    return Run(last - count + 1, time_ms, conv, recipient, sender, identity, unsigned(ref), texts, topic == 1)


_DAMAGED_MOST = 1_000


class Damage:
    """Tells in the program's log which runs of messages are damaged, each once."""

    def __init__(self, path: Path, logger: logging.Logger) -> None:
        self._path = path
        self._logger = logger
        self._told: set[int] = set()
        """The last ids of those runs."""

    def tell(self, last: int, what: str) -> None:
        if last not in self._told and len(self._told) < _DAMAGED_MOST:
            self._told.add(last)
            self._logger.error("the log %s is damaged, %s: run chat-broker check", self._path, what)


# --- texts -------------------------------------------------------------------------------------------------------------

_SEPARATOR = "\x1e"
"""ASCII's record separator: no text has it that was cleaned (`common.text.clean`)."""


def joined(texts: Sequence[str]) -> str:
    """The texts of a run as one, which is what a single text is. Raises `ValueError` for what could not be split again."""
    if len(texts) == 1:
        return texts[0]
    if _SEPARATOR in "".join(texts):
        raise ValueError("a text has the separator of texts in it")
    return _SEPARATOR.join(texts)


def split(together: str, count: int) -> list[str]:
    """The texts of a run of so many messages."""
    return together.split(_SEPARATOR) if count > 1 else [together]


# --- refs --------------------------------------------------------------------------------------------------------------


def signed(ref: int) -> int:
    """An unsigned 64-bit ref as the file has it: SQLite's integers are signed, so the upper half becomes negative."""
    return ref if ref < 1 << 63 else ref - (1 << 64)


def unsigned(stored: int) -> int:
    """The ref that the file has as `stored`."""
    return stored if stored >= 0 else stored + (1 << 64)


# --- checksums ---------------------------------------------------------------------------------------------------------

_pack = msgpack.Packer().pack
_CHECKSUMS = [struct.Struct(f"<{count}I") for count in range(RUN_MESSAGES + 1)]


def checksum(*values: Any) -> int:
    """Over numbers, strings and bytes in their order. msgpack has one form for each list of values, so two differ."""
    return zlib.crc32(_pack(values))


def text_checksums(texts: Sequence[str]) -> bytes:
    """One for each text (32 bits, little-endian), so that one of them can be blanked later."""
    return _CHECKSUMS[len(texts)].pack(*[zlib.crc32(text.encode()) for text in texts])


def link(log: str, run: Run, text_crcs: bytes, before: int) -> int:
    """The checksum of a run's row: over its content and `before`, the checksum of the row before it (0 at the start).

    The texts enter by their own checksums alone, so that each can be blanked later without breaking the chain. `log` is the
    log's uuid: rows of another log do not fit in.
    """
    first, time_ms, conv, to, sender, identity, ref, _, topic = run
    return zlib.crc32(_pack((log, first, time_ms, conv, to, sender, identity, ref, topic, text_crcs)), before)


# --- the files on the disk ---------------------------------------------------------------------------------------------

_SUFFIXES = ("", "-wal", "-shm")
_WHY_CHARS = 200
"""An error may quote a whole text."""


def which_file(path: Path | str) -> tuple[int, int]:
    """Tells apart two files that stood at the same path one after the other. Raises `OSError`."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def which_files(path: Path) -> list[tuple[int, int]]:
    """The same of the log at `path`, which somebody has open, and of the two files that SQLite keeps beside it.

    Who has them open would not notice by itself that they were moved or deleted. Raises `OSError`.
    """
    return [which_file(f"{path}{suffix}") for suffix in _SUFFIXES]


def why(problem: BaseException) -> str:
    """What went wrong with a log, in a few words."""
    said = problem.strerror if isinstance(problem, OSError) else None
    return said or clean_line(str(problem))[:_WHY_CHARS]


def underlying(path: Path, problem: BaseException) -> BaseException:
    """What is behind a problem with the log at `path`, which is closed. SQLite does not say why it cannot open a file: it may be
    gone, or no descriptor be left.
    """
    if getattr(problem, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN:
        try:
            with contextlib.ExitStack() as stack:
                for suffix in _SUFFIXES:
                    name = f"{path}{suffix}"
                    to_be_made = suffix and not os.path.exists(name)
                    stack.enter_context(open(os.devnull if to_be_made else name, "rb"))
        except OSError as cause:
            return cause
    return problem
