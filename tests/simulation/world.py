"""The whole system in one process: the pure cores of broker, workers and clients, a fake network, a fake clock, and chance.

A seed decides everything: which bytes move when, how large the batches are, who is cut off, who crashes. What must hold is
checked by `World.verify` once the world has been left in peace (`settle_down`).
"""

from __future__ import annotations

import dataclasses
import random
import sys
from collections import defaultdict, deque
from typing import Any

import msgpack

from broker.core.broker import Broker
from broker.log import StorageFull, StorageUnavailable
from common import client_events as ce
from common import client_protocol as cp
from common import messages as m
from common.limits import Limits
from common.names import fold
from tests.support.memory_log import MemoryLog
from tests.support.verdict import Witness, verify
from workers.fanout import Delivery, remainder
from workers.hub import Hub
from workers.session import Session

LIMITS = Limits(
    backlog_bytes=300,
    requests_pending=8,
    name_grace_seconds=5,
    login_seconds=100_000,
    idle_seconds=100_000,
)
SLOW = dataclasses.replace(LIMITS, messages_per_second=4, user_messages_per_second=4, burst_seconds=1)
"""People say more in it than they may."""
ROOMS = ["#a", "#b", "#C"]
_NETWORK_BYTES = 1_500
"""What the network holds in one direction of a connection before it takes no more."""


class Link:
    """One TCP connection: bytes on their way, in both directions."""

    def __init__(self, client: SimClient, worker: SimWorker, sid: int) -> None:
        self.client = client
        self.worker = worker
        self.sid = sid
        self.up = b""
        self.down = b""
        self.unsent = b""
        self.closing = False
        self.session: Session | None = None


class SimClient(Witness):
    """A client program. Of all its connections it has one at a time."""

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng.randrange(1, 2**32))
        self.link: Link | None = None
        self.names = 0
        self.delayed: set[str] = set()
        """Why messages of its were refused that were sent again later."""
        self.people: dict[str, set[str]] = {}
        """Who is in each room that it is in, as far as it knows."""
        self.away: dict[str, set[str]] = {}
        """Who of them is away."""
        self.topics: dict[str, tuple[int, str]] = {}
        """What each room is about, and up to which id that is so."""

    def connected(self) -> None:
        self.people.clear()
        self.away.clear()
        super().connected()

    def handle(self, event: ce.Event) -> None:
        match event:
            case ce.SendDelayed(_, code, _):
                self.delayed.add(code)
            case ce.NameRefused():
                self.names += 1
                self.protocol.choose_name(f"{self.protocol.name[:6]}{self.names}")
            case ce.RoomJoined():
                self.topics[event.conv] = event.topic.at, event.topic.text
                self.people[event.conv] = set(event.members)
                self.away[event.conv] = set(event.away)
            case ce.RoomParted():
                self.people.pop(fold(event.room), None)
            case m.Presence() if fold(event.room) in self.people:
                self.hear_of_people(self.people[fold(event.room)], event.options)
                self.hear_of_away(self.away[fold(event.room)], event.options)
            case ce.Delivered(msg) if msg.options.get("topic"):
                at, _ = self.topics.get(msg.options["conv"], (0, ""))
                if msg.id > at:
                    self.topics[msg.options["conv"]] = msg.id, msg.text
        super().handle(event)

    @staticmethod
    def hear_of_people(people: set[str], options: m.Options) -> None:
        if "members" in options:
            people.clear()
        people |= {*options.get("members", ()), *options.get("joined", ())}
        people -= set(options.get("left", ()))

    @staticmethod
    def hear_of_away(away: set[str], options: m.Options) -> None:
        if "members" in options:
            away.clear()
        away -= {*options.get("joined", ()), *options.get("left", ())}
        away |= set(options.get("away", ()))
        away -= set(options.get("back", ()))


