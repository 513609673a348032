"""Fills a log before a run: with what is measured stands much that was said before."""

from __future__ import annotations

import time
from pathlib import Path

from broker.log import Draft
from broker.storage.sqlite import SqliteLog
from common.messages import make_ref

_AT_ONCE = 20_000
_ROOMS = 100
_PEOPLE = 200


def fill(data_dir: Path, count: int) -> None:
    """So many messages of some hundred people in as many rooms, by the code that the broker writes its log with."""
    data_dir.mkdir(parents=True)
    log = SqliteLog.open(data_dir, synchronous="OFF")
    now_ms = time.time_ns() // 1_000_000 - count
    try:
        for first in range(0, count, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, count))
            log.append([_draft(number, now_ms + number) for number in numbers], [])
            log.checkpoint()
    finally:
        log.close()


def _draft(number: int, time_ms: int) -> Draft:
    person = number % _PEOPLE
    room = f"#past{number % _ROOMS}"
    return Draft(time_ms, room, room, f"past{person}", f"gpast{person}", make_ref(1, number), f"said once, number {number}")
