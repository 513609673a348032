"""Five hundred clients on four workers stay connected, and all get each of a thousand messages, once and in order."""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common import messages as m
from common.framing import FrameDecoder
from common.limits import FRAME_BYTES
from tests.support.server import Server, running_server
from tests.support.timeouts import seconds

CLIENTS = 500
WORKERS = 4
MESSAGES = 1_000
SENDERS = 8
WAVE = 100
"""So many come at once: a worker that stands still for a moment has caught up before the last of them come."""
_MSG = b"\x98\xa3msg"
"""How a `msg` begins; half a million of them are not unpacked one by one."""


@pytest.fixture(autouse=True)
def enough_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CLIENTS + 100
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Client:
    """One connection that says hello, and keeps the messages that it gets as they came."""

    def __init__(self, server: Server, number: int) -> None:
        self.socket = socket.create_connection((server.host, server.port), seconds(10))
        self.decoder = FrameDecoder(FRAME_BYTES)
        self.in_lobby = False
        self.messages: list[bytes] = []
        self.socket.sendall(m.encode(m.Hello(1, m.VERSION, f"client{number}", {})))

    def read(self) -> None:
        data = self.socket.recv(1024 * 1024)
        assert data, "the server closed a connection"
        bodies, problem = self.decoder.feed(data)
        assert problem is None
        for body in bodies:
            if body.startswith(_MSG):
                self.messages.append(body)
            elif isinstance(reply := m.parse_reply(body), m.Joined):
                self.in_lobby = True
            else:
                assert isinstance(reply, m.Welcome | m.Presence), reply


def test_a_crowd_hears_everything_once_and_in_order(tmp_path: Path) -> None:
    with (
        running_server(tmp_path / "data", workers=WORKERS) as server,
        selectors.DefaultSelector() as selector,
        contextlib.ExitStack() as stack,
    ):
        pids = server.children()
        clients: list[Client] = []
        for first_number in range(0, CLIENTS, WAVE):
            wave = [Client(server, number) for number in range(first_number, first_number + WAVE)]
            for client in wave:
                stack.enter_context(client.socket)
                selector.register(client.socket, selectors.EVENT_READ, client)
            clients.extend(wave)
            read_until(selector, lambda: all(client.in_lobby for client in clients))
        for sender, client in enumerate(clients[:SENDERS]):
            client.socket.sendall(
                b"".join(
                    m.encode(m.Send(m.make_ref(sender, number), m.LOBBY, f"{number} of {sender}", {}))
                    for number in range(MESSAGES // SENDERS)
                )
            )
        began = time.monotonic()
        read_until(selector, lambda: all(len(client.messages) >= MESSAGES for client in clients))
        print(f"{CLIENTS * MESSAGES} deliveries in {time.monotonic() - began:.2f} s")
        status = server.status()
        assert sum(worker["connections"] for worker in status["per_worker"]) == CLIENTS
        assert min(worker["connections"] for worker in status["per_worker"]) > CLIENTS // WORKERS // 2
        assert server.children() == pids
    first = clients[0].messages
    messages = [message for body in first if isinstance(message := m.parse_reply(body), m.Msg)]
    assert [message.id for message in messages] == sorted({message.id for message in messages})
    for sender in range(SENDERS):
        said = [message.text for message in messages if m.split_ref(message.ref)[0] == sender]
        assert said == [f"{number} of {sender}" for number in range(MESSAGES // SENDERS)]
    assert len(messages) == MESSAGES
    assert all(client.messages == first for client in clients)


def read_until(selector: selectors.BaseSelector, done: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds(20)
    while not done():
        assert time.monotonic() < end, "not everything came in time"
        for key, _ in selector.select(1.0):
            key.data.read()
