"""The acceptor: takes connections from the listening socket and passes each to a worker. Runs as a child of the supervisor.

It serves none, and keeps no copy of it: once passed, a connection is the worker's, and what a dead worker had not taken yet is
closed by the kernel together with its handoff socket. When there is nobody to take a connection, none is accepted: it waits in
the kernel's queue. One that is too many is told so where plain text is spoken, and closed. What it has said by then is read away,
since it would destroy what it is told.
"""

from __future__ import annotations

import logging
import selectors
import socket
import time

from common import messages as m
from common.child import Boot
from common.control import Control, Order
from common.errors import Reason, Refused
from common.limits import Limits
from workers.admission import Admission, source_of
from workers.handoff import AcceptorEnd, HandoffClosed
from workers.placement import Placement

logger = logging.getLogger("chat_broker.acceptor")

_BURST = 64
"""Connections that are accepted before the workers are listened to again."""
_PAUSE_SECONDS = 0.25
"""How long nothing is accepted after the system was short of descriptors or memory."""
_QUIET_SECONDS = 60.0
"""How long a shortage, or that connections are refused, is not reported again."""
_READ_AWAY_BYTES = 65_536


class Acceptor:
    """One loop over the control socket, the listening socket and the workers' handoff sockets."""

    def __init__(self, limits: Limits, control: Control) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._take_orders)
        self._listener: socket.socket | None = None
        self._listening = False
        self._handoffs: dict[int, AcceptorEnd] = {}
        self._generations: dict[int, int] = {}
        self._placement = Placement()
        self._admission = Admission(limits)
        self._plain = False
        """Plain text is spoken here, so that whoever is refused can be told why."""
        self._in_hand: tuple[socket.socket, str, int] | None = None
        """A connection that was accepted while the last worker that could have taken it went away."""
        self._paused_until = 0.0
        self._quiet_until = 0.0
        self._accepted = 0
        self._refused = 0
        self._refusals_quiet_until = 0.0
        self._stopped = False

    def run(self) -> None:
        """Works until it is told to stop. Raises `ControlClosed`."""
        while not self._stopped:
            self._listen_or_not()
            for key, _ in self._selector.select(self._pause_left()):
                key.data()
            self._control.flush()

    # --- orders --------------------------------------------------------------------------------------------------------

    def _take_orders(self) -> None:
        for order in self._control.receive():
            self._obey(order)

    def _obey(self, order: Order) -> None:
        match order.kind:
            case "listen":
                self._listener = socket.socket(fileno=order.fds[0])
                self._plain = order.data["plain"]
                self._control.send("ready")
            case "worker":
                self._add_worker(order.data["number"], order.data["generation"], order.fds[0])
            case "worker_gone":
                if self._generations.get(order.data["number"]) == order.data["generation"]:
                    self._drop_worker(order.data["number"])
            case "status":
                self._control.send("status", {"accepted": self._accepted, "refused": self._refused})
            case "limits":
                self._admission.limits = Limits(**order.data)
            case "stop":
                self._stopped = True

    def _add_worker(self, number: int, generation: int, fd: int) -> None:
        self._drop_worker(number)
        handoff = AcceptorEnd(fd)
        self._handoffs[number] = handoff
        self._generations[number] = generation
        self._placement.add(number)
        self._admission.add(number)
        self._selector.register(handoff, selectors.EVENT_READ, lambda: self._hear(number, handoff))

    def _drop_worker(self, number: int) -> None:
        self._placement.remove(number)
        self._admission.remove(number)
        if handoff := self._handoffs.pop(number, None):
            self._selector.unregister(handoff)
            handoff.close()

    def _lose_worker(self, number: int) -> None:
        """Its handoff socket is closed. Mostly it is dead, and the supervisor will say so; else it is to get another one."""
        self._drop_worker(number)
        self._control.send("lost", {"number": number, "generation": self._generations[number]})

    def _hear(self, number: int, handoff: AcceptorEnd) -> None:
        if self._handoffs.get(number) is not handoff:
            return  # it was dropped earlier in this turn
        try:
            load = handoff.load()
        except HandoffClosed:
            self._lose_worker(number)
            return
        if load:
            self._placement.confirm(number, load.confirmed, load.open, time.monotonic())
            self._admission.confirm(number, load.confirmed, load.sources)

    # --- connections ---------------------------------------------------------------------------------------------------

    def _pause_left(self) -> float | None:
        left = self._paused_until - time.monotonic()
        return left if left > 0 else None

    def _listen_or_not(self) -> None:
        """Watches the listening socket while a connection could be accepted and passed on, and only then."""
        if (listener := self._listener) is None:
            return
        if self._in_hand and not self._pause_left():
            self._pass_on(*self._in_hand)
        wanted = self._in_hand is None and self._pause_left() is None and self._placement.any_takes_more(time.monotonic())
        if wanted and not self._listening:
            self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))
        elif self._listening and not wanted:
            self._selector.unregister(listener)
        self._listening = wanted

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_BURST):
            if self._in_hand or not self._placement.any_takes_more(time.monotonic()):
                return
            try:
                connection, peer = listener.accept()
            except (BlockingIOError, ConnectionError):
                return  # another one took it, or it is gone already
            except OSError as problem:
                self._pause(problem)
                return
            try:
                self._admission.check(source_of(peer[0]), self._placement.connections, time.monotonic())
            except Refused as refused:
                self._refuse(connection, peer[0], refused)
                continue
            self._accepted += 1
            self._pass_on(connection, peer[0], peer[1])

    def _refuse(self, connection: socket.socket, host: str, why: Refused) -> None:
        self._refused += 1
        now = time.monotonic()
        if now >= self._refusals_quiet_until:
            self._refusals_quiet_until = now + _QUIET_SECONDS
            logger.warning("connections are refused, one of %s: %s", host, why.text)
        with connection:
            connection.setblocking(False)
            try:
                if self._plain:
                    connection.send(m.encode(m.Error(None, why.code, why.text)) + m.encode(m.Goodbye(Reason.ERROR, why.text)))
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(_READ_AWAY_BYTES)
            except OSError:
                pass  # it is gone, or has said nothing yet

    def _pass_on(self, connection: socket.socket, host: str, port: int) -> None:
        """Gives the connection to a worker, or keeps it in hand while there is none."""
        self._in_hand = None
        now = time.monotonic()
        while (number := self._placement.pick(now)) is not None:
            try:
                self._handoffs[number].give(connection, host, port)
            except HandoffClosed:
                self._lose_worker(number)
                continue
            except OSError as problem:
                self._pause(problem)
                break
            self._placement.give(number, now)
            self._admission.give(number, source_of(host))
            connection.close()
            return
        self._in_hand = (connection, host, port)

    def _pause(self, problem: OSError) -> None:
        now = time.monotonic()
        self._paused_until = now + _PAUSE_SECONDS
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            logger.warning("new connections have to wait: %s", problem.strerror)


def main(boot: Boot, control: Control) -> None:
    """What `common.child.run` calls."""
    Acceptor(boot.limits, control).run()
