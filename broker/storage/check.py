"""Whether a log is whole: all of it, for `chat-broker check`. What is verified at every start is in `broker.storage.opening`.

Each run of messages has a checksum that covers its content and the run before it, each text and each person has one of its own,
and SQLite compares every table with its indexes. Hence whatever a change of the files lets anybody read otherwise is found.

If the server was stopped in good order, the whole file is compared with its seal as well. Without that (after a crash, or
where the file is very large) two things are not found: a change in the unused room of a page, which nothing reads; and the
loss of the newest messages all at once, by a copy that is older but whole, or by damage to the last transaction of a
write-ahead log, which looks like one that a crash cut short.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sqlite3
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path

from broker.log import StorageRefused
from broker.storage import chain, files, opening, seal, wal
from common.log import is_direct, parties
from common.log_file import FILE_NAME
from common.text import clean_line

_FINDINGS_MAX = 100
_KEYS_TWICE = """
    SELECT last FROM (SELECT last, ref, lag(ref + count) OVER (PARTITION BY person ORDER BY ref) AS free FROM runs)
    WHERE free > ref
"""


def check(data_dir: Path) -> list[str]:
    """What is wrong with the log in the directory, one line each, at most a hundred; nothing if it is whole.

    Changes nothing in the directory. Raises `StorageRefused` if there is no log in it, it may not be looked at, or a server
    uses it.
    """
    path = data_dir.absolute() / FILE_NAME
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise StorageRefused(f"there is no log in {data_dir}: name the server's --data-dir") from None
    except OSError as problem:
        raise StorageRefused(
            f"the log in {data_dir} cannot be read ({problem.strerror}): check it as the server's user"
        ) from None
    with contextlib.ExitStack() as stack:
        try:
            stack.callback(os.close, files.lock(path.parent))
        except files.InUse:
            advice = f"stop that one first, or check a backup; chat-broker status {shlex.quote(str(data_dir))} tells how it is"
            raise StorageRefused(f"a server uses the log in {data_dir}: {advice}") from None
        return list(islice(stack.enter_context(contextlib.closing(_findings(path))), _FINDINGS_MAX))


def _findings(path: Path) -> Generator[str, None, None]:
    try:
        yield from _of_files(path)
        with opening.looking(path) as (db, meta):
            yield from _of_sqlite(db)
            yield from chain.findings(db, meta.uuid)
            yield from _of_counts(db)
            yield from opening.people_findings(db)
            yield from _of_conversations(db)
    except StorageRefused as refused:
        yield str(refused)


def _of_files(path: Path) -> Iterator[str]:
    log = path.with_name(f"{path.name}-wal")
    with opening.refusing(path):
        if seal.is_broken(path):
            yield f"{path.name} is not as the server left it when it stopped"
        if log.exists() and wal.lost_commits(log.read_bytes()):
            yield f"{log.name} is damaged: what stands in it behind the damage is lost"


def _of_sqlite(db: sqlite3.Connection) -> Iterator[str]:
    """Pages, the order of keys, tables against their indexes, kinds of values."""
    for (told,) in db.execute(f"PRAGMA integrity_check({_FINDINGS_MAX})"):
        if told != "ok":
            yield clean_line(told)


def _of_counts(db: sqlite3.Connection) -> Iterator[str]:
    meta = dict(db.execute("SELECT key, value FROM meta"))
    if meta.keys() != {*opening.Meta._fields, "crc", "messages", "commits"}:
        yield "the table meta has not the rows that it should have"
    (count,) = db.execute("SELECT coalesce(sum(count), 0) FROM runs").fetchone()
    if meta.get("messages") != count:
        yield f"there are {count} messages, and should be {meta.get('messages')}"
    for (last,) in db.execute(_KEYS_TWICE):
        yield f"the run of messages up to {last} has keys that another one has"


def _of_conversations(db: sqlite3.Connection) -> Iterator[str]:
    one, other = (f"coalesce((SELECT identity FROM people WHERE person = {party}), {party})" for party in ("one", "other"))
    for number, conv, *pair in db.execute(f"SELECT number, conv, {one}, {other} FROM conversations"):
        if pair != ([*parties(conv)] if type(conv) is str and is_direct(conv) else [None, None]):
            yield f"conversation {number} has not the people that its name says"
