"""workers.acceptor: the real process, started as the supervisor starts it, with this test as supervisor and as workers."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import messages as m
from common.child import Boot
from common.control import Control
from common.errors import Code
from common.limits import Limits
from tests.support.frames import replies_in
from tests.support.timeouts import seconds, wait_until
from workers.handoff import HandoffClosed, Passed, WorkerEnd
from workers.placement import UNCONFIRMED_MOST


class Acceptor:
    """The process, and the supervisor's view of it."""

    def __init__(self, descriptors: int, log: Path, limits: Limits, start: str) -> None:
        self.log = log
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        boot = Boot(os.getpid(), "/data", limits, "text", "info", role="acceptor", control_fd=theirs.fileno())
        with theirs, log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", start, "workers.acceptor", boot.to_json()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                pass_fds=[theirs.fileno()],
                stderr=file,
            )
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
        self.control = Control(ours)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.listener.setblocking(False)
        self.workers: list[Worker] = []
        self.clients: list[socket.socket] = []

    def listen(self, plain: bool = True) -> None:
        self.control.send("listen", {"plain": plain}, [self.listener.fileno()])
        assert [order.kind for order in wait_until(self.control.receive, "it is ready")] == ["ready"]

    def worker(self, number: int, generation: int = 0) -> Worker:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.control.send("worker", {"number": number, "generation": generation}, [theirs.fileno()])
        self.workers.append(Worker(ours.detach()))
        return self.workers[-1]

    def connect(self, count: int = 1) -> list[socket.socket]:
        clients = [socket.create_connection(self.listener.getsockname(), seconds(5)) for _ in range(count)]
        self.clients += clients
        return clients

    def accepted(self) -> int:
        self.control.send("status")
        accepted: int = wait_until(self.control.receive, "it answers")[0].data["accepted"]
        return accepted

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def processor_seconds(self) -> float:
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.control.close()
        self.listener.close()
        for client in self.clients:
            client.close()
        for worker in self.workers:
            worker.close()


class Worker:
    """What a worker does with its handoff socket."""

    def __init__(self, fd: int) -> None:
        self.end = WorkerEnd(fd)
        self.connections: list[Passed] = []

    def take(self) -> int:
        """How many connections it has, with those that wait for it now."""
        self.connections += self.end.take()
        return len(self.connections)

    def confirm(self) -> None:
        self.end.confirm(len(self.connections))

    def serve(self) -> int:
        """Takes what there is and says so, as a worker that is well does."""
        count = self.take()
        self.confirm()
        return count

    def close(self) -> None:
        self.end.close()
        for passed in self.connections:
            passed.connection.close()


RUN = "from common.child import run; run()"
COUNTED = f"import workers.acceptor as it; it.source_of = lambda host: host; {RUN}"
"""Started so, it counts the connections of this machine like those of others."""


@contextlib.contextmanager
def running(tmp_path: Path, limits: Limits | None = None, start: str = RUN) -> Iterator[Acceptor]:
    acceptor = Acceptor(1024, tmp_path / "log", limits or Limits(), start)
    try:
        yield acceptor
    finally:
        acceptor.close()
    assert "Traceback" not in acceptor.log.read_text()


@pytest.fixture
def acceptor(tmp_path: Path) -> Iterator[Acceptor]:
    with running(tmp_path) as acceptor:
        yield acceptor


def test_connections_are_shared_out_evenly_and_not_kept(acceptor: Acceptor) -> None:
    workers = [acceptor.worker(number) for number in (1, 2, 3)]
    acceptor.listen()
    acceptor.accepted()
    before = acceptor.descriptors()
    clients = acceptor.connect(30)
    wait_until(lambda: sum(worker.serve() for worker in workers) == 30, "all arrive")
    assert [len(worker.connections) for worker in workers] == [10, 10, 10]
    peers = {(passed.host, passed.port) for worker in workers for passed in worker.connections}
    assert peers == {client.getsockname() for client in clients}
    wait_until(lambda: acceptor.descriptors() == before, "it has closed its copies, which may be after a worker has got them")
    assert acceptor.accepted() == 30


