"""Once and in order, in all conversations at once, however often one is cut off, and at whatever byte.

What happens to a connection happens at its client's end: it reads or writes so many bytes, and then the connection is reset,
which destroys what is on its way in both directions.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.broken import broken
from tests.faults.load import Load, Talker
from tests.support.encrypted import tls_options
from tests.support.groups import rounds
from tests.support.seeds import seeded
from tests.support.server import running_server
from tests.support.verdict import entries_of, verify


def cut_anywhere(talker: Talker, load: Load, chance: random.Random) -> None:
    talker.cut_after = chance.randint(1, 3_000)


def cut_before_the_acknowledgement(talker: Talker, load: Load, chance: random.Random) -> None:
    talker.send(chance.choice([*talker.protocol.rooms] or ["#lobby"]), "did this arrive?")
    talker.cut_after = chance.choice([1, 1, 10, 100])


def cut_in_a_request(talker: Talker, load: Load, chance: random.Random) -> None:
    talker.send("#lobby", "cut" + "." * 100)
    talker.cut_after_sending = chance.randint(1, 130)


def cut_in_a_replay(talker: Talker, load: Load, chance: random.Random) -> None:
    """It is away for a while first, so that there is something to replay. What comes before that is cut as often."""
    talker.reset()
    talker.connect_at += 0.3
    talker.cut_next_after = int(10 ** chance.uniform(1.5, 3.6))


def cut_while_joining(talker: Talker, load: Load, chance: random.Random) -> None:
    if len(talker.protocol.rooms) > 2:
        talker.part(chance.choice([*talker.protocol.rooms]))
    talker.join(chance.choice(load.rooms))
    talker.cut_after = chance.choice([1, 20, 100])


TROUBLE: list[Callable[[Talker, Load, random.Random], None]] = [
    cut_anywhere, cut_before_the_acknowledgement, cut_in_a_request, cut_in_a_replay, cut_while_joining,
]  # fmt: skip


def experiment(data_dir: Path, cuts: int = rounds(100, 2_000), tls: bool = False) -> None:
    chance = seeded()
    options = tls_options(data_dir.parent, tls)
    with running_server(data_dir, *options) as server, Load(server.port, chance, clients=20, rooms=6, rate=300, tls=tls) as load:
        load.start()
        while load.cuts.total() < cuts:
            load.run(chance.uniform(0, 0.03))
            talker = chance.choice(load.talkers)
            if talker.live:
                chance.choice(TROUBLE)(talker, load, chance)
        load.settle()
        load.close()
        server.stop()
        entries = entries_of(data_dir)
        verify(load.talkers, entries)
    late = sum(talker.told_late for talker in load.talkers)
    print(f"{dict(load.cuts)} cuts, {len(entries)} messages {dict(load.said)}, {late} of them acknowledged after a reconnect")
    assert {"greeting", "replaying", "live", "joining"} <= load.cuts.keys()
    assert late


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_reconnects(tls: bool, tmp_path: Path) -> None:
    experiment(tmp_path / "data", tls=tls)


@pytest.mark.parametrize(
    ("build", "shows"),
    [("replays_with_holes", r"did not see|everybody heard"), ("replays_what_was_seen", "was sent twice")],
    ids=["with holes", "too much"],
)
def test_it_shows_when_a_replay_is_not_what_was_missed(tmp_path: Path, build: str, shows: str) -> None:
    with broken(build), pytest.raises(AssertionError, match=shows):
        experiment(tmp_path / "data", cuts=40)