class SimWorker:
    """A worker process: a hub, its connections, and its end of the pipe."""

    def __init__(self, number: int, generation: int, world: World) -> None:
        self.number = number
        self.generation = generation
        self.world = world
        self.hub = Hub(world.log, world.limits, "sim", world.new_identity)
        self.links: dict[int, Link] = {}
        self.inbox: deque[bytes] = deque()
        self.outbox: deque[bytes] = deque()
        self.connected = False

    def open(self, client: SimClient) -> None:
        sid = self.world.next_sid()
        link = self.links[sid] = Link(client, self, sid)
        link.session = self.hub.opened(sid, client.protocol.name, self.world.now)
        client.link = link
        client.connected()

    def close(self, link: Link) -> None:
        if self.links.pop(link.sid, None) is not None:
            self.hub.closed(link.sid)
        self.world.unplug(link)

    def turn(self, rng: random.Random) -> None:
        """What `workers.process` does in one turn of its loop."""
        self.read(rng)
        for _ in range(rng.randint(0, len(self.inbox))):
            self.hub.broker_said(msgpack.unpackb(self.inbox.popleft()), self.world.now, self.world.now_ms)
        for link in [*self.links.values()]:
            self.write(link, b"")
        self.hub.tick(self.world.now)
        for delivery in self.hub.end_turn():
            self.deliver(delivery)
        for sid in self.hub.take_closing():
            if sid in self.links:
                self.links[sid].closing = True
        for delivery in self.hub.catch_up(self.world.now):
            self.deliver(delivery)
        for batch in self.hub.take_requests():
            self.outbox.append(msgpack.packb(batch))
        for link in [*self.links.values()]:
            if link.closing and not link.unsent and not link.down:
                self.close(link)

    def read(self, rng: random.Random) -> None:
        """Some of the connections bring some of what their clients wrote."""
        for link in [*self.links.values()]:
            assert link.session is not None
            if link.up and self.hub.wants_input(link.session) and rng.random() < 0.7:
                count = rng.randint(1, len(link.up))
                data, link.up = link.up[:count], link.up[count:]
                self.hub.received(link.session, data, self.world.now, self.world.now_ms)

    def deliver(self, delivery: Delivery) -> None:
        for sid in delivery.sids:
            link = self.links.get(sid)
            if link is None:
                continue
            taken = self.write(link, delivery.data) if not link.unsent else 0
            if taken < len(delivery.data):
                rest, cursor = remainder(delivery, taken, LIMITS.backlog_bytes - len(link.unsent))
                link.unsent += rest
                assert link.session is not None
                link.session.blocked = bool(link.unsent)
                if cursor is not None:
                    self.world.counts["lagged"] += 1
                    self.hub.lag(sid, cursor)

    def write(self, link: Link, data: bytes) -> int:
        """Writes `data`, or what was left unsent, as far as the network takes it."""
        room = _NETWORK_BYTES - len(link.down)
        if data:
            link.down += data[:room]
            return min(room, len(data))
        link.down += link.unsent[:room]
        link.unsent = link.unsent[room:]
        assert link.session is not None
        link.session.blocked = bool(link.unsent)
        return 0


