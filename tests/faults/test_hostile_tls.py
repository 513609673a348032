"""What a client can do to a server below the protocol, in TLS. Nobody else notices any of it, see `tests.support.oracle`."""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from common import messages as m
from tests.support.encrypted import client_hello, tls_options
from tests.support.oracle import Oracle
from tests.support.records import ALERT, HANDSHAKE, KEY_UPDATE, Records
from tests.support.server import Server, running_server
from tests.support.timeouts import seconds
from tests.support.wire import Wire, trusting

_MANY_UPDATES = 20_000
"""Their answers are more than fits the buffers on the way."""
_HELLO = m.encode(m.Hello(1, m.VERSION, "stranger", {}))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile")
    limits = dict.fromkeys(("handshake_seconds", "login_seconds"), math.ceil(seconds(1)))
    with running_server(folder / "data", *tls_options(folder, True), limits=limits) as server:
        yield server


@contextlib.contextmanager
def opened(server: Server, tmp_path: Path, receive_buffer: int | None = None) -> Iterator[Records]:
    """A connection behind its handshake."""
    records = Records(server.host, server.port, tmp_path, receive_buffer)
    try:
        yield records
    finally:
        records.close()


def is_closed(sock: socket.socket) -> bool:
    """Whether the server closes it, whatever it says before."""
    with contextlib.suppress(ConnectionError):
        while sock.recv(65536):
            pass
    return True


def test_one_that_asks_tls_for_answers_and_reads_none_is_not_read_from(server: Server, oracle: Oracle, tmp_path: Path) -> None:
    with opened(server, tmp_path, receive_buffer=4096) as records:
        records.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        records.socket.sendall(records.record(_HELLO))
        records.socket.settimeout(seconds(0.5))
        updates = b"".join(records.key_update() for _ in range(_MANY_UPDATES))
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < len(updates):
                sent += records.socket.send(updates[sent : sent + 4096])
        assert sent < len(updates), "all of it is read, and what is answered waits in the server"
        oracle.check_others()
        records.socket.setblocking(False)
        deadline = time.monotonic() + seconds(10)
        while sent < len(updates) and time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                records.socket.recv(65536)
            with contextlib.suppress(BlockingIOError):
                sent += records.socket.send(updates[sent : sent + 4096])
        assert sent == len(updates), "where it reads, it is read from again"
    oracle.check()


Deed: TypeAlias = Callable[[Records], bytes]
DEEDS: dict[str, Deed] = {
    "records of nothing": lambda records: b"".join(records.record(b"") for _ in range(1_000)),
    "a byte in each record": lambda records: b"".join(records.record(bytes([byte])) for byte in _HELLO * 40),
    "a record that is too long": lambda records: b"\x17\x03\x03\xff\xff" + b"x" * 0xFFFF,
    "a record of another key": lambda records: records.record(_HELLO)[:-1] + b"x",
    "a record twice": lambda records: records.record(_HELLO) * 2,
    "plain text": lambda records: _HELLO,
    "another hello of TLS": lambda records: client_hello(),
    "a kind that there is not": lambda records: records.record(b"x", 99),
    "half an update of keys": lambda records: records.record(KEY_UPDATE[:3], HANDSHAKE),
    "a handshake without end": lambda records: b"".join(
        records.record(b"\x18\xff\xff\xff" + b"x" * 16_000, HANDSHAKE) for _ in range(20)
    ),
    "alerts without end": lambda records: b"".join(records.record(b"\x01\x5a", ALERT) for _ in range(1_000)),
    "an end, and more": lambda records: records.record(b"\x01\x00", ALERT) + records.record(_HELLO),
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS.keys())
def test_nobody_else_notices(deed: Deed, server: Server, oracle: Oracle, tmp_path: Path) -> None:
    with opened(server, tmp_path) as records:
        with contextlib.suppress(ConnectionError):
            records.socket.sendall(deed(records))
        assert is_closed(records.socket)
    oracle.check()


def test_hundreds_that_stop_within_the_handshake(server: Server, oracle: Oracle) -> None:
    hello = client_hello()
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.host, server.port)) for _ in range(300)]
        for number, wire in enumerate(wires):
            wire.send_bytes(hello[: 1 + number * len(hello) // 299])
        oracle.check_others()
        for wire in wires:
            assert is_closed(wire.socket)
    oracle.check()


def test_hundreds_of_handshakes_one_after_the_other(server: Server, oracle: Oracle) -> None:
    for _ in range(200):
        with contextlib.closing(socket.create_connection((server.host, server.port), seconds(5))) as sock:
            trusting().wrap_socket(sock).close()
    oracle.check()


def test_half_an_end(server: Server, oracle: Oracle) -> None:
    """The stream is closed in the middle of TLS, and after its proper end."""
    for proper in (False, True):
        with Wire(server.host, server.port, tls=trusting()) as wire:
            wire.hello(f"half{proper}")
            assert isinstance(wire.socket, ssl.SSLSocket)
            if proper:
                with contextlib.suppress(OSError):
                    wire.socket.unwrap()
            else:
                wire.socket.shutdown(socket.SHUT_WR)
    oracle.check()
