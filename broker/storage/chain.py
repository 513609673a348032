"""The messages in the file as a chain, each with a checksum over itself and the one before it: its end, and whether it holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from common.log import Entry
from common.log_file import SELECT_ENTRIES, entry_of, link, text_checksum
from common.messages import ID_MAX

_SELECT_LINKS = SELECT_ENTRIES.replace("SELECT id", "SELECT text_crc, messages.crc, id").replace("JOIN", "LEFT JOIN")
"""Rows whose conversation or person is not there come with NULL for it."""
_TYPES = (int, int, int, int, str, str, str, str, int, str, int)


def newest_id(db: sqlite3.Connection) -> int:
    """0 in an empty log."""
    return _integer(db.execute("SELECT max(id) FROM messages"))


def newest_crc(db: sqlite3.Connection, upto: int = ID_MAX) -> int:
    """The checksum of the newest message with an id up to `upto`, 0 if there is none: what the next one follows."""
    return _integer(db.execute("SELECT crc FROM messages WHERE id <= ? ORDER BY id DESC LIMIT 1", (upto,)))


def used_ids(db: sqlite3.Connection) -> int:
    """The greatest id that was ever in the log."""
    return _integer(db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'"))


def _integer(rows: sqlite3.Cursor) -> int:
    """What the first row holds; 0 if there is none, or something else where the file is damaged."""
    row = rows.fetchone()
    return row[0] if row and type(row[0]) is int else 0


def findings(db: sqlite3.Connection, log: str, after: int = 0) -> Iterator[str]:
    """What is wrong with the messages above the id `after`, a few words each."""
    before = newest_crc(db, after)
    for text_crc, crc, *row in db.execute(f"{_SELECT_LINKS} WHERE id > ? ORDER BY id", (after,)):
        if tuple(map(type, (text_crc, crc, *row))) != _TYPES or row[-1] not in (0, 1):
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
