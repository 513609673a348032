"""workers.transport: both ways over real sockets; at the other end is a client of the `ssl` module."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.tls import server_context
from tests.support.certificates import Made, make
from tests.support.timeouts import wait_until
from tests.support.wire import trusting
from workers.transport import Opening, Plain, Tls, Transport, opening


@pytest.mark.parametrize(
    ("first", "offered", "required", "expected"),
    [
        (0x00, False, False, Opening.PLAIN),
        (0x00, True, False, Opening.PLAIN),
        (0x00, True, True, Opening.TLS_REQUIRED),
        (0x16, False, False, Opening.PLAIN),
        (0x16, True, False, Opening.TLS),
        (0x16, True, True, Opening.TLS),
        (0x16, False, True, Opening.TLS_REQUIRED),
        (ord("G"), True, False, Opening.PLAIN),
        (ord("G"), True, True, Opening.TLS_REQUIRED),
        (0x80, True, True, Opening.TLS_REQUIRED),  # how SSL 2 began
    ],
)
def test_what_the_first_byte_tells(first: int, offered: bool, required: bool, expected: Opening) -> None:
    assert opening(first, offered=offered, required=required) is expected


class Pair:
    """A transport, and the client's socket at the other end."""

    def __init__(self, made: Made | None, client_context: ssl.SSLContext) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.ours, self.client = ours, theirs
        self.transport: Transport = Plain(ours)
        if made is not None:
            client = self.client = client_context.wrap_socket(theirs, do_handshake_on_connect=False)
            self._advance(client.do_handshake)
            wait_until(lambda: select.select([ours], [], [], 0)[0], "it has begun")
            self.transport = Tls(ours, server_context(made.pem + made.key_pem()), ours.recv(100))
            while self.transport.handshaking:
                self._advance(lambda: self.transport.receive(100))
                self._advance(client.do_handshake)

    def _advance(self, step: Callable[[], object]) -> None:
        try:
            step()
        except (ssl.SSLWantReadError, BlockingIOError):
            pass

    def close(self) -> None:
        self.ours.close()
        self.client.close()

    def client_reads(self) -> bytes:
        """All that has come."""
        data = b""
        while True:
            try:
                some = self.client.recv(100_000)
            except (ssl.SSLWantReadError, BlockingIOError):
                return data
            if not some:
                return data
            data += some


@pytest.fixture(params=["plain", "TLS 1.2", "TLS 1.3"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    context = trusting()
    if request.param != "plain":
        version = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}[request.param]
        context.minimum_version = context.maximum_version = version
    pair = Pair(None if request.param == "plain" else make(), context)
    yield pair
    pair.close()


def test_bytes_go_both_ways(pair: Pair) -> None:
    pair.client.send(b"hello")
    assert pair.transport.receive(100) == b"hello"
    with pytest.raises(BlockingIOError):
        pair.transport.receive(100)
    assert pair.transport.send(b"and you") == 7
    assert not pair.transport.waiting
    assert pair.client_reads() == b"and you"


def test_a_handshake_goes_out_in_as_many_pieces_as_there_is_room_for() -> None:
    """The chain is longer than what the socket takes at once."""
    made = make()
    chain = made.pem + b"".join(make(f"{number}.test").pem for number in range(30))
    ours, theirs = socket.socketpair()
    with ours, trusting().wrap_socket(theirs, do_handshake_on_connect=False) as client:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        ours.setblocking(False)
        client.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        transport = Tls(ours, server_context(chain + made.key_pem()), ours.recv(4096))
        with pytest.raises(BlockingIOError):
            transport.receive(100)
        pieces = 0
        while transport.waiting:
            with pytest.raises(ssl.SSLWantReadError):
                client.do_handshake()
            transport.send(b"")
            pieces += 1
            assert pieces < 100, "it is never sent"
        assert pieces > 1
        client.do_handshake()
        with pytest.raises(BlockingIOError):
            transport.receive(100)
        assert not transport.handshaking


def test_what_was_read_and_not_handed_out_is_buffered(pair: Pair) -> None:
    """The socket of a TLS connection is empty then, and nobody would look at it again."""
    text = bytes(range(250)) * 40
    pair.client.send(text)
    heard = b""
    while True:
        readable = select.select([pair.ours], [], [], 0)[0]
        if not (readable or pair.transport.buffered):
            break
        try:
            heard += pair.transport.receive(1000)
        except BlockingIOError:
            pass
    assert heard == text


def test_a_client_that_does_not_read(pair: Pair) -> None:
    """What is taken arrives, in order, and nothing else; little more than the socket's buffer is taken."""
    pair.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    text = b"".join(b"%07d\n" % number for number in range(100_000))
    taken = first = pair.transport.send(text)
    assert 0 < first < 150_000
    assert more(pair.transport, text[taken:]) == 0
    heard = pair.client_reads()
    while taken < len(text) or pair.transport.waiting:
        taken += more(pair.transport, text[taken:])
        heard += pair.client_reads()
    assert (heard + pair.client_reads()) == text


def more(transport: Transport, data: bytes) -> int:
    """How much of it is taken now."""
    try:
        return transport.send(data)
    except BlockingIOError:
        return 0


def test_the_end_of_a_client(pair: Pair) -> None:
    pair.client.send(b"last words")
    pair.client.shutdown(socket.SHUT_WR) if isinstance(pair.transport, Plain) else pair.client.close()
    assert pair.transport.receive(100) == b"last words"
    assert pair.transport.receive(100) == b""


def test_our_end_is_heard_behind_the_last_words_and_what_comes_then_means_nothing(pair: Pair) -> None:
    """Above all it is read: closing with something unread resets the connection, and destroys what was not read at its end."""
    pair.client.send(b"meanwhile")
    pair.transport.send(b"bye")
    pair.transport.end()
    assert not pair.transport.buffered
    assert pair.client_reads() == b"bye"
    assert pair.client.recv(10) == b""
    while select.select([pair.ours], [], [], 0)[0]:
        assert pair.transport.receive(100)


def test_a_reset_shows(pair: Pair) -> None:
    socket.socket(fileno=pair.client.detach()).close()
    with pytest.raises(OSError, match="ipe"):
        pair.transport.send(b"is anybody there?" * 1000)
    assert not pair.transport.waiting, "it would be tried again and again"


def test_what_waits_for_one_that_is_gone_waits_no_more(pair: Pair) -> None:
    pair.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 5_000)
    while more(pair.transport, b"x" * 10_000):
        pass
    socket.socket(fileno=pair.client.detach()).close()
    with pytest.raises(OSError, match="ipe"):
        pair.transport.send(b"x")
    assert not pair.transport.waiting


def test_before_the_handshake_nothing_can_be_said_and_nothing_waits() -> None:
    made = make()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        transport = Tls(ours, server_context(made.pem + made.key_pem()), b"\x16")
        with pytest.raises(BlockingIOError):
            transport.receive(10)
        assert transport.send(b"too early") == 9
        assert (transport.waiting, transport.buffered, transport.handshaking) == (False, False, True)
        transport.end()
        assert theirs.recv(10) == b""


@pytest.mark.parametrize("began", [b"\x16\x03\x01\x00\x05hello", b"\x16" * 100])
def test_what_is_no_handshake_is_an_error(began: bytes) -> None:
    made = make()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        transport = Tls(ours, server_context(made.pem + made.key_pem()), began)
        with pytest.raises(ssl.SSLError):
            transport.receive(100)


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError):
        server_context(b"nothing")
