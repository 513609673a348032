"""Bytes by chance, and messages with something wrong in them, sent to a real server."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from common import messages as m
from common.errors import MEANINGS, Code, Reason
from common.framing import HEADER, FrameDecoder, frame
from common.limits import FRAME_BYTES
from tests.support.bystanders import Bystanders
from tests.support.groups import LONG, rounds
from tests.support.server import Server, running_server
from tests.support.timeouts import seconds
from tests.support.wire import Wire

SEED = random.SystemRandom().randrange(2**32) if LONG else 1
"""The same inputs in every everyday run; others in each long one. Shown where a test fails."""

JUNK: list[Any] = [None, True, -1, 0, 1, 2**31, 2**63, 2**64 - 1, 1.5, "", "x", "#x", "#lobby", "\0\x1b[2J", "x" * 300, b"",
                   b"\xff", [], [[]], {}, {"conv": 5}, {"after": -1}, {"rooms": ["#lobby"] * 200}, {"prev": 2**32}]  # fmt: skip
REQUESTS: list[m.Request] = [
    m.Hello(1, m.VERSION, "fuzz", {"after": 0, "rooms": ["#x"], "token": "none"}),
    m.Join(2, "#x", {}),
    m.Part(3, "#x", {}),
    m.Send(m.make_ref(9, 4), m.LOBBY, "hello", {"prev": 1}),
    m.Send(m.make_ref(9, 5), "fuzz", "hello", {"conv": "#x"}),
    m.Send(m.make_ref(9, 6), m.LOBBY, "tea", {"topic": True}),
    m.History(6, m.LOBBY, {"before": 9, "limit": 3, "conv": "x~y"}),
    m.Members(7, m.LOBBY, {"after": "x", "limit": 3}),
    m.Rooms(8, {"after": "#x"}),
    m.Away(9, "at lunch", {}),
    m.Whois(9, "fuzz", {}),
    m.Typing(9, m.LOBBY, {"conv": "x~y"}),
    m.Ping(9),
    m.Pong(10),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("fuzz") / "data") as server:
        yield server


@pytest.fixture
def bystanders(server: Server) -> Iterator[Bystanders]:
    with Bystanders(server) as bystanders:
        yield bystanders
        bystanders.talk()
        bystanders.check_server()


def mutated(rng: random.Random) -> bytes:
    """A frame that was a message, or one after another change."""
    value = list(msgpack.unpackb(m.encode(rng.choice(REQUESTS))[HEADER.size :]))
    for _ in range(rng.randrange(1, 3)):
        match rng.randrange(4):
            case 0:
                value[rng.randrange(len(value))] = rng.choice(JUNK)
            case 1:
                value.insert(rng.randrange(len(value) + 1), rng.choice(JUNK))
            case 2 if len(value) > 1:
                del value[rng.randrange(len(value))]
    body = bytearray(msgpack.packb(value))
    if rng.random() < 0.1:
        body[rng.randrange(len(body))] = rng.randrange(256)
    return frame(bytes(body))


def closes(reply: m.Reply) -> bool:
    return isinstance(reply, m.Error) and reply.code in MEANINGS and MEANINGS[Code(reply.code)].closes


def read_to_the_end(wire: Wire) -> list[m.Reply]:
    """Everything that the server says until it closes; or, if it has not said that it will, until it is silent for a moment."""
    decoder = FrameDecoder(FRAME_BYTES)
    replies: list[m.Reply] = []
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while True:
            wire.socket.settimeout(seconds(5) if any(map(closes, replies)) else 0.05)
            if not (data := wire.socket.recv(65536)):
                break
            bodies, problem = decoder.feed(data)
            assert problem is None
            replies += [reply for body in bodies if (reply := m.parse_reply(body)) is not None]
    return replies


def check(replies: list[m.Reply], what: str) -> None:
    """Only documented errors, in words; a goodbye where one closes, and behind a goodbye nothing."""
    for position, reply in enumerate(replies):
        if isinstance(reply, m.Error):
            assert reply.code in MEANINGS, what
            assert reply.text, what
        if isinstance(reply, m.Goodbye):
            assert position == len(replies) - 1, what
            assert reply.reason in list(Reason), what
    if any(map(closes, replies)):
        assert isinstance(replies[-1], m.Goodbye), what


def test_bytes_by_chance(server: Server, bystanders: Bystanders) -> None:
    for number in range(rounds(40, 2_000)):
        rng = random.Random(SEED + number)
        with Wire(server.host, server.port) as wire:
            if rng.random() < 0.5:
                wire.hello(f"fuzz{number}")
            with contextlib.suppress(ConnectionError):
                wire.send_bytes(rng.choice([b"", HEADER.pack(rng.randrange(FRAME_BYTES))]) + rng.randbytes(rng.randrange(65536)))
            check(read_to_the_end(wire), f"seed {SEED + number}")
        bystanders.talk(1)


def test_messages_with_something_wrong(server: Server, bystanders: Bystanders) -> None:
    for number in range(rounds(60, 3_000)):
        rng = random.Random(SEED + number)
        with Wire(server.host, server.port) as wire:
            if rng.random() < 0.8:
                wire.hello(f"mutant{number}", rooms=["#x"])
            with contextlib.suppress(ConnectionError):
                wire.send_bytes(b"".join(mutated(rng) for _ in range(rng.randrange(1, 40))))
            check(read_to_the_end(wire), f"seed {SEED + number}")
        bystanders.talk(1)


def test_many_connections_full_of_rubbish_at_once(server: Server, bystanders: Bystanders) -> None:
    rng = random.Random(SEED)
    wires = [Wire(server.host, server.port) for _ in range(200)]
    for wire in wires:
        with contextlib.suppress(ConnectionError):
            wire.send_bytes(rng.randbytes(65536))
    begun = time.monotonic()
    bystanders.talk(20)
    assert time.monotonic() - begun < seconds(20 * 0.2)
    for wire in wires:
        check(read_to_the_end(wire), f"seed {SEED}")
        wire.close()
