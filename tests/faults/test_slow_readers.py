"""A client that does not read harms nobody, is not thrown out, and gets everything when it reads again."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.figures import memory, p99
from tests.faults.broken import broken
from tests.faults.load import Load, Talker
from tests.support.encrypted import tls_options
from tests.support.groups import LONG, rounds
from tests.support.seeds import seeded
from tests.support.server import running_server
from tests.support.timeouts import seconds
from tests.support.verdict import entries_of, verify

CLIENTS = rounds(20, 200)
SLOW = rounds(5, 20)
RATE = 100
"""Messages a second that all of them say together, beside the flood."""
FLOOD_SECONDS = 60 if LONG else 0.6
FLOOD_BYTES = rounds(3, 50) * 2**20
TEXT_BYTES = 15_000
REPETITIONS = rounds(1, 5)
WARM_BYTES = rounds(1, 24) * 2**20
"""After so much said the processes have the memory that they need at any rate: the database's cache is full."""
PATIENCE = rounds(30, 300)
"""Seconds in which they have got everything once they read again: that is a gigabyte in a long run."""
MEMORY_BYTES = 256 * 1024
"""For each slow reader."""
SLACK = 0.02 if LONG else 0.25
"""By so many seconds the others may wait longer in any case. In an everyday run p99 is the slowest of some dozens, on a machine
that has other things to do."""


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_slow_readers_harm_nobody_and_miss_nothing(tls: bool, tmp_path: Path) -> None:
    slow_readers(tmp_path, tls=tls)


def test_they_miss_something_where_they_are_forgotten(tmp_path: Path) -> None:
    with broken("forgets_slow_readers"), pytest.raises(AssertionError, match=r"did not see|not within"):
        slow_readers(tmp_path, limit=2, memory_bytes=math.inf)


def test_they_cost_memory_where_everything_is_queued_for_them(tmp_path: Path) -> None:
    with broken("queues_for_slow_readers"), pytest.raises(AssertionError, match="bytes more for each slow reader"):
        slow_readers(tmp_path)


def test_it_shows_when_they_are_thrown_out(tmp_path: Path) -> None:
    with broken("throws_slow_readers_out"), pytest.raises(AssertionError, match="nobody is thrown out"):
        slow_readers(tmp_path, memory_bytes=math.inf)


def slow_readers(scratch: Path, limit: float = PATIENCE, memory_bytes: float = MEMORY_BYTES, tls: bool = False) -> None:
    data = scratch / "data"
    with broken(*([] if LONG else ["has_a_small_cache"])), running_server(data, *tls_options(scratch, tls)) as server:
        with Load(server.port, seeded(), clients=CLIENTS, rooms=CLIENTS // 8, rate=RATE, tls=tls) as load:
            *talkers, flooder = load.talkers
            slow, others = talkers[:SLOW], talkers[SLOW:]
            for talker in (*slow, flooder):
                talker.protocol.join("#flood")
            load.start()
            flood(load, flooder, WARM_BYTES, 0)
            load.run_until(lambda: not flooder.protocol.outbox, "the flood is over", 20)
            before = [one_p99(load, flooder, others) for _ in range(REPETITIONS)]
            had = memory(server.children().values())
            for talker in slow:
                talker.reading = False
            during = [one_p99(load, flooder, others) for _ in range(REPETITIONS)]
            more = (memory(server.children().values()) - had) / SLOW
            behind = server.status()["per_worker"]
            print(f"the others' p99: {told(before)} before, {told(during)} while {SLOW} of {CLIENTS} did not read")
            print(f"{more / 1024:.0f} KiB more for each slow reader; {sum(one['lagging'] for one in behind)} were behind")
            assert more < memory_bytes, f"{more:.0f} bytes more for each slow reader"
            for talker in slow:
                talker.reading = True
            load.settle(limit)
        server.stop()
    verify(load.talkers, entries_of(data))
    assert not load.cuts, "nobody is thrown out"
    assert sum(one["lagging"] for one in behind) == SLOW
    usual = statistics.median(before)
    assert statistics.median(during) <= max(2 * usual, usual + seconds(SLACK))


def one_p99(load: Load, flooder: Talker, others: Sequence[Talker]) -> float:
    """What the others wait for their acknowledgements at most while the flood goes through."""
    for talker in others:
        talker.waits.clear()
    flood(load, flooder, FLOOD_BYTES // REPETITIONS, FLOOD_SECONDS / REPETITIONS)
    return p99([wait for talker in others for wait in talker.waited()])


def flood(load: Load, flooder: Talker, size: int, duration: float) -> None:
    """So many bytes go into the slow readers' room, evenly in that time (seconds)."""
    count = size // TEXT_BYTES
    for _ in range(count):
        flooder.send("#flood", "x" * TEXT_BYTES)
        load.run(duration / count)


def told(times: Sequence[float]) -> str:
    return " ".join(f"{1000 * time:.1f}" for time in times) + " ms"
