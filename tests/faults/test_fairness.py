"""One client that asks as fast as it can does not make the others wait."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from common import messages as m
from tests.faults.broken import broken
from tests.faults.figures import p99
from tests.faults.flooder import REQUESTS
from tests.faults.load import Load
from tests.support.groups import LONG
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.timeouts import seconds
from tests.support.verdict import entries_of, verify

MOST_SECONDS = 0.1 if LONG else 0.4
"""The others' p99 while one floods. In an everyday run a hundred messages count, and whatever else the machine does."""
FLOOD_SECONDS = 20 if LONG else 0.6


def test_one_that_floods_does_not_make_others_wait(tmp_path: Path) -> None:
    fairness(tmp_path, [*REQUESTS])


def test_others_wait_where_all_that_it_sent_is_dealt_with_first(tmp_path: Path) -> None:
    with broken("reads_all_at_once"), pytest.raises(AssertionError, match=r"the others wait|not within"):
        fairness(tmp_path, ["nonsense"])


def fairness(scratch: Path, kinds: list[str]) -> None:
    data = scratch / "data"
    p99s: dict[str, float] = {}
    with running_server(data) as server:
        with Load(server.port, seeded(), clients=20, rooms=4, rate=200) as load:
            load.start()
            for _ in range(300):
                load.talkers[0].send(m.LOBBY, "something for the pages ".ljust(300, "x"))
            load.run_until(lambda: not load.talkers[0].protocol.outbox, "there is something to page through", talking=False)
            for kind in kinds:
                with flooding(server, kind):
                    load.run(0.1)
                    for talker in load.talkers:
                        talker.waits.clear()
                    load.run(FLOOD_SECONDS)
                p99s[kind] = p99([wait for talker in load.talkers for wait in talker.waited()])
            told = ", ".join(f"{1000 * wait:.0f} ms beside {kind}" for kind, wait in p99s.items())
            print(f"p99: {told}")
            assert max(p99s.values()) < seconds(MOST_SECONDS), f"the others wait: {told}"
            load.settle()
        server.stop()
    verify(load.talkers, entries_of(data))


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
