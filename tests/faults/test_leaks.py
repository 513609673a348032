"""Nothing leaks: no process outlives the supervisor, no descriptor its connection, and who lacks descriptors waits quietly."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

from bench.figures import descriptors, memory, processor_seconds
from common import messages as m
from tests.faults.broken import broken
from tests.support.encrypted import tls_options
from tests.support.groups import rounds
from tests.support.processes import no_descriptor_left
from tests.support.server import Server, members, running_server
from tests.support.timeouts import seconds, wait_until
from tests.support.wire import Wire, trusting

# --- processes ---------------------------------------------------------------------------------------------------------


def kill_supervisor(data_dir: Path, stopped: str) -> None:
    """While one of its children is stopped: all are gone within two seconds."""
    with running_server(data_dir) as server:
        pid = server.children()[stopped]
        os.kill(pid, signal.SIGSTOP)
        server.signal(signal.SIGKILL)
        server.process.wait()
        wait_until(lambda: not members(server.pid), "nobody is left of the server without its supervisor", limit=2)


@pytest.mark.parametrize("stopped", ["broker", "acceptor", "worker 1"])
def test_nobody_outlives_the_supervisor(tmp_path: Path, stopped: str) -> None:
    kill_supervisor(tmp_path / "data", stopped)


def test_one_that_is_stopped_does_when_the_kernel_was_not_asked(tmp_path: Path) -> None:
    with broken("outlives_its_parent"), pytest.raises(AssertionError, match="nobody is left"):
        kill_supervisor(tmp_path / "data", "worker 1")


# --- descriptors -------------------------------------------------------------------------------------------------------


def visit(server: Server, number: int) -> None:
    """One connection, which ends in one of several ways."""
    with Wire(server.host, server.port) as wire:
        match number % 6:
            case 0:
                pass
            case 1:
                wire.hello(f"name{number}")
            case 2:
                wire.hello(f"name{number}")
                wire.send(m.Bye(2))
                assert wire.expect(m.Goodbye)
            case 3:
                wire.send_bytes(b"\0\0\0\x20half a fra")
            case 4:
                wire.send_bytes(b"\xff\xff\xff\xff")
            case 5:
                wire.send(m.Hello(1, m.VERSION, f"name{number}", {}))
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def many_connections(data_dir: Path, patience: float = 5) -> None:
    with running_server(data_dir) as server:
        for number in range(100):
            visit(server, number)
        pids = {"supervisor": server.pid, **server.children()}
        wait_until(lambda: server.status()["connections"] == 0, "all connections are closed", every=0.2)
        before = {name: len(descriptors(pid)) for name, pid in pids.items()}
        for number in range(100, 100 + rounds(400, 10_000)):
            visit(server, number)
        wait_until(
            lambda: {name: len(descriptors(pid)) for name, pid in pids.items()} == before,
            f"as many descriptors are open as before: {before}",
            limit=patience,
        )


def test_descriptors_after_many_connections(tmp_path: Path) -> None:
    many_connections(tmp_path / "data")


def test_it_shows_when_the_acceptor_keeps_its_copies(tmp_path: Path) -> None:
    with broken("keeps_its_copies"), pytest.raises(AssertionError, match="descriptors are open"):
        many_connections(tmp_path / "data", patience=1)


# --- the want of descriptors -------------------------------------------------------------------------------------------


def acceptor_without_descriptors(data_dir: Path) -> None:
    """Connections wait; it does not compute meanwhile; and takes them as soon as it can."""
    with running_server(data_dir) as server:
        acceptor = server.children()["acceptor"]
        with contextlib.ExitStack() as stack:
            with no_descriptor_left(acceptor):
                wires = [stack.enter_context(Wire(server.host, server.port)) for _ in range(3)]
                before = processor_seconds(acceptor)
                time.sleep(seconds(1))
                spent = processor_seconds(acceptor) - before
                assert spent <= 0.1, f"it computed for {spent:.2f} s while there was nothing to do"
            for number, wire in enumerate(wires):
                wire.hello(f"name{number}")


def test_an_acceptor_without_descriptors_waits(tmp_path: Path) -> None:
    acceptor_without_descriptors(tmp_path / "data")


def test_it_shows_when_it_does_not_pause(tmp_path: Path) -> None:
    with broken("spins_without_descriptors"), pytest.raises(AssertionError, match="while there was nothing to do"):
        acceptor_without_descriptors(tmp_path / "data")


def test_a_worker_without_descriptors_loses_only_who_comes_then(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", workers=1) as server:
        worker = server.children()["worker 1"]
        with Wire(server.host, server.port) as ada:
            ada.hello("ada")
            with no_descriptor_left(worker), Wire(server.host, server.port) as late:
                assert late.receive() is None
                said = "new connections are closed for want of descriptors (1): raise the limit of open files\n"
                wait_until(lambda: said in server.log.read_text(), "the operator is told")
                before = processor_seconds(worker)
                assert ada.say(m.make_ref(1, 1), m.LOBBY, "I am still here")
                time.sleep(seconds(0.5))
                assert processor_seconds(worker) - before <= 0.1
            with Wire(server.host, server.port) as bob:
                bob.hello("bob")


def behind_without_descriptors(data_dir: Path, patience: float = 5) -> None:
    """A client does not read what does not fit its connection; when it does, its worker has no descriptor left for the log."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_server(data_dir, workers=1))
        bob, ada = (stack.enter_context(Wire(server.host, server.port, patience)) for _ in range(2))
        bob.hello("bob")
        ada.hello("ada")
        stack.enter_context(no_descriptor_left(server.children()["worker 1"]))
        said = [ada.say(m.make_ref(1, number), m.LOBBY, "x" * 15_000).id for number in range(100)]
        assert server.status()["per_worker"][0]["lagging"] == 1
        try:
            assert [bob.expect(m.Msg).id for _ in said] == said
        except TimeoutError:
            raise AssertionError(f"bob does not get it:\n{server.log.read_text()}") from None


def test_who_is_behind_is_served_without_a_descriptor(tmp_path: Path) -> None:
    behind_without_descriptors(tmp_path / "data")


def test_it_shows_when_the_log_is_opened_late(tmp_path: Path) -> None:
    with broken("opens_the_log_late"), pytest.raises(AssertionError, match=r"cannot be read: .*Too many open files"):
        behind_without_descriptors(tmp_path / "data", patience=1)


# --- memory ------------------------------------------------------------------------------------------------------------

IDLE = rounds(200, 500)
IDLE_BYTES = 80 * 1024
"""What a silent connection may cost in TLS, with what was sent on it before."""


def test_an_encrypted_connection_that_is_silent_costs_little(tmp_path: Path) -> None:
    """Also one that was sent much: the library keeps no buffer that is as large."""
    with running_server(tmp_path / "data", *tls_options(tmp_path, True), workers=1) as server, contextlib.ExitStack() as stack:
        context = trusting()

        def join(name: str, after: int | None = None) -> Wire:
            wire = stack.enter_context(Wire(server.host, server.port, tls=context))
            wire.hello(name, **({} if after is None else {"after": after}))
            if after is not None:
                wire.expect(m.Resumed)
            return wire

        first = join("first")
        for number in range(2):
            first.say(m.make_ref(1, number), m.LOBBY, "x" * 15_000)
        for number in range(50):
            join(f"warm{number}", after=0)
        pids = server.children().values()
        before = memory(pids)
        for number in range(IDLE):
            join(f"idle{number}", after=0)
        more = (memory(pids) - before) / IDLE
        print(f"{more / 1024:.1f} KiB for each of {IDLE} silent connections in TLS, in all processes")
        assert more < IDLE_BYTES
