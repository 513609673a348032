"""SIGTERM drains: what was acknowledged is there after the restart, clients are told, and nobody is left within five seconds.

Signals during the start are in `test_signals`.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from tests.faults.broken import broken
from tests.faults.load import Load
from tests.support.encrypted import tls_options
from tests.support.groups import rounds
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.verdict import entries_of, verify

END_SECONDS = 5.0


def terminate(server: Server, load: Load, chance: random.Random) -> float:
    """Ends the server in the middle of the talk, in one of several ways: the seconds that it took."""
    load.run(chance.uniform(0.1, 0.5))
    load.run_until(lambda: all(talker.live for talker in load.talkers), "all are live", 10)
    farewells = [talker.farewells for talker in load.talkers]
    number = chance.choice([signal.SIGTERM, signal.SIGINT])
    if chance.random() < 0.5:
        server.signal(number)
    else:
        os.killpg(server.pid, number)
    if chance.random() < 0.3:
        load.run(chance.uniform(0, 0.2))
        server.signal(number)
    ended = load.run_until(lambda: server.process.poll() is not None, "the server has ended", END_SECONDS)
    assert server.process.returncode == 0
    server.check()
    load.run_until(lambda: not any(talker.live for talker in load.talkers), "what it said last is read")
    untold = sum(talker.farewells == before for talker, before in zip(load.talkers, farewells, strict=True))
    assert not untold, f"{untold} clients were not told that the server stops"
    return ended


def experiment(data_dir: Path, tls: bool = False) -> None:
    chance = seeded()
    options = tls_options(data_dir.parent, tls)
    with Load(0, chance, clients=20, rooms=4, rate=300, tls=tls) as load:
        ended = []
        for _ in range(rounds(1 if tls else 2, 100)):
            with running_server(data_dir, *options) as server:
                load.address = (server.host, server.port)
                ended.append(terminate(server, load, chance))
                assert "killed" not in server.log.read_text()
        with running_server(data_dir, *options) as server:
            load.address = (server.host, server.port)
            load.settle()
        entries = entries_of(data_dir)
        verify(load.talkers, entries)
    late = sum(talker.told_late for talker in load.talkers)
    print(
        f"ended {len(ended)} times, in {max(ended):.2f} s at most; {len(entries)} messages, {late} acknowledged after a restart"
    )


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_termination(tls: bool, tmp_path: Path) -> None:
    experiment(tmp_path / "data", tls)


def test_it_shows_when_nobody_is_told(tmp_path: Path) -> None:
    with broken("leaves_without_a_word"), pytest.raises(AssertionError, match="were not told"):
        experiment(tmp_path / "data")
