"""A name has one owner at any time, and nobody takes over what is not theirs."""

from __future__ import annotations

import contextlib
import os
import random
import re
import select
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.restarts import EARLY_SECONDS
from common import messages as m
from common.errors import Code
from tests.faults.broken import broken
from tests.support.groups import LONG, rounds
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.timeouts import wait_until
from tests.support.wire import Wire

LATE_SECONDS = 2.0
"""A worker that makes a new broker wait for so long is killed."""


@contextlib.contextmanager
def two(server: Server) -> Iterator[tuple[Wire, Wire]]:
    """Two connections: the acceptor gives each worker one of them."""
    with Wire(server.host, server.port) as one, Wire(server.host, server.port) as other:
        yield one, other


def ask(wire: Wire, name: str, **options: object) -> None:
    wire.send(m.Hello(1, m.VERSION, name, options))


def answer(wire: Wire) -> m.Welcome | m.Error:
    """The answer to a hello."""
    while not isinstance(reply := wire.receive(), m.Welcome | m.Error):
        assert reply is not None
    return reply


def owner(one: Wire, other: Wire) -> tuple[Wire, Wire, m.Welcome]:
    """Who of two got the name, who did not, and the welcome."""
    answers = {one: answer(one), other: answer(other)}
    welcomes = {wire: reply for wire, reply in answers.items() if isinstance(reply, m.Welcome)}
    assert len(welcomes) == 1, f"one of them has it: {answers}"
    [(winner, welcome)] = welcomes.items()
    loser = other if winner is one else one
    refusal = answers[loser]
    assert isinstance(refusal, m.Error)
    assert refusal.code == Code.NAME_TAKEN
    return winner, loser, welcome


def worker_of(server: Server, name: str) -> str:
    """The worker that somebody of that name is connected to; the server's log tells."""
    found = wait_until(lambda: re.findall(rf"(worker \d+) +{name} came", server.log.read_text()), f"{name} is in the log")
    return str(found[-1])


def kill_broker(server: Server) -> None:
    os.kill(server.children()["broker"], signal.SIGKILL)


def await_another_broker(server: Server, before: int) -> None:
    wait_until(lambda: server.children().get("broker", before) != before, "there is another broker")


def broker_is_old_enough(server: Server, since: str) -> None:
    """A broker that is killed again at once would be started with a delay."""
    wait_until(lambda: server.log.read_text().count("is back") > since.count("is back"), "the broker is back")
    time.sleep(EARLY_SECONDS)


def claim_at_the_same_moment(data_dir: Path) -> None:
    chance = seeded()
    with running_server(data_dir) as server:
        for number in range(rounds(100, 2_000)):
            with two(server) as pair:
                first, second = chance.sample(pair, 2)
                ask(first, f"name{number}")
                ask(second, f"name{number}")
                winner, loser, welcome = owner(first, second)
                winner.close()
                ask(loser, f"name{number}")
                assert getattr(answer(loser), "code", None) == Code.NAME_TAKEN, "it is kept for whoever just left"
                ask(loser, f"NAME{number}", token=welcome.options["token"])
                assert isinstance(answer(loser), m.Welcome), "it is theirs, who can prove it"
        log = server.log.read_text()
        winners = Counter(re.findall(r"(worker \d+) +name\d+ came", log))
    print(f"winners: {dict(winners)}")
    assert len(set(re.findall(r"(worker \d+) +name\d+ came", log, re.IGNORECASE))) == 2, "both workers were asked"
    assert len(winners) == 2 or not LONG, "among a hundred, one that has a processor for itself may always be first"


def test_the_same_name_at_the_same_moment(tmp_path: Path) -> None:
    claim_at_the_same_moment(tmp_path / "data")


def test_it_shows_when_both_get_it(tmp_path: Path) -> None:
    with broken("grants_names_twice"), pytest.raises(AssertionError, match="one of them has it"):
        claim_at_the_same_moment(tmp_path / "data")


def claim_while_the_broker_dies(server: Server, chance: random.Random, name: str) -> None:
    log = server.log.read_text()
    with two(server) as (first, second):
        ask(first, name)
        ask(second, name)
        time.sleep(chance.choice([0, 0, 0.001, 0.002]))
        kill_broker(server)
        winner, loser, _ = owner(first, second)
        broker_is_old_enough(server, log)
        ask(loser, name)
        assert getattr(answer(loser), "code", None) == Code.NAME_TAKEN
        winner.send(m.Ping(7))
        winner.expect(m.Pong)


def test_the_same_name_while_the_broker_dies(tmp_path: Path) -> None:
    chance = seeded()
    with running_server(tmp_path / "data") as server:
        for number in range(rounds(3, 300)):
            claim_while_the_broker_dies(server, chance, f"name{number}")


