"""The log of a server that is measured: how it is filled before a run, and what stands in it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from broker.storage.sqlite import SqliteLog
from common.log import Run
from common.log_file import FILE_NAME
from common.messages import make_ref

ROOMS = 100
"""The messages are in so many rooms, in turn, unless they are all in one."""
_AT_ONCE = 20_000
_PEOPLE = 200


class Logged(NamedTuple):
    """What stands in a log."""

    messages: int
    commits: int
    """Each of them waited for the disk."""


def logged(data_dir: Path) -> Logged:
    """Also while a server uses it."""
    with closing(sqlite3.connect(f"{(data_dir / FILE_NAME).as_uri()}?mode=ro", uri=True)) as database:
        return Logged(**dict(database.execute("SELECT key, value FROM meta WHERE key IN ('messages', 'commits')").fetchall()))


def fill(data_dir: Path, count: int, room: str | None = None) -> None:
    """So many messages of some hundred people in a room, or in as many rooms, by the code that the broker writes its log with."""
    data_dir.mkdir(parents=True)
    log = SqliteLog.open(data_dir, synchronous="OFF")
    now_ms = time.time_ns() // 1_000_000 - count
    try:
        for first in range(0, count, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, count))
            log.append([_draft(number, now_ms + number, room) for number in numbers], [])
            log.checkpoint()
    finally:
        log.close()


def past_room(number: int) -> str:
    """The room of the message of this number."""
    return f"#past{number % ROOMS}"


def _draft(number: int, time_ms: int, room: str | None) -> Run:
    person = number % _PEOPLE
    room = room or past_room(number)
    return Run(0, time_ms, room, room, f"past{person}", f"gpast{person}", make_ref(1, number), [f"said once, number {number}"])
