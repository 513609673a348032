"""Many clients of a real server, in one process and one loop: they talk at a given rate, and come back whenever they are cut off.

Each is the real client's protocol on a real socket, and a `Witness` of what it is told. A test alternates between letting them
talk (`run`, `run_until`) and doing something bad to the server.
"""

from __future__ import annotations

import errno
import random
import selectors
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from common import client_events as ce
from common import client_protocol as cp
from common import messages as m
from common.errors import Reason
from common.names import fold
from tests.support.encrypted import EncryptedSocket
from tests.support.timeouts import seconds
from tests.support.verdict import Witness

_READ_BYTES = 64 * 1024
_FIRST_DELAY = 0.02
_LONGEST_DELAY = 0.5
_HELD_BYTES = 256 * 1024
"""What the system holds for one who does not read; if it were left to it, some ten megabytes."""
_PATIENCE = 3.0
"""Seconds until a connection that is not welcomed is given up, and tried again."""
_OUTBOX_MOST = 300
"""So many messages without an acknowledgement are enough: the rate is not kept up for one that cannot send."""


class Talker(Witness):
    """A client program, whose connection comes back by itself."""

    def __init__(self, name: str, rng: random.Random, tls: bool = False) -> None:
        super().__init__(name, rng.randrange(1, 2**32))
        self._tls = tls
        self.socket: socket.socket | EncryptedSocket | None = None
        self.connect_at = 0.0
        """While offline: when it tries again."""
        self.greeted_at = 0.0
        self.cuts: Counter[str] = Counter()
        """Connections that ended although it did not want that, by what it was at; also those that were never made."""
        self.farewells = 0
        """How often the server said that it stops."""
        self.kicks = 0
        """How often the server threw it out, and said so."""
        self.told_late = 0
        """Messages that were committed, and acknowledged on a later connection only."""
        self.reading = True
        self.waits: list[float] = []
        """How long each message took to be acknowledged (seconds)."""
        self._sent_at: dict[int, float] = {}
        self.cut_after: int | None = None
        """The connection is reset when so many more bytes were read."""
        self.cut_after_sending: int | None = None
        """The same for bytes that were written."""
        self.cut_next_after: int | None = None
        """`cut_after` for the next connection."""
        self._welcomed_at = 0
        """The last id in the log when the connection began."""
        self._asked_for: set[str] = set()
        """Rooms that it has not come into yet."""
        self._rng = rng
        self._delay = _FIRST_DELAY
        self._unsent = b""

    @property
    def live(self) -> bool:
        return self.protocol.phase is cp.Phase.LIVE

    @property
    def wants_to_write(self) -> bool:
        return bool(self._unsent) or (self.socket is not None and self.protocol.phase is cp.Phase.OFFLINE)

    def send(self, to: str, text: str, topic: bool = False) -> int:
        ref = super().send(to, text, topic)
        self._sent_at[ref] = time.monotonic()
        return ref

    @property
    def activity(self) -> str:
        """What it is at: `offline`, `greeting`, `replaying`, `live`; `joining` where it is live otherwise."""
        return "joining" if self.live and self._asked_for else self.protocol.phase.value

    def join(self, room: str) -> None:
        self._asked_for.add(fold(room))
        self.protocol.join(room)

    def handle(self, event: ce.Event) -> None:
        super().handle(event)
        match event:
            case ce.RoomJoined():
                self._asked_for.discard(event.conv)
                if event.conv == m.LOBBY:
                    self._welcomed_at = event.position
            case ce.Welcomed():
                self._delay = _FIRST_DELAY
            case ce.NameRefused() if self.protocol.identity is None and self.cuts["greeting"]:
                self.protocol.choose_name(f"{event.name}_")  # its welcome was lost with its worker, and what proves whose it is
            case ce.NameRefused():
                raise AssertionError(f"{event.name} was refused its own name: {event.text}")
            case ce.Acknowledged():
                self.waits.append(time.monotonic() - self._sent_at.pop(event.ref))
                self.told_late += event.message.id <= self._welcomed_at
            case ce.Closed():
                self.farewells += event.reason == Reason.SHUTDOWN
                self.kicks += event.reason == Reason.ERROR

    def waited(self) -> list[float]:
        """How long each message since `waits` was cleared took, or has been waiting so far (seconds)."""
        now = time.monotonic()
        return [*self.waits, *(now - sent_at for sent_at in self._sent_at.values())]

    # --- the connection ------------------------------------------------------------------------------------------------

    def open(self, address: tuple[str, int], now: float) -> None:
        self.cut_after, self.cut_next_after = self.cut_next_after, None
        self.socket = EncryptedSocket() if self._tls else socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _HELD_BYTES)
        self.greeted_at = now
        if self.socket.connect_ex(address) not in (0, errno.EINPROGRESS):
            self.lose(now)

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None
            self.protocol.disconnected()

    def reset(self) -> None:
        """The connection is destroyed, with all that is on its way in both directions."""
        if self.socket is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.lose(time.monotonic())

    def lose(self, now: float) -> None:
        """The connection is gone; it tries again after a while."""
        self.cuts[self.activity] += 1
        self.close()
        self.cut_after = self.cut_after_sending = None
        self._unsent = b""
        self.connect_at = now + self._delay * self._rng.uniform(0.5, 1)
        self._delay = min(2 * self._delay, _LONGEST_DELAY)

    def write(self, now: float) -> None:
        """Writes what the socket takes; the first time, that it can be written to means that it is connected."""
        if self.socket is None:
            return
        if self.protocol.phase is cp.Phase.OFFLINE:
            if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.lose(now)
                return
            self.connected()
        self._unsent += self.protocol.data_to_send()
        if self._unsent:
            self._write_some(self.socket, now)

    def _write_some(self, sock: socket.socket | EncryptedSocket, now: float) -> None:
        try:
            written = sock.send(self._unsent[: self.cut_after_sending])
        except BlockingIOError:
            return
        except ConnectionError:
            self.lose(now)
            return
        self._unsent = self._unsent[written:]
        if self.cut_after_sending is not None:
            self.cut_after_sending -= written
            if self.cut_after_sending <= 0:
                self.reset()

    def read(self, now: float) -> None:
        if self.socket is None:
            return
        wanted = _READ_BYTES if self.cut_after is None else min(_READ_BYTES, self.cut_after)
        try:
            data = self.socket.recv(wanted)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.lose(now)
            return
        for event in self.protocol.receive(data):
            self.handle(event)
        if self.cut_after is not None:
            self.cut_after -= len(data)
            if self.cut_after <= 0:
                self.reset()