def claim_before_the_owner_is_known(data_dir: Path) -> None:
    """A new broker hears of a claim before it hears, from another worker, that the name is taken."""
    with running_server(data_dir) as server:
        for number in range(rounds(1, 20)):
            log = server.log.read_text()
            with two(server) as (ada, other):
                ada.hello(f"ada{number}")
                children = server.children()
                slow = children[worker_of(server, f"ada{number}")]
                os.kill(slow, signal.SIGSTOP)
                kill_broker(server)
                ask(other, f"ada{number}")
                await_another_broker(server, children["broker"])
                select.select([other.socket], [], [], LATE_SECONDS / 2)
                os.kill(slow, signal.SIGCONT)
                assert getattr(answer(other), "code", None) == Code.NAME_TAKEN, "it was given to somebody else"
                ada.send(m.Ping(7))
                ada.expect(m.Pong)
                broker_is_old_enough(server, log)


def test_a_name_is_not_granted_before_its_owner_is_known(tmp_path: Path) -> None:
    claim_before_the_owner_is_known(tmp_path / "data")


def test_it_is_by_a_broker_that_does_not_wait(tmp_path: Path) -> None:
    with broken("grants_names_early"), pytest.raises(AssertionError, match="somebody else"):
        claim_before_the_owner_is_known(tmp_path / "data")


def test_the_name_of_one_whose_worker_dies_is_kept_for_them(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        for number in range(rounds(1, 20)):
            name, log = f"ada{number}", server.log.read_text()
            with two(server) as (ada, other):
                token = ada.hello(name).options["token"]
                os.kill(server.children()[worker_of(server, name)], signal.SIGKILL)
                for _ in range(50):
                    ask(other, name)
                    assert getattr(answer(other), "code", None) == Code.NAME_TAKEN
                with Wire(server.host, server.port) as again:
                    ask(again, name, token=token)
                    assert isinstance(answer(again), m.Welcome)
                    ask(other, name)
                    assert getattr(answer(other), "code", None) == Code.NAME_TAKEN
            wait_until(lambda log=log: server.log.read_text().count("is back") > log.count("is back"), "it is back")  # type: ignore[misc]
            time.sleep(EARLY_SECONDS if number + 1 < rounds(1, 20) else 0)


def test_the_instance_and_the_refs_of_another_change_nothing_for_them(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server, two(server) as (ada, stranger):
        mine = ada.hello("ada").options["from"]
        theirs = stranger.hello("stranger").options["from"]
        ref = m.make_ref(42, 1)
        stranger.send(m.Send(ref, m.LOBBY, "I was here first", {}))
        first = stranger.expect(m.Msg)
        ada.send(m.Send(ref, m.LOBBY, "this is mine", {}))
        message = stranger.expect(m.Msg)
        assert (message.options["from"], message.text) == (mine, "this is mine")
        assert [ada.expect(m.Msg).id, ada.expect(m.Msg).id] == [first.id, message.id]
        kill_broker(server)
        stranger.send(m.Send(ref, m.LOBBY, "this is mine", {}))
        while not isinstance(refusal := stranger.receive(), m.Error):
            assert not isinstance(refusal, m.Msg)
        assert refusal.code == Code.ID_REUSED
        ada.send(m.Send(ref, m.LOBBY, "this is mine", {}))
        again = ada.expect(m.Msg)
        assert (again.id, again.options["from"], again.options.get("again")) == (message.id, mine, True)
        ada.send(m.Send(m.make_ref(42, 2), m.LOBBY, "and this", {"prev": 1}))
        assert stranger.expect(m.Msg).options["from"] == mine
        stranger.send(m.Send(m.make_ref(42, 3), m.LOBBY, "this follows nothing of mine", {"prev": 2}))
        with pytest.raises(AssertionError, match=Code.OUT_OF_ORDER):
            stranger.expect(m.Msg)
        assert theirs != mine


def make_tokens_up(data_dir: Path) -> None:
    with running_server(data_dir) as server, two(server) as (ada, stranger):
        token = ada.hello("ada").options["token"]
        identity, expiry, mac = token.split(".")
        for made_up in (f"{identity}.{int(expiry) + 1}.{mac}", f"{identity}.{expiry}.{mac[::-1]}", identity):
            ask(stranger, "ada", token=made_up)
            assert getattr(answer(stranger), "code", None) == Code.BAD_TOKEN, "a token that was made up is believed"


def test_a_made_up_token_proves_nothing(tmp_path: Path) -> None:
    make_tokens_up(tmp_path / "data")


def test_it_shows_when_it_does(tmp_path: Path) -> None:
    with broken("believes_any_token"), pytest.raises(AssertionError, match="is believed"):
        make_tokens_up(tmp_path / "data")