def test_the_one_with_the_fewest_gets_the_next(acceptor: Acceptor) -> None:
    busy, idle = acceptor.worker(1), acceptor.worker(2)
    busy.end.confirm(5)
    acceptor.listen()
    acceptor.accepted()  # by now it has heard of the load
    acceptor.connect(5)
    wait_until(lambda: idle.serve() == 5, "the idle one gets them all")
    assert busy.take() == 0


def test_who_confirms_nothing_gets_no_more_than_so_many(acceptor: Acceptor) -> None:
    stuck, well = acceptor.worker(1), acceptor.worker(2)
    acceptor.listen()
    acceptor.connect(3 * UNCONFIRMED_MOST)

    wait_until(lambda: well.serve() == 2 * UNCONFIRMED_MOST, "the others come to the one that is well")
    assert stuck.take() == UNCONFIRMED_MOST


def test_while_all_are_full_none_is_accepted_and_nobody_spins(acceptor: Acceptor) -> None:
    worker = acceptor.worker(1)
    acceptor.listen()
    acceptor.connect(UNCONFIRMED_MOST + 5)
    wait_until(lambda: worker.take() == UNCONFIRMED_MOST, "it gets what it may")
    before = acceptor.processor_seconds()
    time.sleep(0.3)
    assert acceptor.accepted() == UNCONFIRMED_MOST
    assert acceptor.processor_seconds() - before < 0.1
    worker.confirm()
    wait_until(lambda: worker.take() == UNCONFIRMED_MOST + 5, "the rest comes after that")


def test_what_a_dead_worker_had_not_taken_ends(acceptor: Acceptor) -> None:
    worker = acceptor.worker(1)
    acceptor.listen()
    [client] = acceptor.connect()
    wait_until(lambda: acceptor.accepted() == 1, "it is passed on")
    worker.close()
    assert client.recv(1) == b""
    acceptor.control.send("worker_gone", {"number": 1, "generation": 0})
    acceptor.connect()
    replacement = acceptor.worker(1, generation=1)
    wait_until(lambda: replacement.serve() == 1, "the next waits for the new one")


def test_a_lost_socket_is_told_and_another_one_takes_its_place(acceptor: Acceptor) -> None:
    """The worker lives: it is the socket alone that was closed."""
    acceptor.worker(1, generation=3).close()
    [order] = wait_until(acceptor.control.receive, "it says so")
    assert (order.kind, order.data) == ("lost", {"number": 1, "generation": 3})
    worker = acceptor.worker(1, generation=3)
    acceptor.listen()
    acceptor.connect()
    wait_until(lambda: worker.serve() == 1, "it gets the connection")


def test_news_of_an_old_death_does_not_touch_the_new_worker(acceptor: Acceptor) -> None:
    acceptor.worker(1).close()
    worker = acceptor.worker(1, generation=1)
    acceptor.control.send("worker_gone", {"number": 1, "generation": 0})
    acceptor.listen()
    acceptor.connect()
    wait_until(lambda: worker.take() == 1, "it gets the connection")


def test_a_worker_that_goes_while_connections_come_loses_none_to_the_others(acceptor: Acceptor) -> None:
    leaving, staying = acceptor.worker(1), acceptor.worker(2)
    acceptor.listen()
    acceptor.accepted()
    acceptor.process.send_signal(signal.SIGSTOP)
    leaving.close()
    acceptor.connect(10)
    acceptor.process.send_signal(signal.SIGCONT)
    wait_until(lambda: staying.serve() == 10, "all come to the one that stays")


def test_without_descriptors_it_waits_and_recovers(acceptor: Acceptor) -> None:
    worker = acceptor.worker(1)
    acceptor.listen()
    acceptor.accepted()
    enough = resource.prlimit(acceptor.process.pid, resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir(f"/proc/{acceptor.process.pid}/fd")}
    lowest_free = min(set(range(len(used) + 1)) - used)
    resource.prlimit(acceptor.process.pid, resource.RLIMIT_NOFILE, (lowest_free, enough[1]))
    acceptor.connect(10)
    said = "new connections have to wait: Too many open files\n"
    wait_until(lambda: said in acceptor.log.read_text(), "it says so")
    before = acceptor.processor_seconds()
    time.sleep(0.6)
    assert worker.take() == 0
    assert acceptor.processor_seconds() - before < 0.1
    assert acceptor.log.read_text().count(said) == 1
    resource.prlimit(acceptor.process.pid, resource.RLIMIT_NOFILE, enough)
    wait_until(lambda: worker.serve() == 10, "they are served")


