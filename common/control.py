"""The control socket between the supervisor and each of its children: orders down, reports up, descriptors with them.

An AF_UNIX SOCK_SEQPACKET socketpair; a packet is msgpack `[kind, data]` and up to 16 descriptors. Who says what:

    supervisor -> broker     worker {number, generation} +fd   one end of the pipe to that worker
                             begin {}                          that was the last of the workers that live now
                             worker_gone {number, generation}  it has been reaped
                             drain {}                          the workers are about to tell their clients; to be known before
                             stop {}
    supervisor -> each       limits {limit: number, …}         all of them, when they were read anew
    supervisor -> worker     tls {pem, required}               the certificate and its key, before anything else, and when they
                                                               are new; whether plain text is refused
                             broker {} +fd                     one end of the pipe to the (new) broker
                             acceptor {} +fd                   the handoff socket of the (new) acceptor
                             drain {}                          tell the clients, then exit
    supervisor -> acceptor   listen {plain} +fd                the listening socket, and whether plain text is spoken there
                             worker {number, generation} +fd   the handoff socket to that worker
                             worker_gone {number, generation}
                             stop {}
    supervisor -> each       status {}
    broker -> supervisor     late {number, generation}         this worker has not introduced itself, and all wait for it
    acceptor -> supervisor   lost {number, generation}         the handoff socket to this worker is closed
    each -> supervisor       ready {}
                             failed {status, text}             it cannot start; `text` is one line for the user
                             status {figure: value, …}

Neither side ever blocks on the other: what the socket does not take waits here, with copies of its descriptors.
"""

from __future__ import annotations

import array
import errno
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgpack

_PACKET_BYTES = 128 * 1024
_DESCRIPTORS = 16
_AT_ONCE = 64


class Order(NamedTuple):
    """One packet. Its descriptors belong to the receiver, who closes them."""

    kind: str
    data: dict[str, Any]
    fds: list[int]


class ControlClosed(Exception):
    """The other side has closed its end, or is gone."""


class Control:
    """One end. The owner polls `fileno()` for reading, and for writing (then `flush`) while `waiting` is not 0."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._unsent: deque[tuple[bytes, list[int]]] = deque()
        sock.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def waiting(self) -> int:
        """Packets that the socket has not taken yet."""
        return len(self._unsent)

    def send(self, kind: str, data: dict[str, Any] | None = None, fds: Sequence[int] = ()) -> None:
        """Puts a packet on its way. The caller's descriptors stay the caller's, and may be closed at once.

        To one that is gone this does nothing: `receive` is where that shows.
        """
        packet = msgpack.packb([kind, data or {}])
        if self._unsent or not self._taken(packet, fds):
            self._unsent.append((packet, [os.dup(fd) for fd in fds]))

    def flush(self) -> None:
        """Sends what the socket takes of what waits."""
        while self._unsent and self._taken(*self._unsent[0]):
            for fd in self._unsent.popleft()[1]:
                os.close(fd)

    def _taken(self, packet: bytes, fds: Sequence[int]) -> bool:
        """Whether nothing is left to do for this packet."""
        try:
            socket.send_fds(self._socket, [packet], fds)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionError):
            return True
        return True

    def receive(self) -> list[Order]:
        """What has arrived, at most 64 orders. Raises `ControlClosed` when nothing is left of a closed one."""
        orders: list[Order] = []
        while len(orders) < _AT_ONCE:
            try:
                order = self._receive_one()
            except BlockingIOError:
                break
            except ControlClosed:
                if not orders:
                    raise
                break  # the end is seen again by the next call
            orders.append(order)
        return orders

    def _receive_one(self) -> Order:
        space = socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)
        try:
            packet, ancillary, flags, _ = self._socket.recvmsg(_PACKET_BYTES, space, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            # It left orders unread; Linux says so once, ahead of what it had sent itself.
            return self._receive_one()
        if not packet:
            raise ControlClosed
        fds = array.array("i")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
            for fd in fds:
                os.close(fd)
            raise OSError(errno.EMFILE, "an order arrived incomplete: no descriptor is left")
        kind, data = msgpack.unpackb(packet)
        return Order(kind, data, fds.tolist())

    def close(self) -> None:
        """Closes this end, and the copies of descriptors that still wait."""
        for _, fds in self._unsent:
            for fd in fds:
                os.close(fd)
        self._unsent.clear()
        self._socket.close()
