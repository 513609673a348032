"""A worker process: the sockets of its clients and its pipe to the broker. Runs as a child of the supervisor.

Only moves bytes, watches descriptors and keeps time; what they mean is decided in `workers.hub`. One turn of the loop is: read
what there is, then write what it led to.
"""

from __future__ import annotations

import base64
import logging
import secrets
import selectors
import socket
import ssl
import time
from collections import Counter
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from common import __version__, addresses, logs
from common.channel import Channel, ChannelClosed
from common.child import Boot
from common.control import Control, Order
from common.errors import Code, Refused
from common.limits import Limits
from common.tls import server_context
from workers.admission import source_of
from workers.fanout import Delivery, remainder
from workers.handoff import HandoffClosed, WorkerEnd
from workers.hub import Hub
from workers.log_reader import LogReader
from workers.session import Phase, Session
from workers.transport import Opening, Plain, Tls, Transport, opening

logger = logging.getLogger("chat_broker.worker")

_READ_BYTES = 4 * 1024
"""What one turn reads from a client: so nobody makes the others wait by asking for much at once."""
_TOGETHER_MS = 1
"""For so long what clients ask for comes together, while the broker has not answered what they asked before."""
_LINGER_SECONDS = 2.0
"""How long a connection that was said goodbye to may take to read it."""
_HANDSHAKING_SECONDS = 0.005
"""What a turn spends on TLS handshakes: a crowd that comes at once does not make those wait who are here."""
_QUIET_SECONDS = 60.0
"""How long it is not reported again that new connections are closed."""
_DRAIN_SECONDS = 1.5
"""How long open requests may take to be answered when the server stops."""


class Connection:
    """A client's socket, and what it has not taken yet."""

    __slots__ = ("closes_at", "events", "opened", "session", "socket", "source", "transport", "unsent")

    def __init__(self, sock: socket.socket, session: Session, source: str) -> None:
        self.socket = sock
        self.session = session
        self.source = source
        """What counts as its address, see `workers.admission`."""
        self.transport: Transport = Plain(sock)
        """What it is until the client has begun."""
        self.opened = False
        """The client's first byte has told what it speaks."""
        self.unsent = b""
        self.events = selectors.EVENT_READ
        self.closes_at: float | None = None
        """Set once goodbye was said: when it is closed at the latest."""

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def blocked(self) -> bool:
        """Something waits for the client to read."""
        return bool(self.unsent) or self.transport.waiting


