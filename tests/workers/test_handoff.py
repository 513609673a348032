"""workers.handoff over real sockets."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator

import pytest

from workers.handoff import AcceptorEnd, HandoffClosed, Load, WorkerEnd


@pytest.fixture
def ends() -> Iterator[tuple[AcceptorEnd, WorkerEnd]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    acceptor, worker = AcceptorEnd(one.detach()), WorkerEnd(other.detach())
    yield acceptor, worker
    acceptor.close()
    worker.close()


def give(acceptor: AcceptorEnd, port: int = 1) -> socket.socket:
    """Gives away one end of a connection; the client's end."""
    client, connection = socket.socketpair()
    try:
        with connection:
            acceptor.give(connection, "127.0.0.1", port)
    except BaseException:
        client.close()
        raise
    return client


def test_a_connection_arrives_with_its_address(ends: tuple[AcceptorEnd, WorkerEnd]) -> None:
    acceptor, worker = ends
    with give(acceptor, port=5555) as client:
        [passed] = worker.take()
        assert (passed.host, passed.port) == ("127.0.0.1", 5555)
        with passed.connection:
            passed.connection.sendall(b"hello")
            assert client.recv(100) == b"hello"
        assert client.recv(100) == b"", "nobody else has a copy of it"
    assert worker.take() == []


def test_loads_the_newest_counts(ends: tuple[AcceptorEnd, WorkerEnd]) -> None:
    acceptor, worker = ends
    assert acceptor.load() is None
    for _ in range(3):
        give(acceptor).close()
    for passed in worker.take():
        passed.connection.close()
    worker.confirm(3)
    worker.confirm(2)
    worker.confirm(2)
    assert acceptor.load() == Load(confirmed=3, open=2, sources={})
    assert acceptor.load() is None, "what is no news is not said again"


def test_what_a_dead_worker_had_not_taken_is_closed(ends: tuple[AcceptorEnd, WorkerEnd]) -> None:
    acceptor, worker = ends
    with give(acceptor) as client:
        worker.close()
        assert client.recv(100) == b""
    with pytest.raises(HandoffClosed):
        acceptor.load()
    with pytest.raises(HandoffClosed):
        give(acceptor)


def test_what_a_dead_acceptor_had_given_is_taken(ends: tuple[AcceptorEnd, WorkerEnd]) -> None:
    acceptor, worker = ends
    worker.confirm(7)  # never read by the acceptor
    with give(acceptor):
        acceptor.close()
        [passed] = worker.take()
        passed.connection.close()
    with pytest.raises(HandoffClosed):
        worker.take()


def test_a_worker_without_descriptors_loses_that_connection_alone(ends: tuple[AcceptorEnd, WorkerEnd]) -> None:
    acceptor, worker = ends
    with give(acceptor) as lost, give(acceptor, port=2) as kept:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        fillers = [os.dup(0) for _ in range(highest + 3)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(fillers) + 1, hard))
        try:
            assert worker.take() == []
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for fd in fillers:
                os.close(fd)
        assert lost.recv(1) == kept.recv(1) == b""
    worker.confirm(0)
    assert acceptor.load() == Load(confirmed=2, open=0, sources={}), "the acceptor does not wait for them"


def test_the_last_descriptors_are_no_clients(ends: tuple[AcceptorEnd, WorkerEnd]) -> None:
    """A new broker's pipe is to arrive: a worker that cannot take it ends, and all of its clients with it."""
    acceptor, worker = ends
    for _ in range(40):
        give(acceptor).close()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    held = [os.dup(0) for _ in range(highest + 3)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(held) + 1 + 24, hard))
    try:
        taken = [passed.connection.detach() for passed in worker.take()]
        held += taken
        assert taken, "there was room for some"
        assert worker.lost == 40 - len(taken)
        held += [fd for _ in range(4) for fd in os.pipe()]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in held:
            os.close(fd)


def test_an_acceptor_that_does_not_read_blocks_no_worker(ends: tuple[AcceptorEnd, WorkerEnd]) -> None:
    acceptor, worker = ends
    for connections in range(5_000):
        worker.confirm(connections)
    while (load := acceptor.load()) is not None:
        newest = load
    worker.confirm(4_999)  # what did not fit is said now
    assert (acceptor.load() or newest) == Load(0, 4_999, {})


def test_what_is_open_from_where_is_told_when_it_has_changed(ends: tuple[AcceptorEnd, WorkerEnd]) -> None:
    acceptor, worker = ends
    for number in range(250):
        worker.note(f"10.0.0.{number}", 1)
    worker.note("10.0.0.7", 2)
    worker.confirm(251)
    load = acceptor.load()
    assert load is not None
    assert load.sources == {f"10.0.0.{number}": 1 for number in range(250)} | {"10.0.0.7": 2}
    worker.note("10.0.0.7", 0)
    worker.confirm(251)
    assert acceptor.load() == Load(0, 251, {"10.0.0.7": 0})


def test_what_did_not_fit_is_told_later(ends: tuple[AcceptorEnd, WorkerEnd]) -> None:
    acceptor, worker = ends
    told: dict[str, int] = {}
    for number in range(5_000):
        worker.note(str(number), 1)
        worker.confirm(number)
    for _ in range(100):
        while (load := acceptor.load()) is not None:
            told |= load.sources
        worker.confirm(5_000)
    assert told == {str(number): 1 for number in range(5_000)}
