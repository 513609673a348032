"""The runs in the file as a chain, each with a checksum over itself and the one before it: its end, and whether it holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from common.log import Run
from common.log_file import SELECT_RUNS, link, run_of, text_checksums
from common.messages import ID_MAX

_SELECT_LINKS = SELECT_RUNS.replace("SELECT last", "SELECT text_crcs, runs.crc, last").replace("JOIN", "LEFT JOIN")
"""Rows whose conversation or person is not there come with NULL for it."""
_TYPES = (bytes, int, int, int, int, str, str, str, str, int, str, int)


def newest_id(db: sqlite3.Connection) -> int:
    """0 in an empty log."""
    return _integer(db.execute("SELECT max(last) FROM runs"))


def newest_crc(db: sqlite3.Connection, upto: int = ID_MAX) -> int:
    """The checksum of the newest run with ids up to `upto`, 0 if there is none: what the next one follows."""
    return _integer(db.execute("SELECT crc FROM runs WHERE last <= ? ORDER BY last DESC LIMIT 1", (upto,)))


def _integer(rows: sqlite3.Cursor) -> int:
    """What the first row holds; 0 if there is none, or something else where the file is damaged."""
    row = rows.fetchone()
    return row[0] if row and type(row[0]) is int else 0


def findings(db: sqlite3.Connection, log: str, after: int = 0) -> Iterator[str]:
    """What is wrong with the messages above the id `after`, where a run ends; a few words each."""
    before, reached = newest_crc(db, after), after
    for text_crcs, crc, *row in db.execute(f"{_SELECT_LINKS} WHERE last > ? ORDER BY last", (after,)):
        if tuple(map(type, (text_crcs, crc, *row))) != _TYPES or row[-1] not in (0, 1):
            yield f"message {row[0]} has no sender, no conversation, or a value of the wrong kind"
        else:
            try:
                run = run_of(row)
            except sqlite3.DatabaseError as damage:
                yield str(damage)
            else:
                yield from _of_texts(run, text_crcs)
                if run.first <= reached or not _fits(log, run, text_crcs, crc, before):
                    yield f"message {run.last}, or the one before it, is not as it was written"
        before, reached = crc if type(crc) is int else 0, row[0]


def _of_texts(run: Run, text_crcs: bytes) -> Iterator[str]:
    """The first text that is not as it was written."""
    right = text_checksums(run.texts)
    for at, id in zip(range(0, len(right), 4), range(run.first, run.last + 1), strict=True):
        if right[at : at + 4] != text_crcs[at : at + 4]:
            yield f"the text of message {id} is not as it was written"
            return


def _fits(log: str, run: Run, text_crcs: bytes, crc: int, before: int) -> bool:
    return 0 <= before < 1 << 32 and link(log, run, text_crcs, before) == crc