def test_told_to_stop_it_ends(acceptor: Acceptor) -> None:
    worker = acceptor.worker(1)
    acceptor.listen()
    acceptor.control.send("stop")
    assert acceptor.process.wait(seconds(5)) == 0
    with pytest.raises(HandoffClosed):
        worker.take()


def test_without_a_supervisor_it_ends(acceptor: Acceptor) -> None:
    acceptor.listen()
    acceptor.control.close()
    assert acceptor.process.wait(seconds(5)) == 0


# --- limits --------------------------------------------------------------------------------------------------------------


def told(client: socket.socket) -> list[m.Reply]:
    """What a client hears until the end."""
    data = b""
    while chunk := client.recv(65536):
        data += chunk
    return replies_in(data)


def why_refused(client: socket.socket) -> str:
    client.sendall(m.encode(m.Hello(1, m.VERSION, "ada", {})))
    error, goodbye = told(client)
    assert isinstance(error, m.Error)
    assert error == m.Error(None, Code.TOO_MANY_CONNECTIONS, error.text)
    assert goodbye == m.Goodbye("error", error.text)
    return error.text


def test_one_too_many_is_told_so_and_closed(tmp_path: Path) -> None:
    with running(tmp_path, Limits(connections=2)) as acceptor:
        worker = acceptor.worker(1)
        acceptor.listen()
        acceptor.connect(2)
        wait_until(lambda: worker.serve() == 2, "two come in")
        before = acceptor.descriptors()
        for client in acceptor.connect(20):
            assert why_refused(client) == "the server has as many connections as it may have, come back later"
        wait_until(lambda: acceptor.descriptors() == before, "it has closed them, which a client hears of before")
        assert acceptor.log.read_text().count("connections are refused, one of 127.0.0.1") == 1
        acceptor.control.send("limits", dataclasses.asdict(Limits(connections=3)))
        acceptor.connect(1)
        wait_until(lambda: worker.serve() == 3, "now there may be one more")


def test_where_only_tls_is_spoken_nothing_is_said(tmp_path: Path) -> None:
    with running(tmp_path, Limits(connections=1)) as acceptor:
        worker = acceptor.worker(1)
        acceptor.listen(plain=False)
        acceptor.connect(1)
        wait_until(lambda: worker.serve() == 1, "one comes in")
        [client] = acceptor.connect(1)
        assert told(client) == []


def test_one_address_has_only_so_many_until_it_ends_some(tmp_path: Path) -> None:
    with running(tmp_path, Limits(connections_per_address=3), COUNTED) as acceptor:
        worker = acceptor.worker(1)
        acceptor.listen()
        acceptor.connect(3)
        wait_until(lambda: worker.take() == 3, "three come in")
        worker.end.note("127.0.0.1", 3)
        worker.confirm()
        [client] = acceptor.connect(1)
        assert why_refused(client) == "your address has 3 connections, as many as it may have: end one of them first"
        worker.end.note("127.0.0.1", 2)
        worker.end.confirm(2)
        acceptor.accepted()  # by now it has heard of that
        acceptor.connect(1)
        wait_until(lambda: worker.take() == 4, "there is room for one more")


def test_one_address_has_only_so_many_new_ones_in_a_minute(tmp_path: Path) -> None:
    with running(tmp_path, Limits(new_connections_per_minute=10), COUNTED) as acceptor:
        worker = acceptor.worker(1)
        acceptor.listen()
        began = time.monotonic()
        for client in acceptor.connect(10):
            wait_until(worker.serve, "it comes in")
            client.close()
        [client] = acceptor.connect(1)
        said = re.fullmatch(r"too many new connections from your address, wait (\d+) s", why_refused(client))
        assert said
        assert 6 - (time.monotonic() - began) <= int(said[1]) <= 6
