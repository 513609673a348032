"""broker.listening on this machine's real addresses."""

from __future__ import annotations

import errno
import os
import select
import socket

import pytest

from broker.listening import Address, CannotListen, listen, resolve
from tests.support.timeouts import seconds


@pytest.mark.parametrize(
    ("host", "resolved", "text", "loopback"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1:80", True),
        ("127.8.9.10", "127.8.9.10", "127.8.9.10:80", True),
        ("localhost", "127.0.0.1", "127.0.0.1:80", True),
        ("::1", "::1", "[::1]:80", True),
        ("0:0:0:0:0:0:0:1", "::1", "[::1]:80", True),
        ("0.0.0.0", "0.0.0.0", "0.0.0.0:80", False),
        ("::", "::", "[::]:80", False),
        ("192.0.2.1", "192.0.2.1", "192.0.2.1:80", False),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]:80", False),
    ],
)
def test_addresses(host: str, resolved: str, text: str, loopback: bool) -> None:
    address = resolve(host, 80)
    assert (address.host, str(address), address.is_loopback) == (resolved, text, loopback)


@pytest.mark.parametrize("host", ["256.1.1.1", "no such host", "[::1]", "a" * 300, "a..b", "\udcff"])
def test_hosts_that_do_not_exist(host: str) -> None:
    with pytest.raises(CannotListen, match=r"^there is no host .*, give another one with --host$"):
        resolve(host, 80)


def test_where_a_client_of_this_machine_connects_to() -> None:
    hosts = {host: resolve(host, 1).reachable_host for host in ("0.0.0.0", "::", "127.0.0.1", "::1")}
    assert hosts == {"0.0.0.0": "127.0.0.1", "::": "::1", "127.0.0.1": "127.0.0.1", "::1": "::1"}


def test_where_clients_of_other_machines_connect_to() -> None:
    assert resolve("192.0.2.1", 1).inviting_host == "192.0.2.1"
    for host in ("0.0.0.0", "::"):
        inviting = resolve(host, 1).inviting_host
        assert inviting not in ("", host)


def test_a_listening_socket_takes_connections_and_never_blocks() -> None:
    with listen(resolve("127.0.0.1", 0)) as listener:
        with pytest.raises(BlockingIOError):
            listener.accept()
        with socket.create_connection(listener.getsockname()), accepted(listener):
            pass


def accepted(listener: socket.socket) -> socket.socket:
    """The next connection. Whoever makes it may know of it a moment before the socket does."""
    select.select([listener], [], [], seconds(5))
    return listener.accept()[0]


def test_its_port_is_free_again_at_once() -> None:
    with listen(resolve("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted(listener).close()  # leaves a connection in TIME_WAIT
    listen(resolve("127.0.0.1", port)).close()


def test_a_port_that_is_taken() -> None:
    with listen(resolve("127.0.0.1", 0)) as listener:
        taken = Address(socket.AF_INET, "127.0.0.1", listener.getsockname()[1])
        with pytest.raises(CannotListen) as problem:
            listen(taken)
    assert str(problem.value) == (f"cannot listen on {taken}: something listens there already, stop it or take another --port")


def test_an_address_of_another_machine() -> None:
    with pytest.raises(CannotListen, match=r"this machine has no such address, give another one with --host$"):
        listen(resolve("192.0.2.1", 0))


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "only root may use such a port, take one above 1023 with --port"),
        (errno.EAFNOSUPPORT, "this machine has no IPv6, give another address with --host"),
        (errno.ENOBUFS, "No buffer space available, give another address with --host and --port"),
    ],
)
def test_what_is_said_of_refusals_that_this_machine_does_not_make(
    number: int, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(CannotListen) as problem:
        listen(Address(socket.AF_INET6, "::1", 80))
    assert str(problem.value) == f"cannot listen on [::1]:80: {advice}"
