"""A worker's hub with clients that read everything, and a broker that says what the test says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common import messages as m
from common.limits import Limits
from common.log import Entry, LogUnreadable, Run
from common.routing import Batch, Item
from tests.support.frames import replies_in
from tests.support.logs import appended
from tests.support.memory_log import MemoryLog
from workers.fanout import Delivery
from workers.hub import Hub
from workers.session import Session
from workers.streams import Following

ADA, BOB = "g" + "a" * 16, "g" + "b" * 16
LIMITS = Limits(text_bytes=100, topic_bytes=20, requests_pending=3)
LOBBY_ALONE = [["#lobby", "#lobby", 1, ["ada"], {}]]


class ReadableLog(MemoryLog):
    """Cannot be read while `broken`."""

    broken = False

    def expect(self, *which: Any) -> None:
        self._check()
        super().expect(*which)

    def page(self, conv: str, before: int | None, limit: int, until: int) -> tuple[list[Entry], bool]:
        self._check()
        return super().page(conv, before, limit, until)

    def following(self, *wanted: Any) -> Following:
        self._check()
        return super().following(*wanted)

    def _check(self) -> None:
        if self.broken:
            raise LogUnreadable("the log cannot be read: no such file")


class Desk:
    """A hub, with clients that read everything and a broker that says what the test says."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.log = ReadableLog()
        self.identity = ADA
        self.hub = Hub(self.log, limits, "chat-broker 0", lambda: self.identity)
        self.now = 100.0
        self.now_ms = 1_700_000_000_000
        self.position = 0
        self.answered = -1
        self.asked: list[Batch] = []
        """What the broker was sent since the last look."""
        self.got: dict[int, list[m.Reply]] = {}
        self.hub.broker_came()
        self.turn()
        self.broker(["snapshot", self.log.uuid, self.log.key])
        self.look()

    def open(self, sid: int) -> Session:
        return self.hub.opened(sid, f"peer {sid}", self.now)

    def say(self, sid: int, *requests: m.Request) -> list[m.Reply]:
        """A client's requests, in one piece; what it is told at once."""
        return self.say_bytes(sid, b"".join(map(m.encode, requests)))

    def say_bytes(self, sid: int, data: bytes) -> list[m.Reply]:
        self.hub.received(self.hub._sessions[sid], data, self.now, self.now_ms)
        self.turn()
        return self.heard(sid)

    def broker(self, *items: Item, position: int | None = None, answered: int | None = None) -> None:
        """The broker says this, and there is a turn."""
        self.position = self.position if position is None else position
        self.answered = self.answered if answered is None else answered
        self.hub.broker_said([self.position, self.answered, [*items]], self.now, self.now_ms)
        self.turn()

    def turn(self) -> None:
        self.hub.tick(self.now)
        for delivery in self.hub.end_turn():
            self.take(delivery)
        for delivery in self.hub.catch_up(self.now):
            self.take(delivery)
        self.asked += self.hub.take_requests()

    def take(self, delivery: Delivery) -> None:
        for sid in delivery.sids:
            self.got.setdefault(sid, []).extend(replies_in(delivery.data))

    def heard(self, sid: int) -> list[m.Reply]:
        """What this client was told since the last look."""
        return self.got.pop(sid, [])

    def look(self) -> list[Item]:
        """What the broker was asked since the last look."""
        asked, self.asked = self.asked, []
        return [item for batch in asked if batch[0] == "requests" for item in batch[2]]

    def welcome(self, sid: int, identity: str = ADA, name: str = "ada", *rooms: str, after: int | None = None) -> Session:
        """Somebody is here, in the lobby and these rooms."""
        self.identity = identity
        session = self.open(sid)
        self.say(sid, m.Hello(1, m.VERSION, name, {} if after is None else {"after": after}))
        joined = [[room, room.lower(), 1, [name], {}] for room in ("#lobby", *rooms)]
        self.broker(["welcome", sid, 1, name, self.position, joined, {}], answered=self.answered + 1)
        self.look()
        self.heard(sid)
        return session

    def post(self, conv: str, text: str = "hi", identity: str = BOB) -> Entry:
        """A message that is committed."""
        run = Run(0, self.now_ms, conv, conv, "bob", identity, m.make_ref(9, len(self.log.entries)), [text])
        (entry,) = appended(self.log, [run])
        return entry

    def tell(self, *entries: Entry, sids: Sequence[int] = (), position: int | None = None) -> None:
        """The broker tells of these messages: of those of rooms, and of direct ones for these sessions."""
        items = [
            ["direct", [*sids], [entry.id], [m.encode(entry.as_msg())]] if "~" in entry.conv else room_item(entry)
            for entry in entries
        ]
        self.broker(*items, position=position or entries[-1].id)


def room_item(entry: Entry) -> Item:
    return ["room", entry.conv, [entry.id], [m.encode(entry.as_msg())]]


def texts(replies: list[m.Reply]) -> list[str]:
    return [reply.text for reply in replies if isinstance(reply, m.Msg)]


def codes(replies: list[m.Reply]) -> list[tuple[int | None, str]]:
    assert all(isinstance(reply, m.Error) for reply in replies), replies
    return [(reply.ref, reply.code) for reply in replies if isinstance(reply, m.Error)]
