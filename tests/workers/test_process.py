"""workers.process with a real pipe and a real socket, turn by turn. What else it does, whole servers test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import asdict
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

import pytest

from common import messages as m
from common.channel import Channel
from common.child import Boot
from common.control import Control
from common.limits import Limits
from tests.support.certificates import make
from tests.support.timeouts import seconds
from tests.support.wire import Wire
from workers.handoff import AcceptorEnd
from workers.process import WorkerProcess


class Bench:
    """A worker, and those that it works with: the test says what they say."""

    def __init__(self, data_dir: Path) -> None:
        sockets = [end for _ in range(2) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)]
        self.supervisor, control = map(Control, sockets[:2])
        self.acceptor, handoff = AcceptorEnd(sockets[2].detach()), sockets[3]
        pipe, theirs = Pipe()
        self.broker = Channel(pipe)
        self.process = WorkerProcess(Boot(0, str(data_dir), Limits(), "text", "info"), control)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[Any] = [self.supervisor, self.acceptor, self.broker, self.listener, control, handoff, theirs]
        self.supervisor.send("broker", fds=[theirs.fileno()])
        self.supervisor.send("acceptor", fds=[handoff.fileno()])
        self.turn()
        assert self.broker.receive() == [["intro", [], False]]
        self.broker.send([0, -1, [["snapshot", "0" * 32, b"key"]]])
        self.turn()

    def turn(self) -> None:
        """One turn of the worker, once there is something for it."""
        for key, events in self.process._selector.select(seconds(5)):
            key.data(events)
        self.process._finish_turn()

    def connect(self) -> Wire:
        """A client that the worker has."""
        client = Wire(*self.listener.getsockname())
        with self.listener.accept()[0] as connection:
            self.acceptor.give(connection, "127.0.0.1", 1)
        self.turn()
        return client

    def close(self) -> None:
        for connection in [*self.process._connections.values()]:
            self.process._drop(connection)
        self.process._leave_broker()
        self.process._leave_acceptor()
        self.process._selector.close()
        for end in self._ends:
            end.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_what_the_end_of_a_turn_leads_to_is_asked_for_in_that_turn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would wait for whatever makes the next one: somebody is gone, and the others would see them for a second more."""
    monkeypatch.setattr("workers.process._LINGER_SECONDS", 0.0)  # so the turn that says goodbye also closes, at its end
    with bench.connect() as ada:
        ada.send(m.Hello(1, m.VERSION, "ada", {}))
        bench.turn()
        [[_, first, [[tag, sid, *_]]]] = bench.broker.receive()
        assert (first, tag) == (0, "hello")
        bench.broker.send([0, 0, [["welcome", sid, 1, "ada", 0, [["#lobby", "#lobby", 1, ["ada"], {}]], {}]]])
        bench.turn()
        ada.send(m.Bye(2))
        bench.turn()
        assert bench.broker.receive() == [["requests", 1, [["gone", sid, False, 0]]]]


def test_less_time_for_handshakes_holds_for_those_that_have_begun(bench: Bench) -> None:
    """And nobody waits behind one that was promised more."""
    made = make()
    bench.supervisor.send("tls", {"pem": made.pem + made.key_pem(), "required": False})
    bench.turn()
    with bench.connect() as ada, bench.connect() as bob:
        ada.send_bytes(b"\x16")
        bench.turn()
        bench.supervisor.send("limits", asdict(Limits(handshake_seconds=0)))
        bench.turn()
        bob.send_bytes(b"\x16")
        bench.turn()
        for late in (ada, bob):
            late.socket.settimeout(seconds(1))
            assert late.receive() is None
