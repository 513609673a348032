"""Many clients that come back at once: each gets what it missed, and neither the broker nor the memory notices much of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench.figures import memory, p99, processor_seconds
from common import messages as m
from tests.faults.broken import broken
from tests.faults.load import Load, Talker
from tests.support.groups import rounds
from tests.support.seeds import seeded
from tests.support.server import running_server
from tests.support.timeouts import seconds
from tests.support.verdict import entries_of, verify

CLIENTS = rounds(100, 1000)
STAYING = 10
MISSED = 100
TEXT_BYTES = 4_000
MEMORY_BYTES = 40 * 1024
"""More for each that comes back. Each missed 400 KiB; the kernel takes some of that."""
BROKER_SECONDS = 0.004
"""The broker's work for each that comes back."""
MOST_SECONDS = 1.0
"""What those who stayed wait for their messages at most (p99)."""


def test_many_come_back_at_once(tmp_path: Path) -> None:
    crowd(tmp_path)


def test_they_cost_memory_where_each_is_sent_all_at_once(tmp_path: Path) -> None:
    with broken("replays_all_at_once"), pytest.raises(AssertionError, match="bytes more for each"):
        crowd(tmp_path)


def crowd(scratch: Path) -> None:
    data = scratch / "data"
    with running_server(data) as server:
        with Load(server.port, seeded(), clients=CLIENTS + STAYING, rooms=CLIENTS // 10, rate=50) as load:
            load.start(limit=30)
            staying, leaving = load.talkers[:STAYING], load.talkers[STAYING:]
            go_away(leaving)
            for number in range(MISSED):
                staying[number % STAYING].send(m.LOBBY, "x" * TEXT_BYTES)
            load.run_until(lambda: not any(talker.protocol.outbox for talker in staying), "it is said", 20, talking=False)
            children = server.children()
            had, worked = memory(children.values()), processor_seconds(children["broker"])
            began = time.monotonic()
            most, waits = come_back(load, staying, leaving, lambda: memory(children.values()))
            took = time.monotonic() - began
            worked = processor_seconds(children["broker"]) - worked
            more = (most - had) / CLIENTS
            print(f"{CLIENTS} are back after {took:.1f} s, {more / 1024:.0f} KiB more for each at most")
            print(f"the broker worked {worked:.2f} s; those who stayed waited {1000 * waits:.0f} ms (p99)")
            assert more < MEMORY_BYTES, f"{more:.0f} bytes more for each"
            load.settle()
        server.stop()
    verify(load.talkers, entries_of(data))
    assert worked / CLIENTS < seconds(BROKER_SECONDS)
    assert waits < seconds(MOST_SECONDS)


def go_away(leaving: Sequence[Talker]) -> None:
    for talker in leaving:
        talker.close()
        talker.connect_at = math.inf


def come_back(
    load: Load, staying: Sequence[Talker], leaving: Sequence[Talker], memory_now: Callable[[], int]
) -> tuple[int, float]:
    """All at once; for a while they read nothing, and then all that there is.

    The most memory that was needed, and what the others waited (p99) in that while: later this process has its hands full.
    """
    for talker in leaving:
        talker.connect_at = 0.0
        talker.reading = False
    for talker in staying:
        talker.waits.clear()
    most = 0
    waits: list[float] = []
    read_at = time.monotonic() + 1
    while not all(talker.live for talker in leaving):
        speak(load, staying)
        load.run(0.1, talking=False)
        most = max(most, memory_now())
        if not waits and time.monotonic() >= read_at:
            waits = [wait for talker in staying for wait in talker.waited()]
            for talker in leaving:
                talker.reading = True
    return most, p99(waits)


def speak(load: Load, staying: Sequence[Talker]) -> None:
    for talker in staying:
        talker.send(talker.protocol.name, "is it slow today?")