class WorkerProcess:
    """One loop over the control socket, the handoff socket, the pipe to the broker and the clients."""

    def __init__(self, boot: Boot, control: Control) -> None:
        self._limits: Limits = boot.limits
        self._control = control
        self._hub = Hub(LogReader(Path(boot.data_dir)), boot.limits, f"chat-broker {__version__}", _new_identity)
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._take_orders)
        self._broker: Channel | None = None
        self._handoff: WorkerEnd | None = None
        self._quiet_until = 0.0
        self._connections: dict[int, Connection] = {}
        self._sources: Counter[str] = Counter()
        """Where the connections come from, see `workers.admission`."""
        self._paused: set[Connection] = set()
        """Those that are not read from now."""
        self._closing: set[Connection] = set()
        self._buffered: dict[Connection, None] = {}
        """Those with something to read that their sockets do not show."""
        self._tls: ssl.SSLContext | None = None
        self._tls_required = False
        self._handshaking: dict[Connection, float] = {}
        """Those that are not done with their TLS handshake, since when, in that order."""
        self._handshaking_left = 0.0
        """What this turn may still spend on handshakes (seconds)."""
        self._next_sid = 0
        self._drain_until: float | None = None
        self._said_farewell = False
        self._stopped = False

    def run(self) -> None:
        """Works until it is told to drain, and has. Raises `ControlClosed`."""
        while not self._stopped:
            self._await_answers()
            self._handshaking_left = _HANDSHAKING_SECONDS
            buffered = [connection for connection in self._buffered if connection.events & selectors.EVENT_READ]
            for key, events in self._selector.select(0.0 if buffered else self._patience()):
                key.data(events)
            for connection in buffered:
                if connection in self._buffered:
                    self._read(connection)
            self._finish_turn()

    def _await_answers(self) -> None:
        """While the broker has several requests of ours, what clients ask for further would only wait in the pipe.

        So it may come together first, for a moment, which saves a turn of this loop for each of them.
        """
        if self._broker is not None and self._hub.awaits_messages:
            self._broker.await_some(_TOGETHER_MS)

    def _patience(self) -> float:
        """How long to wait for something to come in (seconds)."""
        now = time.monotonic()
        if self._hub.can_go_on(now):
            return 0.0
        waits = [self._hub.next_timer(now)]
        waits += [connection.closes_at - now for connection in self._closing if connection.closes_at is not None]
        if (first := next(iter(self._handshaking.values()), None)) is not None:
            waits.append(first + self._limits.handshake_seconds - now)
        if self._drain_until is not None:
            waits.append(self._drain_until - now)
        return max(0.0, min(waits))

    def _finish_turn(self) -> None:
        now = time.monotonic()
        self._hub.tick(now)
        self._drain_further(now)
        for delivery in self._hub.end_turn():
            self._deliver(delivery)
        for sid in self._hub.take_closing():
            if (connection := self._connections.get(sid)) is not None:
                self._close_gently(connection, now)
        for delivery in self._hub.catch_up(now):
            self._deliver(delivery)
        for connection in [connection for connection in self._closing if (connection.closes_at or 0.0) <= now]:
            self._drop(connection)
        begun_by = now - self._limits.handshake_seconds
        while (first := next(iter(self._handshaking), None)) is not None and self._handshaking[first] <= begun_by:
            self._drop(first)
        self._send_requests()
        self._resume_reading()
        if self._handoff is not None:
            self._handoff.confirm(len(self._connections))
        logs.infos(logger, self._hub.take_notices())
        self._control.flush()

    # --- orders of the supervisor --------------------------------------------------------------------------------------

    def _take_orders(self, events: int) -> None:
        for order in self._control.receive():
            self._obey(order)

    def _obey(self, order: Order) -> None:
        match order.kind:
            case "broker":
                self._meet_broker(Channel(Pipe(order.fds[0])))
            case "acceptor":
                self._leave_acceptor()
                self._handoff = WorkerEnd(order.fds[0])
                for source, count in self._sources.items():
                    self._handoff.note(source, count)
                self._selector.register(self._handoff, selectors.EVENT_READ, self._take_connections)
            case "tls":
                self._take_certificate(order.data["pem"], order.data["required"])
            case "limits":
                self._limits = Limits(**order.data)
                self._hub.use_limits(self._limits)
            case "status":
                self._control.send("status", self._hub.figures())
            case "drain":
                self._leave_acceptor()
                self._hub.drain()
                self._drain_until = time.monotonic() + _DRAIN_SECONDS

    def _take_certificate(self, pem: bytes, required: bool) -> None:
        """For connections that come from now on. The supervisor has tried it: what fails here is this process's own need."""
        self._tls_required = required
        try:
            self._tls = server_context(pem)
        except OSError as problem:
            if self._tls is None:
                raise
            logger.error("the certificate could not be taken, the one before it stays: %s", problem)

    def _drain_further(self, now: float) -> None:
        """While draining: says goodbye once everything is answered, and ends once everybody has read it."""
        if self._drain_until is None:
            return
        if not self._said_farewell and (self._hub.drained or now >= self._drain_until):
            self._said_farewell = True
            self._hub.farewell()
            self._drain_until = now + _LINGER_SECONDS
        if self._said_farewell and (not self._connections or now >= self._drain_until):
            self._stopped = True

    # --- the broker ----------------------------------------------------------------------------------------------------

    def _meet_broker(self, channel: Channel) -> None:
        self._leave_broker()
        self._broker = channel
        self._selector.register(channel, selectors.EVENT_READ, self._hear_broker)
        self._hub.broker_came()

    def _leave_broker(self) -> None:
        if self._broker is not None:
            self._selector.unregister(self._broker)
            self._broker.close()
            self._broker = None
            self._hub.broker_lost()

    def _hear_broker(self, events: int) -> None:
        if self._broker is None:
            return
        try:
            if events & selectors.EVENT_WRITE:
                self._broker.flush()
                self._watch_broker(self._broker)
            batches = self._broker.receive()
        except ChannelClosed:
            self._leave_broker()
            return
        for batch in batches:
            self._hub.broker_said(batch, time.monotonic(), _now_ms())

    def _send_requests(self) -> None:
        batches = [*self._hub.take_requests()]
        if self._broker is None:
            return
        try:
            for batch in batches:
                self._broker.send(batch)
        except ChannelClosed:
            self._leave_broker()
            return
        if batches:
            self._watch_broker(self._broker)

    def _watch_broker(self, channel: Channel) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.waiting else 0)
        if self._selector.get_key(channel).events != events:
            self._selector.modify(channel, events, self._hear_broker)

    # --- clients come and go -------------------------------------------------------------------------------------------

    def _leave_acceptor(self) -> None:
        if self._handoff is not None:
            self._selector.unregister(self._handoff)
            self._handoff.close()
            self._handoff = None

    def _take_connections(self, events: int) -> None:
        if self._handoff is None:
            return
        try:
            passed = self._handoff.take()
        except HandoffClosed:
            self._leave_acceptor()
            return
        for sock, host, port in passed:
            self._welcome(sock, addresses.join(host, port), source_of(host))
        self._report_lost(self._handoff, time.monotonic())

    def _report_lost(self, handoff: WorkerEnd, now: float) -> None:
        if handoff.lost and now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            logger.warning("new connections are closed for want of descriptors (%d): raise the limit of open files", handoff.lost)
            handoff.lost = 0

    def _welcome(self, sock: socket.socket, peer: str, source: str) -> None:
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.send_buffer_bytes)
        except OSError:  # it is gone already
            sock.close()
            return
        self._next_sid += 1
        session = self._hub.opened(self._next_sid, peer, time.monotonic())
        connection = self._connections[session.sid] = Connection(sock, session, source)
        self._count(source, 1)
        self._selector.register(connection, connection.events, lambda events: self._serve(connection, events))

    def _count(self, source: str, more: int) -> None:
        self._sources[source] += more
        if self._handoff is not None:
            self._handoff.note(source, self._sources[source])
        if not self._sources[source]:
            del self._sources[source]

    def _close_gently(self, connection: Connection, now: float) -> None:
        """Closes the connection once its client has read what was said last, or after a while."""
        connection.closes_at = now + _LINGER_SECONDS
        self._closing.add(connection)
        self._watch(connection)
        if not connection.blocked:
            self._half_close(connection)

    def _half_close(self, connection: Connection) -> None:
        """Ends our direction only: closing at once, with something of theirs unread, would destroy what they have not read."""
        try:
            connection.transport.end()
        except OSError:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        sid = connection.session.sid
        if self._connections.pop(sid, None) is None:
            return
        if connection.events:
            self._selector.unregister(connection)
        connection.socket.close()
        self._count(connection.source, -1)
        self._paused.discard(connection)
        self._closing.discard(connection)
        self._buffered.pop(connection, None)
        self._handshaking.pop(connection, None)
        self._hub.closed(sid)

    # --- clients' bytes ------------------------------------------------------------------------------------------------

    def _serve(self, connection: Connection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._write(connection)
        if events & selectors.EVENT_READ and connection.events & selectors.EVENT_READ and connection not in self._buffered:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        """Reads a little, once in a turn."""
        data = self._receive(connection)
        if data and not connection.opened:
            data = self._open(connection, data)
        if data == b"":
            self._drop(connection)
            return
        if data is not None and connection.closes_at is None:
            self._hub.received(connection.session, data, time.monotonic(), _now_ms())
        transport = connection.transport
        if transport.buffered:
            self._buffered[connection] = None
        else:
            self._buffered.pop(connection, None)
        session = connection.session
        if session.phase is Phase.LEAVING:
            return  # it is closed at the turn's end, and watched for that
        if transport.waiting:
            session.blocked = True  # TLS answers some things by itself: one who asks for that and reads nothing is not read from
            self._watch(connection)
        elif not self._hub.wants_input(session):
            self._watch(connection)

    def _receive(self, connection: Connection) -> bytes | None:
        """What the client says; nothing at its end, None if that is still to come."""
        try:
            if connection.transport.handshaking:
                return self._go_on_with_handshake(connection)
            return connection.transport.receive(_READ_BYTES)
        except BlockingIOError:
            return None
        except OSError as problem:
            if isinstance(problem, ssl.SSLError):
                logger.debug("TLS with %s failed: %s", connection.session.peer, problem)
            return b""

    def _open(self, connection: Connection, data: bytes) -> bytes | None:
        """The first bytes of a client: it goes on as they tell, and what they say is returned, if that is anything yet."""
        connection.opened = True
        match opening(data[0], offered=self._tls is not None, required=self._tls_required):
            case Opening.TLS:
                assert self._tls is not None
                connection.transport = Tls(connection.socket, self._tls, data)
                self._handshaking[connection] = time.monotonic()
                return self._receive(connection)
            case Opening.TLS_REQUIRED:
                self._hub.turn_away(connection.session, Refused(Code.TLS_REQUIRED))
                return None
            case Opening.PLAIN:
                return data

    def _go_on_with_handshake(self, connection: Connection) -> bytes:
        """A step of it, unless this turn has done enough of them: then the socket can still be read in the next one.

        Raises `OSError`, and `BlockingIOError` while it is not done or nothing was said behind it.
        """
        if self._handshaking_left <= 0.0:
            raise BlockingIOError
        before = time.monotonic()
        try:
            return connection.transport.receive(_READ_BYTES)
        finally:
            now = time.monotonic()
            self._handshaking_left -= now - before
            if not connection.transport.handshaking:
                self._handshaking.pop(connection, None)
                connection.session.hello_due_since = now  # from here on it has its time to say hello

    def _deliver(self, delivery: Delivery) -> None:
        connections, data, length = self._connections, delivery.data, len(delivery.data)
        for sid in delivery.sids:
            connection = connections.get(sid)
            if connection is None:
                continue
            taken = 0 if connection.unsent else self._send(connection, data)
            if taken < length or connection.transport.waiting:
                self._hold(connection, delivery, taken)

    def _hold(self, connection: Connection, delivery: Delivery, taken: int) -> None:
        """Keeps what the connection did not take, if it is little; otherwise the session goes on from the log."""
        rest, cursor = remainder(delivery, taken, self._limits.backlog_bytes - len(connection.unsent))
        connection.unsent += rest
        connection.session.blocked = connection.blocked
        if cursor is not None:
            self._hub.lag(connection.session.sid, cursor)
        self._watch(connection)

    def _write(self, connection: Connection) -> None:
        taken = self._send(connection, connection.unsent)
        connection.unsent = connection.unsent[taken:]
        connection.session.blocked = connection.blocked
        if connection.blocked:
            return
        if connection.closes_at is not None:
            self._half_close(connection)
        if connection.session.sid in self._connections:
            self._watch(connection)

    def _send(self, connection: Connection, data: bytes) -> int:
        """How many bytes it took. A connection that is broken takes all of them: its end shows when it is read."""
        try:
            return connection.transport.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)

    def _resume_reading(self) -> None:
        for connection in [*self._paused]:
            if self._hub.wants_input(connection.session):
                self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        """Watches the connection for what it is to be watched for now."""
        reading = connection.closes_at is not None or self._hub.wants_input(connection.session)
        if reading:
            self._paused.discard(connection)
        else:
            self._paused.add(connection)
        events = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if connection.blocked else 0)
        if events == connection.events:
            return
        if not connection.events:
            self._selector.register(connection, events, lambda events: self._serve(connection, events))
        elif not events:
            self._selector.unregister(connection)
        else:
            self._selector.modify(connection, events, lambda events: self._serve(connection, events))
        connection.events = events


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _new_identity() -> str:
    """80 random bits, as they stand in tokens and conversations."""
    return "g" + base64.b32encode(secrets.token_bytes(10)).decode().lower()


def main(boot: Boot, control: Control) -> None:
    """What `common.child.run` calls."""
    worker = WorkerProcess(boot, control)
    control.send("ready")
    worker.run()
