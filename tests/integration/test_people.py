"""What there is to know about people, on a real server with two workers: who is away, who somebody is, who is typing."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from common import messages as m
from common.errors import Code
from tests.support.server import Server, running_server
from tests.support.timeouts import wait_until
from tests.support.wire import Wire

_NUMBERS = itertools.count(1)


class Pair(NamedTuple):
    """Two people in a room, each at a worker of their own."""

    server: Server
    room: str
    ada: Wire
    bob: Wire
    names: tuple[str, str]
    token: str
    """Ada's."""

    def turned(self, wire: Wire, key: str, name: str) -> m.Presence:
        """The presence of their room that says so of somebody."""
        while (presence := wire.expect(m.Presence)).room != self.room or name not in presence.options.get(key, ()):
            pass
        return presence

    def away(self) -> list[str]:
        """Who is away in their room, as one who joins is told."""
        with Wire(self.server.host, self.server.port) as wire:
            wire.hello(f"newcomer{next(_NUMBERS)}")
            wire.send(m.Join(2, self.room, {}))
            away: list[str] = wire.expect(m.Joined).options.get("away", [])
            return away


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("people") / "data", workers=2) as server:
        yield server


@pytest.fixture
def pair(server: Server) -> Iterator[Pair]:
    number = next(_NUMBERS)
    wait_until(lambda: server.status()["connections"] == 0, "nobody is left of other tests")
    with ExitStack() as stack:
        ada, bob = (stack.enter_context(Wire(server.host, server.port)) for _ in range(2))
        room, names = f"#room{number}", (f"ada{number}", f"bob{number}")
        token, _ = (wire.hello(name, rooms=[room]).options["token"] for name, wire in zip(names, (ada, bob), strict=True))
        assert [worker["connections"] for worker in server.status()["per_worker"]] == [1, 1]
        yield Pair(server, room, ada, bob, names, token)


def test_who_is_away_is_told_across_workers(pair: Pair) -> None:
    name, _ = pair.names
    pair.ada.send(m.Away(5, "at\tlunch", {}))
    assert pair.ada.expect(m.Away) == m.Away(5, "at lunch", {})
    pair.turned(pair.bob, "away", name)
    assert pair.away() == [name]
    pair.ada.send(m.Away(6, "", {}))
    assert pair.ada.expect(m.Away) == m.Away(6, "", {})
    pair.turned(pair.bob, "back", name)
    assert pair.away() == []


def test_who_is_away_stays_so_with_a_new_broker(pair: Pair) -> None:
    ada, bob = pair.names
    before = pair.server.children()["broker"]
    pair.ada.send(m.Away(5, "lunch", {}))
    pair.turned(pair.bob, "away", ada)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pair.server.children().get("broker", before) != before, "there is a new broker")
    assert pair.turned(pair.bob, "members", ada).options["away"] == [ada]
    assert pair.away() == [ada]
    pair.bob.send(m.Away(6, "dinner", {}))
    pair.turned(pair.ada, "away", bob)


def test_all_devices_of_a_person_know_whether_they_are_away(pair: Pair) -> None:
    name, _ = pair.names
    here = pair.server.host, pair.server.port
    with Wire(*here) as other, Wire(*here) as third:
        assert other.hello(name, token=pair.token).options["away"] == ""
        pair.ada.send(m.Away(5, "lunch", {}))
        assert other.expect(m.Away) == m.Away(None, "lunch", {})
        assert third.hello(name, token=pair.token).options["away"] == "lunch"
        other.send(m.Away(5, "", {}))
        assert third.expect(m.Away) == m.Away(None, "", {})
        told = [pair.ada.expect(m.Away) for _ in range(2)]
        assert told == [m.Away(5, "lunch", {}), m.Away(None, "", {})]
    pair.turned(pair.bob, "back", name)


def test_who_somebody_is_is_told_across_workers(pair: Pair) -> None:
    ada, _ = pair.names
    pair.ada.send(m.Away(5, "lunch", {}))
    pair.turned(pair.bob, "away", ada)
    pair.bob.send(m.Whois(6, ada.upper(), {}))
    name, options = pair.bob.expect(m.Whois)[1:]
    assert name == ada
    assert (options["devices"], options["away"], options["rooms"]) == (1, "lunch", ["#lobby", pair.room])
    assert abs(options["since"] / 1000 - time.time()) < 60
    pair.ada.send(m.Bye(7))
    pair.turned(pair.bob, "left", ada)
    pair.bob.send(m.Whois(8, ada, {}))
    left = pair.bob.expect(m.Whois).options
    assert (left["devices"], left["from"]) == (0, options["from"])
    assert options["since"] <= left["seen"]
    pair.bob.send(m.Whois(9, "nobody", {}))
    while not isinstance(reply := pair.bob.receive(), m.Error):
        assert isinstance(reply, m.Presence)
    assert (reply.ref, reply.code) == (9, Code.NO_SUCH_USER)


def test_who_is_typing_is_told_across_workers_and_in_its_place(pair: Pair) -> None:
    ada, bob = pair.names
    pair.ada.send(m.Typing(5, pair.room, {}))
    said = pair.ada.say(m.make_ref(1, 1), pair.room, "done")
    heard = pair.bob.expect(m.IsTyping)
    assert heard == m.IsTyping(pair.room, ada, {"conv": pair.room, "from": said.options["from"]})
    assert pair.bob.expect(m.Msg) == said, "behind it"
    pair.bob.send(m.Typing(6, ada, {}))  # of ada more than one in a second would not be listened to
    assert pair.ada.expect(m.IsTyping)[:2] == (ada, bob)
    pair.bob.send(m.Ping(7))
    while not isinstance(reply := pair.bob.receive(), m.Pong):
        assert not isinstance(reply, m.IsTyping), "one knows it oneself"


def test_being_away_ends_with_the_last_connection(pair: Pair) -> None:
    name, _ = pair.names
    pair.ada.send(m.Away(5, "lunch", {}))
    pair.turned(pair.bob, "away", name)
    pair.ada.close()
    pair.turned(pair.bob, "left", name)
    assert pair.away() == []
