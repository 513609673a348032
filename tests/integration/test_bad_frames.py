"""What is wrong on the wire gets one clear answer, hurts nobody else, and closes the connection only where it must."""

from __future__ import annotations

import itertools
import math
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from common import messages as m
from common.errors import MEANINGS, Code
from common.framing import HEADER, frame
from common.limits import FRAME_BYTES, Limits
from tests.support.bystanders import Bystanders
from tests.support.server import Server, running_server
from tests.support.wire import Wire


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("bad_frames") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def bystanders(server: Server) -> Iterator[Bystanders]:
    with Bystanders(server) as bystanders:
        yield bystanders
        bystanders.check_server()


@pytest.fixture
def stranger(server: Server, bystanders: Bystanders) -> Iterator[Wire]:
    """A connection that has said nothing yet. Whatever it does, the bystanders go on talking."""
    with Wire(server.host, server.port) as wire:
        yield wire
    bystanders.talk()


_NUMBERS = itertools.count(1)


@pytest.fixture
def guest(stranger: Wire) -> Wire:
    """A connection that has been welcomed."""
    stranger.hello(f"guest{next(_NUMBERS)}")
    stranger.send(m.Ping(0))
    stranger.expect(m.Pong)
    return stranger


def packed(*message: Any) -> bytes:
    return frame(msgpack.packb(message))


def answer(wire: Wire) -> m.Error:
    """The next reply, which is an error, in words."""
    while isinstance(reply := wire.receive(), m.Presence):
        pass
    assert isinstance(reply, m.Error), reply
    assert reply.text
    return reply


def assert_open(wire: Wire) -> None:
    """The connection lives, and nothing else was said on it."""
    wire.send(m.Ping(99))
    while isinstance(reply := wire.receive(), m.Presence):
        pass
    assert reply == m.Pong(99)


def assert_closed(wire: Wire) -> None:
    """The server said goodbye, and nothing else, and closed."""
    reply = wire.receive()
    assert isinstance(reply, m.Goodbye)
    assert reply.reason == "error"
    assert wire.receive() is None


CLOSING = [
    pytest.param(HEADER.pack(FRAME_BYTES + 1), Code.FRAME_TOO_LARGE, id="a frame over the limit, before its body"),
    pytest.param(HEADER.pack(2**32 - 1), Code.FRAME_TOO_LARGE, id="a frame of 4 GB"),
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", Code.FRAME_TOO_LARGE, id="another protocol"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01", Code.FRAME_TOO_LARGE, id="TLS where there is no certificate"),
    pytest.param(frame(b"\xc1"), Code.BAD_ENCODING, id="a byte that msgpack never uses"),
    pytest.param(frame(b"\xdd\x00\x0f\x42\x40" * 1000), Code.BAD_ENCODING, id="arrays of a million, nested"),
    pytest.param(frame(b"\x91\xa2\xff\xfe"), Code.BAD_ENCODING, id="no UTF-8"),
    pytest.param(frame(b"\x90\x90"), Code.BAD_ENCODING, id="two values"),
]
REFUSED = [
    pytest.param(frame(b""), Code.EMPTY_FRAME, id="an empty frame"),
    pytest.param(frame(b"\x91" * 1000 + b"\xc0"), Code.BAD_MESSAGE, id="arrays in arrays"),
    pytest.param(frame(b"\x05"), Code.BAD_MESSAGE, id="a number"),
    pytest.param(frame(b"\x94\xa4join\x01\xa2#x\x82\xa1a\x01\xa1a\x02"), Code.BAD_MESSAGE, id="a key twice"),
    pytest.param(packed("join", 1, "#x", {5: 1}), Code.BAD_MESSAGE, id="a number as key"),
    pytest.param(packed("shout", 1, "#x"), Code.UNKNOWN_TYPE, id="an unknown tag"),
    pytest.param(packed("send", 1, "#x"), Code.BAD_MESSAGE, id="a field too few"),
]


@pytest.mark.parametrize(("data", "code"), CLOSING)
def test_what_cannot_be_read_closes_the_connection(guest: Wire, data: bytes, code: Code) -> None:
    assert MEANINGS[code].closes
    guest.send_bytes(data)
    assert answer(guest).code == code
    assert_closed(guest)


@pytest.mark.parametrize(("data", "code"), CLOSING[:1] + CLOSING[3:5])
def test_so_it_does_before_hello(stranger: Wire, data: bytes, code: Code) -> None:
    stranger.send_bytes(data)
    assert answer(stranger).code == code
    assert_closed(stranger)


@pytest.mark.parametrize(("data", "code"), REFUSED)
def test_what_is_no_request_is_refused_and_the_next_one_is_not(guest: Wire, data: bytes, code: Code) -> None:
    guest.send_bytes(data)
    assert answer(guest).code == code
    assert_open(guest)


