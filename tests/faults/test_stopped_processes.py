"""A process that is stopped (SIGSTOP) for a while is contained: the others' memory stays bounded, nothing is lost or doubled, and
who can serve does.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.figures import memory
from common import messages as m
from tests.faults.broken import broken
from tests.faults.load import Load, Talker
from tests.support.groups import LONG, rounds
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.timeouts import seconds
from tests.support.verdict import entries_of, verify
from workers.placement import SLOW_SECONDS

MIB = 1024 * 1024
BIG_TEXT = "x" * 12_000
TO_A_STOPPED_WORKER = rounds(12, 48) * MIB
BROKER_GROWS = rounds(19, 42) * MIB
"""What may wait for a worker, the cache of the database, and some more."""
TO_A_STOPPED_BROKER = 24 * MIB
WORKER_GROWS = 18 * MIB
"""The requests that may wait for the broker, once as such and once in the pipe's buffer, and some more."""
BUILD = [] if LONG else ["keeps_little_for_the_stopped"]
"""An everyday run reaches a smaller bound sooner."""


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it may have been killed meanwhile
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def loaded_server(data_dir: Path) -> Iterator[tuple[Server, Load]]:
    """With people who talk; at the end everything must be as it should."""
    with running_server(data_dir) as server, Load(server.port, seeded(), clients=20, rooms=4, rate=200) as load:
        load.start()
        yield server, load
        load.settle()
        load.close()
        server.stop()
        verify(load.talkers, entries_of(data_dir))


# --- the broker --------------------------------------------------------------------------------------------------------


def stop_broker(data_dir: Path) -> None:
    """People go on talking, and some of them very much; then it goes on as if nothing had been."""
    with loaded_server(data_dir) as (server, load):
        workers = [pid for name, pid in server.children().items() if name.startswith("worker")]
        before = [memory([pid]) for pid in workers]
        with stopped(server.children()["broker"]):
            for talker in load.talkers[:4]:
                for _ in range(TO_A_STOPPED_BROKER // 4 // len(BIG_TEXT)):
                    talker.send(talker.protocol.name, BIG_TEXT)  # to themselves
            load.run(rounds(0, 10))
            grown = settled_growth(load, workers, before)
        print(f"the workers grew by {grown} MiB")
        assert max(grown) < WORKER_GROWS / MIB, f"the workers grew by {grown} MiB"
        load.run_until(lambda: not any(talker.protocol.outbox for talker in load.talkers), "all is taken", 10, talking=False)
        assert load.everybody_is_served() < seconds(2)
        assert not load.cuts


def settled_growth(load: Load, pids: list[int], before: list[int]) -> list[float]:
    """By how many MiB each has grown once it grows no more, or is known to grow too far."""
    grown = [0.0]
    while True:
        load.run(seconds(0.5))
        last, grown = grown, [(memory([pid]) - then) / MIB for pid, then in zip(pids, before, strict=True)]
        if max(grown) - max(last) < 1 or max(grown) > WORKER_GROWS / MIB:
            return grown


def test_stopped_broker(tmp_path: Path) -> None:
    stop_broker(tmp_path / "data")


def test_workers_grow_when_they_go_on_reading(tmp_path: Path) -> None:
    with broken("reads_without_end"), pytest.raises(AssertionError, match="the workers grew"):
        stop_broker(tmp_path / "data")


# --- a worker ----------------------------------------------------------------------------------------------------------


def stop_worker(data_dir: Path) -> None:
    """Much is said to one of its clients by others. New clients get in, to those who can serve them."""
    with loaded_server(data_dir) as (server, load):
        children = server.children()
        before = memory([children["broker"]])
        with stopped(children["worker 1"]):
            stuck, served = apart(load)
            newcomers_are_served(load)
            tell(load, served[0], stuck[0], TO_A_STOPPED_WORKER)
            grown = (memory([children["broker"]]) - before) / MIB
            load.run(rounds(0, 30))
        print(f"the broker grew by {grown:.1f} MiB")
        assert grown < BROKER_GROWS / MIB, f"the broker grew by {grown} MiB"
        load.everybody_is_served(10)
        assert "worker 1 does not read" in server.log.read_text()


def apart(load: Load) -> tuple[list[Talker], list[Talker]]:
    """The clients who are not served now, and those who are."""
    talkers = [*load.talkers]
    refs = [talker.send(m.LOBBY, "is anybody there?") for talker in talkers]
    load.run(seconds(0.5))
    answered = [ref in talker.acknowledged for talker, ref in zip(talkers, refs, strict=True)]
    return (
        [talker for talker, yes in zip(talkers, answered, strict=True) if not yes],
        [talker for talker, yes in zip(talkers, answered, strict=True) if yes],
    )


def newcomers_are_served(load: Load) -> None:
    """Only who comes before it shows that the worker does not take anybody may have to try again."""
    load.add()
    load.add()
    load.run(seconds(2 * SLOW_SECONDS))
    newcomers = [load.add() for _ in range(5)]
    load.run_until(lambda: all(talker.live for talker in newcomers), "newcomers are served", 1)


def tell(load: Load, sender: Talker, receiver: Talker, size: int) -> None:
    """So many bytes from one to the other."""
    for _ in range(size // len(BIG_TEXT) // 50):
        for _ in range(50):
            sender.send(receiver.protocol.name, BIG_TEXT)
        load.run_until(lambda: len(sender.protocol.outbox) < 50, "the messages are taken")


def test_stopped_worker(tmp_path: Path) -> None:
    with broken(*BUILD):
        stop_worker(tmp_path / "data")


def test_the_broker_grows_when_it_keeps_everything(tmp_path: Path) -> None:
    with broken(*BUILD, "keeps_everything_for_the_stopped"), pytest.raises(AssertionError, match="the broker grew"):
        stop_worker(tmp_path / "data")


def stop_worker_while_the_broker_dies(data_dir: Path, limit: float = 8) -> None:
    """No name can be granted before it has said whose it has, and so it must not take forever."""
    with loaded_server(data_dir) as (server, load):
        children = server.children()
        with stopped(children["worker 2"]):
            os.kill(children["broker"], signal.SIGKILL)
            load.everybody_is_served(limit)
            assert (
                f"worker 2 (pid {children['worker 2']}) does not introduce itself to the broker and is killed"
                in server.log.read_text()
            )


def test_a_worker_that_is_stopped_when_the_broker_dies_is_replaced(tmp_path: Path) -> None:
    stop_worker_while_the_broker_dies(tmp_path / "data")


def test_it_shows_when_it_is_waited_for(tmp_path: Path) -> None:
    with broken("waits_for_the_stopped"), pytest.raises(AssertionError, match="not within"):
        stop_worker_while_the_broker_dies(tmp_path / "data", limit=3)
