"""The handoff socket between the acceptor and one worker: connections one way, confirmations the other.

An AF_UNIX SOCK_SEQPACKET socketpair. A packet to the worker is `[peer_host, peer_port]` with exactly one descriptor; a packet
to the acceptor is `[confirmed_total, open_connections, {source: open_connections}]`, where a source stands if its number is
another than before (see `workers.admission`). Which worker gets a connection is `workers.placement`'s business.
"""

from __future__ import annotations

import itertools
import os
import resource
import socket
from typing import NamedTuple

import msgpack

_PACKET_BYTES = 8 * 1024
_SOURCES = 100
"""The most in one packet."""
_AT_ONCE = 64
_RESERVED = 16
"""So many descriptors are no clients': a worker where a new broker's pipe cannot arrive ends, and cuts off all that it has."""


class HandoffClosed(Exception):
    """The process at the other end is gone."""


class Passed(NamedTuple):
    """A connection that the worker was given; it is the worker's now."""

    connection: socket.socket
    host: str
    port: int


class Load(NamedTuple):
    """What a worker says about itself."""

    confirmed: int
    """Connections that it took from this handoff socket, in all."""
    open: int
    """Connections that it has, whoever gave them."""
    sources: dict[str, int]
    """How many it has from those addresses where that has changed."""


class AcceptorEnd:
    """The end that gives. The owner polls `fileno()` for reading."""

    def __init__(self, fd: int) -> None:
        self._socket = _adopt(fd)

    def fileno(self) -> int:
        return self._socket.fileno()

    def give(self, connection: socket.socket, host: str, port: int) -> None:
        """Passes the connection on; the caller closes its own copy.

        Raises `HandoffClosed`, and `OSError` (`BlockingIOError` among them) when it cannot be passed now.
        """
        try:
            socket.send_fds(self._socket, [msgpack.packb([host, port])], [connection.fileno()])
        except ConnectionError as problem:
            raise HandoffClosed from problem

    def load(self) -> Load | None:
        """What the worker said since the last call, the newest of it. Raises `HandoffClosed`."""
        newest = None
        sources: dict[str, int] = {}
        for _ in range(_AT_ONCE):
            try:
                packet = self._socket.recv(_PACKET_BYTES)
            except BlockingIOError:
                break
            except ConnectionResetError:
                continue  # it left connections unread; Linux says so ahead of what it had sent itself
            if not packet:
                raise HandoffClosed
            confirmed, connections, changed = msgpack.unpackb(packet)
            sources |= changed
            newest = Load(confirmed, connections, sources)
        return newest

    def close(self) -> None:
        self._socket.close()


_CUT_SHORT = int(socket.MSG_CTRUNC)
"""As a plain number: operations on enumerations are slow."""


class WorkerEnd:
    """The end that takes. The owner polls `fileno()` for reading, and calls `confirm` after it changed something."""

    def __init__(self, fd: int) -> None:
        self._socket = _adopt(fd)
        self.lost = 0
        """Connections that were closed, since there was no descriptor left for them."""
        self._taken = 0
        self._said = (0, 0)
        self._unsaid: dict[str, int] = {}

    def fileno(self) -> int:
        return self._socket.fileno()

    def take(self) -> list[Passed]:
        """The connections that wait here. Raises `HandoffClosed` when there are none, and will be none."""
        taken: list[Passed] = []
        while len(taken) < _AT_ONCE:
            try:
                packet, fds, flags, _ = socket.recv_fds(self._socket, _PACKET_BYTES, 1)
            except BlockingIOError:
                break
            except ConnectionResetError:
                continue  # it left loads unread; Linux says so ahead of what it had sent itself
            if not packet and not taken:
                raise HandoffClosed
            if not packet:
                break  # the end is seen again by the next call
            self._taken += 1
            if flags & _CUT_SHORT or len(fds) != 1 or _is_one_of_the_last(fds[0]):
                for fd in fds:
                    os.close(fd)
                self.lost += 1
                continue
            host, port = msgpack.unpackb(packet)
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            taken.append(Passed(socket.socket(family, socket.SOCK_STREAM, 0, fds[0]), host, port))
        return taken

    def note(self, source: str, connections: int) -> None:
        """So many are open from there: goes with the next `confirm`."""
        self._unsaid[source] = connections

    def confirm(self, open_connections: int) -> None:
        """Tells the acceptor how many were taken and are open, if that is news. What does not fit now is said later."""
        counts = (self._taken, open_connections)
        while self._unsaid or counts != self._said:
            sources = dict(itertools.islice(self._unsaid.items(), _SOURCES))
            try:
                self._socket.send(msgpack.packb([*counts, sources]))
            except BlockingIOError:
                return
            except ConnectionError:
                pass  # `take` is where it shows that the acceptor is gone
            self._said = counts
            for source in sources:
                del self._unsaid[source]

    def close(self) -> None:
        self._socket.close()


def _is_one_of_the_last(fd: int) -> bool:
    """Whether hardly any descriptors are left: the kernel gives the lowest that is free."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most != resource.RLIM_INFINITY and fd >= most - _RESERVED


def _adopt(fd: int) -> socket.socket:
    adopted = socket.socket(fileno=fd)
    adopted.setblocking(False)
    return adopted
