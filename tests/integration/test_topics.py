"""Topics of rooms on a real server: told to whoever comes, whatever died meanwhile, and never what was refused."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from common import messages as m
from common.errors import Code
from common.limits import Limits
from tests.support.server import Server, running_server
from tests.support.timeouts import wait_until
from tests.support.wire import Wire

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("topics") / "data", workers=2) as server:
        yield server


@pytest.fixture
def room() -> str:
    return f"#room{next(_NUMBERS)}"


@pytest.fixture
def wires() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def come(server: Server, wires: ExitStack, *rooms: str, **options: Any) -> Wire:
    """Somebody new, at the worker that has fewer of them."""
    wire = wires.enter_context(Wire(server.host, server.port))
    wire.hello(f"guest{next(_NUMBERS)}", rooms=[*rooms], **options)
    return wire


def told(wire: Wire, room: str) -> str | None:
    """The topic, as who joins is told."""
    wire.send(m.Join(7, room, {}))
    while (joined := wire.expect(m.Joined)).room != room:
        pass
    topic: str | None = joined.options.get("topic")
    return topic


def set_topic(wire: Wire, room: str, text: str, counter: int = 1) -> m.Msg:
    return wire.say(m.make_ref(5, counter), room, text, topic=True)


def refusal(wire: Wire, to: str, text: str, **options: Any) -> str:
    wire.send(m.Send(m.make_ref(6, 1), to, text, {"topic": True, **options}))
    while not isinstance(reply := wire.receive(), m.Error):
        assert reply is not None
    return reply.code


def kill_the_broker(server: Server) -> None:
    before = server.children()["broker"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: server.children().get("broker", before) != before, "there is a new broker")


def test_a_topic_is_told_live_at_joining_and_in_pages(server: Server, wires: ExitStack, room: str) -> None:
    ada, bob = come(server, wires, room), come(server, wires, room)
    assert told(ada, room) is None
    set_by = set_topic(ada, room, " tea\r\nat\x1b[2J five ")
    assert (set_by.text, set_by.options["topic"]) == ("tea at[2J five", True)
    assert bob.expect(m.Msg) == set_by
    bob.send(m.Join(7, room, {}))
    joined = bob.expect(m.Joined).options
    assert (joined["topic"], joined["topic_by"], joined["topic_ms"]) == (set_by.text, set_by.sender, set_by.time_ms)
    bob.send(m.History(8, room, {}))
    assert bob.expect(m.Page).rows == [[*set_by]]
    set_topic(bob, room, "")
    assert ada.expect(m.Msg).text == ""
    assert told(ada, room) is None
    assert told(come(server, wires), room) is None


def test_a_topic_outlives_everybody_who_was_in_the_room(server: Server, wires: ExitStack, room: str) -> None:
    ada = come(server, wires, room)
    set_topic(ada, room, "tea")
    ada.send(m.Part(8, room, {}))
    ada.expect(m.Parted)
    assert told(come(server, wires), room) == "tea"


def test_who_comes_back_has_the_topics_that_were_missed(server: Server, wires: ExitStack, room: str) -> None:
    ada = come(server, wires, room)
    with Wire(server.host, server.port) as bob:
        welcome = bob.hello("bob-of-topics", rooms=[room])
    texts = [set_topic(ada, room, text, counter).text for counter, text in enumerate(("tea", "", "milk"), 1)]
    with Wire(server.host, server.port) as bob:
        known = {"token": welcome.options["token"], "after": welcome.options["last"], "rooms": [room]}
        bob.send(m.Hello(1, m.VERSION, "bob-of-topics", known))
        while (joined := bob.expect(m.Joined)).room != room:
            pass
        assert joined.options["topic"] == "milk"
        missed = [bob.expect(m.Msg) for _ in texts]
        assert [(msg.text, msg.options["topic"]) for msg in missed] == [(text, True) for text in texts]
        assert missed[-1].id <= joined.options["last"], "which is history for who was told the topic at that position"


def test_a_topic_is_set_once(server: Server, wires: ExitStack, room: str) -> None:
    ada = come(server, wires, room)
    first = set_topic(ada, room, "tea")
    again = set_topic(ada, room, "tea")
    assert again == first._replace(options={**first.options, "again": True})
    ada.send(m.Send(first.ref, room, "tea", {}))
    while not isinstance(reply := ada.receive(), m.Error):
        assert reply is not None
    assert reply.code == Code.ID_REUSED, "it was no message"


def test_a_new_broker_knows_the_topics(server: Server, wires: ExitStack, room: str) -> None:
    ada = come(server, wires, room)
    set_topic(ada, room, "tea")
    kill_the_broker(server)
    assert told(ada, room) == "tea"
    assert told(come(server, wires), room) == "tea"
    set_topic(ada, room, "milk", 2)
    assert told(come(server, wires), room) == "milk"


def test_topics_outlive_the_server(tmp_path: Path) -> None:
    rooms = ("#one", "#two", "#three")
    with running_server(tmp_path / "data") as server, ExitStack() as wires:
        ada = come(server, wires, *rooms)
        for counter, (room, text) in enumerate([("#one", "tea"), ("#two", "x"), ("#two", ""), ("#three", "milk")], 1):
            set_topic(ada, room, text, counter)
        server.kill()
    with running_server(tmp_path / "data") as server, ExitStack() as wires:
        ada = come(server, wires)
        assert [told(ada, room) for room in rooms] == ["tea", None, "milk"]


def test_a_topic_that_may_not_be(server: Server, wires: ExitStack, room: str) -> None:
    ada = come(server, wires, room)
    bob = come(server, wires)
    bob_name = bob.say(m.make_ref(1, 1), m.LOBBY, "here").sender
    most = Limits().topic_bytes
    assert refusal(ada, room, "x" * (most + 1)) == Code.TOO_LONG
    assert refusal(ada, room, "é" * (most // 2 + 1)) == Code.TOO_LONG
    assert refusal(ada, room, "\u200b") == Code.EMPTY_TEXT
    assert refusal(ada, "#nowhere", "tea") == Code.NOT_IN_ROOM
    assert refusal(ada, bob_name, "tea") == Code.BAD_ROOM
    assert refusal(ada, bob_name, "") == Code.BAD_ROOM
    assert refusal(ada, room, "tea", conv="a~b") == Code.BAD_ROOM
    assert told(ada, room) is None
    assert set_topic(ada, room, "é" * (most // 2)).text == told(ada, room)
    ada.send(m.Send(9, room, "", {}))
    while not isinstance(reply := ada.receive(), m.Error):
        assert reply is not None
    assert reply.code == Code.EMPTY_TEXT, "only a topic may be empty"


def test_the_limits_are_those_of_the_settings(tmp_path: Path, room: str) -> None:
    limits = {"topic_bytes": 3, "messages_per_second": 1, "burst_seconds": 2}
    with running_server(tmp_path / "data", limits=limits) as server, Wire(server.host, server.port) as ada:
        assert ada.hello("ada", rooms=[room]).options["limits"]["topic_bytes"] == 3
        assert refusal(ada, room, "milk") == Code.TOO_LONG
        ada.send(*(m.Send(m.make_ref(1, number), room, f"t{number}", {"topic": True}) for number in range(1, 20)))
        replies: list[m.Msg | m.Error] = []
        while len(replies) < 19:
            if isinstance(reply := ada.receive(), m.Msg | m.Error):
                replies.append(reply)
        assert {reply.code for reply in replies if isinstance(reply, m.Error)} == {Code.RATE_LIMITED}
        assert 0 < sum(isinstance(reply, m.Msg) for reply in replies) < 6, "topics are limited as messages are"
