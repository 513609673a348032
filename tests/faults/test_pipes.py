"""The pipes between the broker and the workers cannot lock up, and a worker that does not read loses nothing by it.

The pipes hold a few KiB, everybody talks in bursts, joins and parts, and at any moment a process is stopped for a while. When
that was a worker, it finds that some of its clients lost their names meanwhile; they are thrown out, and come back.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.broken import broken
from tests.faults.load import Load
from tests.support.groups import rounds
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.verdict import entries_of, verify

CLIENTS = 30
ROOMS = 8
MESSAGES = rounds(5_000, 1_000_000)
"""Messages both ways, in all."""
SCHEDULES = rounds(1, 50)
WATCHDOG = 20.0
"""Seconds in which everything that was said must be acknowledged, whatever happened before."""


def test_tiny_pipes_do_not_lock_up(tmp_path: Path) -> None:
    pipes(tmp_path, SCHEDULES)


def test_they_do_where_writing_blocks(tmp_path: Path) -> None:
    with broken("blocks_on_its_pipe"), pytest.raises(AssertionError, match="not within"):
        pipes(tmp_path, 2, watchdog=2)


def test_messages_are_lost_where_a_dropped_stream_goes_on_as_if_nothing_was(tmp_path: Path) -> None:
    with broken("forgets_who_fell_behind"), pytest.raises(AssertionError, match=r"not within|did not see"):
        pipes(tmp_path, 2, watchdog=2)


def test_who_is_thrown_out_and_is_not_told_waits_for_ever(tmp_path: Path) -> None:
    with broken("keeps_who_was_thrown_out"), pytest.raises(AssertionError, match=r"not within|did not see"):
        pipes(tmp_path, 2, watchdog=2)


def pipes(scratch: Path, schedules: int, watchdog: float = WATCHDOG) -> None:
    chance = seeded()
    data = scratch / "data"
    with broken("has_tiny_pipes", "drops_streams_early", "gives_names_away"), running_server(data) as server:
        with Load(server.port, chance, clients=CLIENTS, rooms=ROOMS, rate=500) as load:
            load.start()
            for number in range(1, schedules + 1):
                one_schedule(server, load, chance, MESSAGES * number // schedules, watchdog)
            load.settle(watchdog)
            print(f"{moved(load)} messages both ways")
        server.stop()
        dropped = server.log.read_text().count("it will be told everything anew")
    kicks = sum(talker.kicks for talker in load.talkers)
    print(f"{dropped} times a worker's stream was dropped, {kicks} times a client was thrown out")
    verify(load.talkers, entries_of(data))
    assert load.cuts.total() == kicks, f"nobody else was cut off: {load.cuts}"
    assert dropped > 0, "the way by the snapshot was taken"
    assert kicks > 0, "somebody was thrown out"


def moved(load: Load) -> int:
    return sum(len(talker.sent) + len(talker.delivered) for talker in load.talkers)


def one_schedule(server: Server, load: Load, chance: random.Random, until: int, watchdog: float) -> None:
    children = server.children()
    for victim in ("worker 1", "broker", "worker 2"):
        burst(load, chance)
        with stopped(children[victim]):
            load.run(chance.uniform(0.05, 0.4))
            come_and_go(load, chance)
            burst(load, chance)
            load.run(chance.uniform(0.05, 0.2))
    while True:
        load.run_until(
            lambda: not any(talker.protocol.outbox for talker in load.talkers), "all is acknowledged", watchdog, talking=False
        )
        if moved(load) >= until:
            return
        burst(load, chance)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def burst(load: Load, chance: random.Random) -> None:
    """Everybody says much at once: more than the pipes hold."""
    for talker in load.talkers:
        for _ in range(chance.randint(0, 12)):
            load.say(talker)


def come_and_go(load: Load, chance: random.Random) -> None:
    """Some part from a room, and join another."""
    for talker in chance.sample(load.talkers, CLIENTS // 4):
        if talker.live and talker.protocol.rooms:
            talker.part(chance.choice([*talker.protocol.rooms]))
            talker.protocol.join(f"#room{chance.randrange(ROOMS)}")
