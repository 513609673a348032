"""A broker and what its workers say and hear."""

from __future__ import annotations

from typing import Any

from broker.core.broker import Broker
from common import messages as m
from common.limits import Limits
from common.routing import Batch, Item
from tests.support.frames import messages_in, reply_in
from tests.support.memory_log import MemoryLog

ADA, BOB, CYD = (f"g{letter * 16}" for letter in "abc")
GRACE_MS = Limits().name_grace_seconds * 1000
INSTANCE = 7


def ref(counter: int) -> int:
    return m.make_ref(INSTANCE, counter)


class Office:
    """A broker and what its workers say and hear; frames are shown as messages."""

    def __init__(
        self, workers: int = 1, log: MemoryLog | None = None, limits: Limits | None = None, now_ms: int = 1_000_000
    ) -> None:
        self.log = log or MemoryLog()
        self.now_ms = now_ms
        self.broker = Broker(self.log, limits or Limits(), now_ms)
        self.next_number = dict.fromkeys(range(1, workers + 1), 0)
        self.batches: dict[int, Batch] = {}
        for number in self.next_number:
            self.broker.worker_came(number, 0)

    def open(self) -> Office:
        """Every worker introduces itself, with nobody."""
        self.broker.begin(self.now_ms)
        for number in self.next_number:
            self.introduce(number)
        self.settle()
        return self

    def introduce(self, number: int, *sessions: list[Any]) -> None:
        self.broker.receive(number, ["intro", [*sessions], False], self.now_ms)

    def request(self, number: int, *requests: Item) -> None:
        """One batch of this worker, of which the broker makes what it likes."""
        self.broker.receive(number, ["requests", self.next_number[number], [*requests]], self.now_ms)
        self.next_number[number] += len(requests)

    def settle(self) -> None:
        batches = self.broker.settle()
        self.batches = {
            number: [position, answered, [one for item in items for one in legible(item)]]
            for number, (position, answered, items) in batches.items()
        }

    def ask(self, number: int, *requests: Item) -> list[Item]:
        """A turn with one batch: what this worker hears, without presence and who is elsewhere."""
        self.request(number, *requests)
        self.settle()
        return self.heard(number)

    def heard(self, number: int, presence: bool = False) -> list[Item]:
        items = self.batches.get(number, [0, 0, []])[2]
        return [item for item in items if presence or item[0] not in ("presence", "elsewhere")]

    def hello(self, number: int, sid: int, identity: str, name: str, *rooms: str, known: bool = False) -> Item:
        """Somebody comes; the answer."""
        (answer,) = self.ask(number, ["hello", sid, 1, identity, name, None, None, [*rooms], known])
        return answer

    def is_ready(self) -> bool:
        return self.broker.ready

    def error(self, number: int, request: Item) -> str:
        """The code of the error that a request is answered with."""
        (answer,) = self.ask(number, request)
        assert answer[:2] == ["reply", request[1]]
        assert isinstance(answer[2], m.Error)
        assert answer[2].ref == request[2]
        return answer[2].code


def legible(item: Item) -> list[Item]:
    """Frames taken apart, and messages one by one: `["room", id, conv, message]`, `["direct", id, sids, message]`."""
    if item[0] in ("room", "direct"):
        tag, whom, ids, runs = item
        messages = [message for last, run in zip(ids, runs, strict=True) for message in messages_in(last, run)]
        return [[tag, id, whom, reply_in(frame)] for id, frame in messages]
    return [[*item[:-1], reply_in(item[-1])] if item[0] in ("reply", "present", "typing") else item]


def send(sid: int, counter: int, to: str, text: str = "hi", conv: str | None = None, prev: int | None = None) -> Item:
    return ["send", sid, ref(counter), to, [text], conv, [prev]]


def topic(sid: int, counter: int, to: str, text: str, conv: str | None = None, prev: int | None = None) -> Item:
    return ["topic", *send(sid, counter, to, text, conv, prev)[1:]]


def told_topic(office: Office, number: int, sid: int, room: str = "#dev") -> m.Options:
    """What a `joined` says of the room's topic."""
    (joined,) = office.ask(number, ["join", sid, 9, room])
    options: m.Options = joined[4][4]
    return options


def run(sid: int, counter: int, to: str, *texts: str, prevs: list[int | None] | None = None) -> Item:
    """Messages of one request, the first of which has this counter."""
    return ["send", sid, ref(counter), to, [*texts], None, prevs or [None] * len(texts)]
