"""workers.process with a real pipe and a real socket, turn by turn. What else it does, whole servers test."""

from __future__ import annotations

import socket
from multiprocessing.connection import Pipe
from pathlib import Path

import pytest

from common import messages as m
from common.channel import Channel
from common.child import Boot
from common.control import Control
from common.limits import Limits
from tests.support.timeouts import seconds
from tests.support.wire import Wire
from workers.handoff import AcceptorEnd
from workers.process import WorkerProcess


def turn(process: WorkerProcess) -> None:
    """One turn of the worker, once there is something for it."""
    for key, events in process._selector.select(seconds(5)):
        key.data(events)
    process._finish_turn()


def test_what_the_end_of_a_turn_leads_to_is_asked_for_in_that_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would wait for whatever makes the next one: somebody is gone, and the others would see them for a second more."""
    monkeypatch.setattr("workers.process._LINGER_SECONDS", 0.0)  # so the turn that says goodbye also closes, at its end
    sockets = [
        *socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET),
        *socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET),
    ]
    supervisor, control = map(Control, sockets[:2])
    acceptor, handoff = AcceptorEnd(sockets[2].detach()), sockets[3]
    pipe, theirs = Pipe()
    broker = Channel(pipe)
    process = WorkerProcess(Boot(0, str(tmp_path), Limits(), "text", "info"), control)
    supervisor.send("broker", fds=[theirs.fileno()])
    supervisor.send("acceptor", fds=[handoff.fileno()])
    turn(process)
    assert broker.receive() == [["intro", [], False]]
    broker.send([0, -1, [["snapshot", "0" * 32, b"key"]]])
    turn(process)

    with socket.create_server(("127.0.0.1", 0)) as listener, Wire(*listener.getsockname()) as ada:
        with listener.accept()[0] as connection:
            acceptor.give(connection, "127.0.0.1", 1)
        turn(process)
        ada.send(m.Hello(1, m.VERSION, "ada", {}))
        turn(process)
        [[_, first, [[tag, sid, *_]]]] = broker.receive()
        assert (first, tag) == (0, "hello")
        broker.send([0, 0, [["welcome", sid, 1, "ada", 0, [["#lobby", "#lobby", 1, ["ada"], {}]], {}]]])
        turn(process)
        ada.send(m.Bye(2))
        turn(process)
        assert broker.receive() == [["requests", 1, [["gone", sid, False, 0]]]]

    process._selector.close()
    for end in (broker, theirs, acceptor, handoff, supervisor, control, process._broker, process._handoff):
        assert end is not None
        end.close()
