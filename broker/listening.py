"""The address that the server listens on: from what the user wrote to a socket, with a plain word when it cannot be."""

from __future__ import annotations

import errno
import socket
from typing import NamedTuple

from common import addresses

_BACKLOG = 4096
"""Connections that may wait to be accepted (the system may allow fewer)."""


class Address(NamedTuple):
    """One that the system understood."""

    family: socket.AddressFamily
    host: str
    """In numbers: `127.0.0.1`, `::1`."""
    port: int

    def __str__(self) -> str:
        return addresses.join(self.host, self.port)

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach it."""
        return addresses.is_loopback(self.host)

    @property
    def reachable_host(self) -> str:
        """The host that a client on this machine connects to."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    @property
    def inviting_host(self) -> str:
        """The host that clients on other machines connect to, as far as this machine can know."""
        if (far := {"0.0.0.0": "192.0.2.1", "::": "2001:db8::1"}.get(self.host)) is None:
            return self.host
        try:  # which of its addresses it would use to speak to others; nothing is sent
            with socket.socket(self.family, socket.SOCK_DGRAM) as probe:
                probe.connect((far, 9))
                return str(probe.getsockname()[0])
        except OSError:  # it is in no network
            return socket.gethostname()


class CannotListen(Exception):
    """One line for the user."""


def resolve(host: str, port: int) -> Address:
    """The address that is meant; of several the first, IPv4 before IPv6. Raises `CannotListen`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as problem:  # UnicodeError: no name of a host at all
        why = problem.strerror if isinstance(problem, OSError) else "not a host name"
        raise CannotListen(f"there is no host {host!r} ({why}), give another one with --host") from None
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return Address(family, str(address[0]), port)


def listen(address: Address) -> socket.socket:
    """A listening socket, non-blocking. Raises `CannotListen`."""
    try:
        listener = socket.socket(address.family, socket.SOCK_STREAM)
    except OSError as problem:
        raise _explained(address, problem) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except OSError as problem:
        listener.close()
        raise _explained(address, problem) from None
    listener.setblocking(False)
    return listener


_ADVICE = {
    errno.EADDRINUSE: "something listens there already, stop it or take another --port",
    errno.EACCES: "only root may use such a port, take one above 1023 with --port",
    errno.EADDRNOTAVAIL: "this machine has no such address, give another one with --host",
    errno.EAFNOSUPPORT: "this machine has no IPv6, give another address with --host",
}


def _explained(address: Address, problem: OSError) -> CannotListen:
    advice = _ADVICE.get(problem.errno or 0, f"{problem.strerror}, give another address with --host and --port")
    return CannotListen(f"cannot listen on {address}: {advice}")
