"""`kill -9` of any one process loses nothing that was acknowledged, and the service is back within 2 s.

When the broker dies no client's connection is even closed.
"""

from __future__ import annotations

import os
import random
import re
import signal
from pathlib import Path

import pytest

from tests.faults.broken import broken
from tests.faults.load import Load
from tests.support.encrypted import tls_options
from tests.support.groups import rounds
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.timeouts import wait_until
from tests.support.verdict import entries_of, verify

BACK_SECONDS = 2.0


def experiment(tmp_path: Path, tls: bool = False) -> None:
    chance = seeded()
    data_dir = tmp_path / "data"
    with running_server(data_dir, *tls_options(tmp_path, tls)) as server, Load(server.port, chance, tls=tls) as load:
        load.start()
        backs = [one_round(server, load, chance, victim) for victim in (workers() if tls else victims(chance))]
        load.settle()
        load.close()
        wait_until(lambda: told_of(server) == (len(backs), len(backs)), "the server's log tells each death and return")
        server.stop()
        verify(load.talkers, entries_of(data_dir))
    print(f"{len(backs)} kills, back after {max(backs):.2f} s at most, {sum(load.said.values())} messages {dict(load.said)}")
    late = sum(talker.told_late for talker in load.talkers)
    print(f"broken connections: {dict(load.cuts)}, {late} messages acknowledged after a reconnect")


def told_of(server: Server) -> tuple[int, int]:
    """The deaths and returns in the server's log, one line each."""
    log = server.log.read_text()
    died = re.findall(
        r"^.* (?:broker|acceptor|worker \d) \(pid \d+\) died \(signal 9\) after [\d.]+ s, starting it again.*$", log, re.M
    )
    back = re.findall(r"^.* (?:broker|acceptor|worker \d) \(pid \d+\) is back, [\d.]+ s after it died$", log, re.M)
    return len(died), len(back)


def victims(chance: random.Random) -> list[str]:
    """Each of the kinds of processes equally often, in any order."""
    victims = ["broker", "acceptor", "worker 1", "broker", "acceptor", "worker 2"] * rounds(1, 34)
    chance.shuffle(victims)
    return victims[: rounds(6, 200)]


def workers() -> list[str]:
    """Of all processes those are the ones that know of TLS."""
    return ["worker 1", "worker 2"] * rounds(1, 50)


def one_round(server: Server, load: Load, chance: random.Random, victim: str) -> float:
    """Kills it in the middle of the talk: how long it took until everybody was served again."""
    load.run(chance.uniform(0.1, 0.5))
    cuts = load.cuts
    os.kill(server.children()[victim], signal.SIGKILL)
    if victim.startswith("worker"):
        return load.everybody_is_served(BACK_SECONDS)
    if victim == "acceptor":
        chance.choice(load.talkers).reset()  # it has to get in again
        cuts = load.cuts
    back = load.everybody_is_served(BACK_SECONDS)
    assert load.cuts == cuts, f"the {victim} died, and connections with it: {load.cuts - cuts}"
    return back


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_killed_processes(tls: bool, tmp_path: Path) -> None:
    experiment(tmp_path, tls)


def test_it_shows_when_requests_are_forgotten(tmp_path: Path) -> None:
    with broken("forgets_requests"), pytest.raises(AssertionError, match="acknowledged"):
        experiment(tmp_path)


def test_it_shows_when_connections_end_with_the_broker(tmp_path: Path) -> None:
    with broken("closes_with_the_broker"), pytest.raises(AssertionError, match="the broker died, and connections with it"):
        experiment(tmp_path)


def test_it_shows_when_it_takes_longer(tmp_path: Path) -> None:
    with broken("takes_its_time"), pytest.raises(AssertionError, match="not within"):
        experiment(tmp_path)
