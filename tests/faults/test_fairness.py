"""One client that asks as fast as it can does not make the others wait."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.figures import p99
from common import messages as m
from tests.faults.broken import broken
from tests.faults.flooder import REQUESTS
from tests.faults.load import Load
from tests.support.groups import LONG
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.timeouts import seconds
from tests.support.verdict import entries_of, verify

MOST_SECONDS = 0.1 if LONG else 0.15
OF_HUNDRED = 99 if LONG else 75
"""What the others wait at most while one floods, and how many of them. In an everyday run, of a hundred messages on a
machine that has other things to do, the slowest tell nothing.
"""
FLOOD_SECONDS = 20 if LONG else 0.4


def test_one_that_floods_does_not_make_others_wait(tmp_path: Path) -> None:
    fairness(tmp_path, [*REQUESTS])


def test_others_wait_where_all_that_it_sent_is_dealt_with_first(tmp_path: Path) -> None:
    with broken("reads_all_at_once"), pytest.raises(AssertionError, match=r"the others wait|not within"):
        fairness(tmp_path, ["nonsense"], 4 * FLOOD_SECONDS)


def fairness(scratch: Path, kinds: list[str], duration: float = FLOOD_SECONDS) -> None:
    data = scratch / "data"
    waits: dict[str, float] = {}
    with running_server(data) as server:
        with Load(server.port, seeded(), clients=20, rooms=4, rate=200) as load:
            load.start()
            for _ in range(300):
                load.talkers[0].send(m.LOBBY, "something for the pages ".ljust(300, "x"))
            load.run_until(lambda: not load.talkers[0].protocol.outbox, "there is something to page through", talking=False)
            alone = others_wait(load, duration)
            for kind in kinds:
                with flooding(server, kind):
                    load.run(0.1)
                    waits[kind] = others_wait(load, duration)
            told = ", ".join(f"{1000 * wait:.0f} ms beside {kind}" for kind, wait in waits.items())
            print(f"p{OF_HUNDRED}: {1000 * alone:.0f} ms alone, {told}")
            assert max(waits.values()) < max(seconds(MOST_SECONDS), 2 * alone), f"the others wait: {told}"
            load.settle()
        server.stop()
    verify(load.talkers, entries_of(data))


def others_wait(load: Load, duration: float) -> float:
    for talker in load.talkers:
        talker.waits.clear()
    load.run(duration)
    return p99([wait for talker in load.talkers for wait in talker.waited()], OF_HUNDRED)


@contextmanager
def flooding(server: Server, kind: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.faults.flooder", str(server.port), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "flooding\n"
        yield
        said, _ = process.communicate("", timeout=seconds(10))
    print(f"{said.strip()} requests: {kind}")
    assert process.returncode == 0