@pytest.mark.parametrize("ref", [-1, 1.0, math.nan, True, "7", None])
def test_a_ref_that_is_none(guest: Wire, ref: object) -> None:
    guest.send_bytes(packed("send", ref, m.LOBBY, "hello", {}))
    error = answer(guest)
    assert (error.code, error.ref) == (Code.BAD_MESSAGE, None)
    assert_open(guest)


@pytest.mark.parametrize(
    "request_",
    [m.Join(7, "#x", {}), m.Send(7, m.LOBBY, "hello", {}), m.History(7, m.LOBBY, {}), m.Rooms(7, {}), m.Part(7, m.LOBBY, {})],
    ids=lambda request: type(request).__name__,
)
def test_nothing_is_done_for_strangers(stranger: Wire, request_: m.Request) -> None:
    stranger.send(request_)
    error = answer(stranger)
    assert (error.code, error.ref) == (Code.NOT_LOGGED_IN, 7)
    stranger.hello(f"guest{next(_NUMBERS)}")


def test_another_version_of_the_protocol(stranger: Wire) -> None:
    stranger.send(m.Hello(7, 2, "ada", {}))
    assert answer(stranger)[:2] == (7, Code.BAD_VERSION)
    assert_closed(stranger)


def test_half_a_connection_is_closed_without_a_word(stranger: Wire) -> None:
    stranger.socket.shutdown(socket.SHUT_WR)
    assert stranger.receive() is None


def test_a_connection_that_is_reset(stranger: Wire) -> None:
    stranger.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stranger.send_bytes(HEADER.pack(100) + b"half")


def test_a_message_byte_by_byte(guest: Wire) -> None:
    for byte in m.encode(m.Send(m.make_ref(1, 1), m.LOBBY, "slow", {})):
        guest.send_bytes(bytes([byte]))
        time.sleep(0.002)
    while guest.expect(m.Msg).text != "slow":
        pass


def test_ten_thousand_requests_at_once_are_answered_in_order(guest: Wire) -> None:
    """The client reads nothing before it has written everything it can: the server stops reading from it, and goes on later."""
    data = b"".join(m.encode(m.Ping(number)) for number in range(10_000))
    guest.send_bytes(data)
    assert [guest.expect(m.Pong).ref for _ in range(10_000)] == list(range(10_000))


def test_the_longest_text_and_one_byte_more(guest: Wire) -> None:
    emoji = "\U0001f600"
    longest = emoji * (Limits().text_bytes // len(emoji.encode()))
    assert guest.say(m.make_ref(1, 1), m.LOBBY, longest).text == longest
    guest.send(m.Send(m.make_ref(1, 2), m.LOBBY, longest + "x", {}))
    assert answer(guest)[:2] == (m.make_ref(1, 2), Code.TOO_LONG)
    assert_open(guest)


@pytest.mark.parametrize("text", ["", "\0\x1b\x07", "\u200b"])
def test_a_text_of_nothing(guest: Wire, text: str) -> None:
    guest.send(m.Send(m.make_ref(1, 1), m.LOBBY, text, {}))
    assert answer(guest).code == Code.EMPTY_TEXT
    assert_open(guest)


def test_controls_are_taken_out_of_a_text(guest: Wire) -> None:
    said = guest.say(m.make_ref(1, 1), m.LOBBY, "nul\0 esc\x1b[2J bell\x07 csi\x9b31m cr\r\nnext\u2028line\u202e")
    assert said.text == "nul esc[2J bell csi31m cr\nnext\nline"


@pytest.mark.parametrize("room", ["", "dev", "#", "#a b", "#\0", "#" + "x" * 60_000])
def test_rooms_that_cannot_be(guest: Wire, room: str) -> None:
    guest.send(m.Join(7, room, {}), m.Part(8, "#never-joined", {}))
    error = answer(guest)
    assert error[:2] == (7, Code.BAD_ROOM)
    assert len(error.text) < 200
    assert answer(guest)[:2] == (8, Code.NOT_IN_ROOM)


def test_more_rooms_than_one_may_be_in(guest: Wire) -> None:
    most = Limits().rooms_per_user
    guest.send(*(m.Join(number, f"#many{number}", {}) for number in range(1, most + 50)))
    codes = []
    for _ in range(most + 49):
        while isinstance(reply := guest.receive(), m.Presence):
            pass
        codes.append(reply.code if isinstance(reply, m.Error) else type(reply).__name__)
    assert codes.count("Joined") in (most - 1, most)  # the lobby may count
    assert codes == sorted(codes, key=lambda code: code != "Joined")
    assert set(codes) == {"Joined", Code.TOO_MANY_ROOMS}