class World:
    """All processes, the log, and what happens to them."""

    def __init__(self, seed: int, workers: int = 2, clients: int = 5) -> None:
        self.rng = random.Random(seed)
        self.limits = self.rng.choice([LIMITS, LIMITS, LIMITS, SLOW])
        self.now = 1_000.0
        self.log = MemoryLog()
        self.log.looks_through = self.rng.choice([4, sys.maxsize])
        self.counts: defaultdict[str, int] = defaultdict(int)
        self._sid = 0
        self._identities = 0
        self._generation = 0
        self.workers = {number: self._new_worker(number) for number in range(1, workers + 1)}
        self.clients = [SimClient(f"user{n}", self.rng) for n in range(clients)]
        self.broker: Broker
        self.start_broker()

    @property
    def now_ms(self) -> int:
        return int(self.now * 1000)

    def next_sid(self) -> int:
        self._sid += 1
        return self._sid

    def new_identity(self) -> str:
        self._identities += 1
        digits = "".join("abcdefghijklmnopqrstuvwxyz234567"[self._identities // 32**n % 32] for n in range(4))
        return "g" + digits.ljust(16, "a")

    def _new_worker(self, number: int) -> SimWorker:
        self._generation += 1
        return SimWorker(number, self._generation, self)

    # --- what happens --------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One thing happens, chosen at random."""
        self.now += self.rng.random() * 0.2
        happenings = [
            (20, self.client_speaks),
            (25, self.network_moves),
            (25, self.worker_turns),
            (15, self.broker_turns),
            (6, self.client_connects),
            (1, self.connection_breaks),
            (0.3, self.start_broker),
            (0.2, self.worker_crashes),
            (0.5, self.disk_fails),
            (0.3, self.worker_falls_behind),
            (0.3, self.time_passes),
        ]
        weights, actions = zip(*happenings, strict=True)
        self.rng.choices(actions, weights)[0]()

    def client_speaks(self) -> None:
        client = self.rng.choice(self.clients)
        protocol = client.protocol
        if client.began_at is None or len(protocol.outbox) > 20:
            return
        match self.rng.randrange(12):
            case 0:
                protocol.join(self.rng.choice(ROOMS))
            case 1 if protocol.rooms:
                client.part(self.rng.choice([*protocol.rooms]))
            case 2:
                protocol.history(self.rng.choice(["#a", "#lobby"]), limit=self.rng.randint(1, 9))
            case 3:
                protocol.retry()
            case 4:
                protocol.be_away(self.rng.choice(["", "lunch", "dinner"]))
            case 5:
                protocol.typing(self.rng.choice(["#lobby", *protocol.rooms, self.rng.choice(self.clients).protocol.name]))
            case 6 | 7:
                self._say(client, self.rng.choice(self.clients).protocol.name)
            case 8:
                self._set_topic(client, self.rng.choice(["#lobby", *protocol.rooms]))
            case _:
                self._say(client, self.rng.choice(["#lobby", *protocol.rooms]))

    def _set_topic(self, client: SimClient, room: str) -> None:
        self.counts["topics"] += 1
        client.send(room, self.rng.choice(["", f"topic {len(client.sent)} of {client.protocol.name}"]), topic=True)

    def _say(self, client: SimClient, to: str) -> None:
        text = f"{len(client.sent)} from {client.protocol.name} to {to} " + "x" * self.rng.choice([0, 0, 0, 300])
        client.send(to, text)

    def network_moves(self) -> None:
        client = self.rng.choice(self.clients)
        link = client.link
        if link is None:
            return
        link.up += client.protocol.data_to_send()
        if link.down:
            count = self.rng.randint(1, len(link.down))
            data, link.down = link.down[:count], link.down[count:]
            for event in client.protocol.receive(data):
                client.handle(event)
            link.up += client.protocol.data_to_send()

    def worker_turns(self) -> None:
        self.rng.choice([*self.workers.values()]).turn(self.rng)

    def broker_turns(self) -> None:
        for worker in self.workers.values():
            for _ in range(self.rng.randint(0, len(worker.outbox))):
                self.broker.receive(worker.number, msgpack.unpackb(worker.outbox.popleft()), self.now_ms)
        if self.rng.random() < 0.2:
            self.broker.tick(self.now_ms)
        for number, batch in self.broker.settle().items():
            self.workers[number].inbox.append(msgpack.packb(batch))

    def client_connects(self) -> None:
        client = self.rng.choice(self.clients)
        if client.link is None:
            self.rng.choice([*self.workers.values()]).open(client)

    def connection_breaks(self) -> None:
        client = self.rng.choice(self.clients)
        if client.link is not None:
            self.counts["broke"] += 1
            client.link.worker.close(client.link)

    def unplug(self, link: Link) -> None:
        """The client notices, and nothing more arrives."""
        if link.client.link is link:
            link.client.link = None
            link.client.protocol.disconnected()

    def start_broker(self) -> None:
        """The first one; or the last one dies, with everything in its pipes, and a new one meets the workers."""
        self.counts["brokers"] += 1
        self.log.opened_anew()
        self.broker = Broker(self.log, self.limits, self.now_ms)
        for worker in self.workers.values():
            worker.inbox.clear()
            worker.outbox.clear()
            worker.hub.broker_lost()
            worker.hub.broker_came()
            self.broker.worker_came(worker.number, worker.generation)
        self.broker.begin(self.now_ms)

    def worker_crashes(self) -> None:
        self.counts["crashed"] += 1
        number = self.rng.choice([*self.workers])
        dead = self.workers[number]
        for link in dead.links.values():
            self.unplug(link)
        self.broker.worker_gone(number, dead.generation, self.now_ms)
        worker = self.workers[number] = self._new_worker(number)
        worker.hub.broker_came()
        self.broker.worker_came(number, worker.generation)

    def worker_falls_behind(self) -> None:
        """Its pipe is full: the broker throws away what is meant for it, until it reads again."""
        worker = self.rng.choice([*self.workers.values()])
        if not self.broker._workers[worker.number].listening:
            return  # it is told nothing before its introduction, and so its pipe is not full
        self.counts["fell behind"] += 1
        self.broker.fell_behind(worker.number)
        for _ in range(self.rng.randint(1, 30)):
            self.step_without_trouble()
        if worker is self.workers.get(worker.number):
            self.broker.caught_up(worker.number)

    def disk_fails(self) -> None:
        self.counts["disk failed"] += 1
        self.log.next_failure = self.rng.choice([StorageFull("full"), StorageUnavailable("broken")])
        self.log.fails_after_commit = self.rng.random() < 0.3

    def time_passes(self) -> None:
        self.now += self.rng.choice([1.0, 6.0, 30.0])

    def step_without_trouble(self) -> None:
        self.now += 0.05
        self.rng.choice([self.client_speaks, self.network_moves, self.worker_turns, self.broker_turns])()

    # --- the end -------------------------------------------------------------------------------------------------------

    def settle_down(self) -> None:
        """No more trouble: everybody is connected, and everything arrives."""
        self.log.next_failure = None
        quiet = 0
        for _ in range(2_000):
            self.now += 0.3
            for client in self.clients:
                if client.link is None:
                    self.rng.choice([*self.workers.values()]).open(client)
                client.protocol.retry()
                for _ in range(3):
                    self.network_moves_all(client)
            for worker in self.workers.values():
                worker.turn(self.rng)
            self.broker_turns()
            quiet = quiet + 1 if self.is_quiet() else 0
            if quiet == 3:  # who came and went is told a moment later
                return
        raise AssertionError(f"the world did not settle down: {self.describe()}")

    def network_moves_all(self, client: SimClient) -> None:
        link = client.link
        if link is None:
            return
        data, link.down = link.down, b""
        for event in client.protocol.receive(data):
            client.handle(event)
        link.up += client.protocol.data_to_send()

    def is_quiet(self) -> bool:
        return (
            all(
                client.link is not None
                and not (client.link.up or client.link.down or client.link.unsent)
                and client.protocol.phase is cp.Phase.LIVE
                and not (client.protocol.outbox or client.protocol.wants_retry)
                for client in self.clients
            )
            and not any(worker.inbox or worker.outbox for worker in self.workers.values())
            and not any(worker.hub.figures()["lagging"] or worker.hub.figures()["unanswered"] for worker in self.workers.values())
            and all(worker.hub.figures()["position"] == self.log.last for worker in self.workers.values())
        )

    def describe(self) -> Any:
        return {
            "clients": [(c.protocol.name, c.protocol.phase, c.link is not None, [*c.protocol.outbox]) for c in self.clients],
            "workers": [(w.number, w.hub.figures(), len(w.inbox), len(w.outbox)) for w in self.workers.values()],
            "ready": self.broker.ready,
            "last": self.log.last,
        }

    def verify(self) -> None:
        """What must hold, whatever happened."""
        verify(self.clients, self.log.entries)
        for client in self.clients:
            for conv, people in client.people.items():
                there = {other.protocol.name for other in self.clients if conv in other.people}
                assert people == there, f"{client.protocol.name} takes {people} to be in {conv}, where {there} are"
                away = {other.protocol.name for other in self.clients if conv in other.people and other.protocol.away}
                topics = [entry.text for entry in self.log.entries if entry.topic and entry.conv == conv]
                _, topic = client.topics[conv]
                assert topic == (topics[-1] if topics else ""), f"{client.protocol.name} takes {topic} for the topic of {conv}"
                known = client.away[conv]
                assert known == away, f"{client.protocol.name} takes {known} to be away in {conv}, where {away} are"