class Load:
    """All talkers. Each is in some of the rooms and in the lobby; they write to rooms, and to each other."""

    def __init__(
        self,
        port: int,
        rng: random.Random,
        *,
        clients: int = 50,
        rooms: int = 10,
        rooms_each: int = 2,
        rate: float = 500.0,
        lobby: bool = True,
        tls: bool = False,
    ) -> None:
        """`lobby`: some of the messages go there, and so to whoever is connected. `tls`: the connections are encrypted."""
        self.address = ("127.0.0.1", port)
        """Where the server is; to be changed when it is somewhere else after a restart."""
        self.rng = rng
        self.rate = rate
        self.talkers: list[Talker] = []
        self.said: Counter[str] = Counter()
        """Messages, by what they were sent to: "lobby", "room", "person"."""
        self.rooms = [f"#room{number}" for number in range(rooms)]
        self._rooms_each = rooms_each
        self._lobby = lobby
        self._tls = tls
        self._selector = selectors.DefaultSelector()
        self._watched: dict[Talker, tuple[socket.socket | EncryptedSocket, int]] = {}
        self._next_word = time.monotonic()
        for _ in range(clients):
            self.add()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
        self._selector.close()

    def close(self) -> None:
        """Everybody is gone: a server that stops need not wait until they have read its goodbye."""
        for talker in self.talkers:
            talker.close()

    def add(self) -> Talker:
        """One more client, which connects as soon as the load runs."""
        talker = Talker(f"user{len(self.talkers)}", self.rng, self._tls)
        for room in self.rng.sample(self.rooms, self._rooms_each):
            talker.join(room)
        self.talkers.append(talker)
        return talker

    @property
    def cuts(self) -> Counter[str]:
        """Connections that ended although their clients did not want that, in all; see `Talker.cuts`."""
        return sum((talker.cuts for talker in self.talkers), Counter())

    # --- running -------------------------------------------------------------------------------------------------------

    def run(self, duration: float, *, talking: bool = True) -> None:
        """Lets them talk for so many seconds (not scaled)."""
        end = time.monotonic() + duration
        for _ in self._turns(talking):
            if time.monotonic() >= end:
                return

    def run_until(self, probe: Callable[[], object], what: str, limit: float = 5, *, talking: bool = True) -> float:
        """Lets them talk until `probe` is true: the seconds that it took. Fails after `limit` seconds (scaled)."""
        began = time.monotonic()
        for _ in self._turns(talking):
            spent = time.monotonic() - began
            if probe():
                return spent
            assert spent < seconds(limit), f"not within {seconds(limit):g} s: {what}\n{self.describe()}"
        raise AssertionError("unreachable")

    def start(self, limit: float = 10) -> None:
        """Everybody is connected and live, and nothing has been said yet."""
        self.run_until(lambda: all(talker.live for talker in self.talkers), "all are live", limit, talking=False)
        self._next_word = time.monotonic()

    def everybody_is_served(self, limit: float = 2) -> float:
        """Until the server has taken in a new message of each: the seconds that it took."""
        refs = [(talker, self._say(talker, self._room_of(talker))) for talker in self.talkers]
        return self.run_until(
            lambda: all(talker.live and ref in talker.acknowledged for talker, ref in refs),
            "everybody is live, and was acknowledged something new",
            limit,
        )

    def settle(self, limit: float = 10) -> None:
        """Nobody says anything more, and everybody has got everything: the last word of one of them is heard by all."""
        self.run_until(
            lambda: all(talker.live and not talker.protocol.outbox for talker in self.talkers),
            "everything is acknowledged",
            limit,
            talking=False,
        )
        last = self.talkers[0]
        ref = last.send(m.LOBBY, "the last word")
        self.run_until(
            lambda: (
                ref in last.acknowledged
                and all((talker.protocol.cursor or 0) >= last.acknowledged[ref].id for talker in self.talkers)
            ),
            "everybody heard the last word",
            limit,
            talking=False,
        )

    def describe(self) -> str:
        return "\n".join(
            f"{talker.protocol.name}: {talker.protocol.phase.value}, {len(talker.protocol.outbox)} not acknowledged,"
            f" cursor {talker.protocol.cursor}"
            for talker in self.talkers
            if not talker.live or talker.protocol.outbox
        )

    # --- the loop ------------------------------------------------------------------------------------------------------

    def _turns(self, talking: bool) -> Iterator[None]:
        if talking:
            self._next_word = max(self._next_word, time.monotonic() - 0.1)
        for talker in self.talkers:
            self._watch(talker)  # the test may have closed a socket, whose number is used again
        while True:
            now = time.monotonic()
            if talking:
                self._talk(now)
            for talker in self.talkers:
                self._push(talker, now)
            for key, events in self._selector.select(0.005):
                talker = key.data
                if events & selectors.EVENT_WRITE:
                    talker.write(now)
                if events & selectors.EVENT_READ:
                    talker.read(now)
                self._watch(talker)
            yield

    def _push(self, talker: Talker, now: float) -> None:
        """Connects, sends what there is, gives up a connection that leads to nothing."""
        if talker.socket is None:
            if now >= talker.connect_at:
                talker.open(self.address, now)
        elif talker.protocol.phase is not cp.Phase.OFFLINE:
            talker.protocol.retry()
            talker.write(now)
        greeting = talker.protocol.phase in (cp.Phase.OFFLINE, cp.Phase.GREETING)
        if talker.socket is not None and greeting and now > talker.greeted_at + seconds(_PATIENCE):
            talker.lose(now)
        self._watch(talker)

    def _watch(self, talker: Talker) -> None:
        events = (selectors.EVENT_READ if talker.reading else 0) | (selectors.EVENT_WRITE if talker.wants_to_write else 0)
        wanted = None if talker.socket is None or not events else (talker.socket, events)
        known = self._watched.get(talker)
        if wanted == known:
            return
        if known is not None:
            self._selector.unregister(known[0])
            del self._watched[talker]
        if wanted is not None:
            self._selector.register(wanted[0], events, talker)
            self._watched[talker] = wanted

    # --- talking -------------------------------------------------------------------------------------------------------

    def _talk(self, now: float) -> None:
        while self._next_word <= now:
            self._next_word += 1 / self.rate
            talker = self.rng.choice(self.talkers)
            if talker.began_at is None or len(talker.protocol.outbox) >= _OUTBOX_MOST:
                continue
            self.say(talker)

    def say(self, talker: Talker) -> None:
        """It says something, to anybody at all."""
        match self.rng.randrange(20):
            case 0 if self._lobby:
                self._say(talker, m.LOBBY)
            case 1 | 2 | 3:
                self._say(talker, self.rng.choice(self.talkers).protocol.name)
            case 4:
                self._say(talker, self._room_of(talker), topic=True)
            case _:
                self._say(talker, self._room_of(talker))

    def _room_of(self, talker: Talker) -> str:
        return self.rng.choice([*talker.protocol.rooms] or [m.LOBBY])

    def _say(self, talker: Talker, to: str, topic: bool = False) -> int:
        kind = "topic" if topic else "lobby" if to == m.LOBBY else "room" if m.is_room(to) else "person"
        self.said[kind] += 1
        return talker.send(to, f"{len(talker.sent)} of {talker.protocol.name} to {to}", topic)
