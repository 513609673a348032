"""Who is in which room. A room exists as long as somebody is in it; its messages stay in the log."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from broker.core.looks import Looks
from common import messages as m
from common.limits import MEMBERS_SHOWN
from common.log import Entry

_Key = TypeVar("_Key", str, int)


class InOrder:
    """Strings, each once, always in order: lists are asked for a page at a time, and by anybody."""

    def __init__(self) -> None:
        self._all: list[str] = []

    def add(self, one: str) -> None:
        insort(self._all, one)

    def remove(self, one: str) -> None:
        del self._all[bisect_left(self._all, one)]

    def after(self, one: str, limit: int) -> list[str]:
        """The next ones behind `one`, which need not be among them."""
        start = bisect_right(self._all, one)
        return self._all[start : start + limit]


class Room:
    """The sessions in one room, seen as people (by name) and as workers (which are to be told)."""

    __slots__ = (
        "_came",
        "_left",
        "_names",
        "_topic",
        "_turned",
        "_was_large",
        "conv",
        "knows_topic",
        "name",
        "people",
        "recipients",
        "workers",
    )

    def __init__(self, conv: str, name: str) -> None:
        self.conv = conv
        self.name = name
        self.people: Counter[str] = Counter()
        """How many sessions each name has in here."""
        self.workers: Counter[int] = Counter()
        """How many sessions each worker has in here."""
        self.recipients: tuple[tuple[int, str, str], ...] = ()
        """The workers that have any, with how a message of this room goes to each (see `steps.Recipients`)."""
        self.knows_topic = False
        """The log was asked for the topic, or has been given one since."""
        self._topic: Entry | None = None
        self._names = InOrder()
        self._came: set[str] = set()
        self._left: set[str] = set()
        self._turned: dict[str, None] = {}
        self._was_large = False
        """When its changes were taken last, or at some moment since."""

    @property
    def is_large(self) -> bool:
        """It has too many people for each of their comings and goings to be told by name."""
        return len(self.people) > MEMBERS_SHOWN

    def set_topic(self, topic: Entry | None) -> None:
        """This message of the log set the topic last, or none did."""
        self._topic = topic
        self.knows_topic = True

    def topic(self) -> m.Options:
        """What a `joined` says of the topic: nothing where there is none."""
        topic = self._topic
        if topic is None or not topic.text:
            return {}
        return {"topic": topic.text, "topic_by": topic.sender, "topic_ms": topic.time_ms}

    def add(self, worker: int, name: str) -> None:
        self.people[name] += 1
        self.workers[worker] += 1
        if self.workers[worker] == 1:
            self._set_recipients()
        if self.people[name] == 1:
            self._names.add(name)
            self._came.add(name)
            self._left.discard(name)
            self._was_large |= self.is_large

    def remove(self, worker: int, name: str) -> None:
        _decrement(self.people, name)
        _decrement(self.workers, worker)
        if worker not in self.workers:
            self._set_recipients()
        if name not in self.people:
            self._names.remove(name)
            self._left.add(name)
            self._came.discard(name)

    def turn(self, name: str) -> None:
        """Somebody who is in here went away, or is back. Of a large room that is not told."""
        if not self.is_large:
            self._turned[name] = None

    def _set_recipients(self) -> None:
        self.recipients = tuple((number, "room", self.conv) for number in self.workers)

    def take_change(self) -> Change | None:
        """Who came, left or turned since the last call, by where they are now; None if nobody did.

        Who left and came back is told of too: somebody may have come in between, and not have seen them.
        """
        if not self._came and not self._left and not self._turned:
            return None
        anew = self._was_large and not self.is_large
        self._was_large = self.is_large
        lists = (self._came, self._left, self._turned)
        came, left, turned = ([] if self.is_large else sorted(names) for names in lists)
        self._came.clear()
        self._left.clear()
        self._turned.clear()
        return Change(self, came, left, turned, anew)

    def members(self) -> list[str]:
        """All of its people, in order; of a large room, the first that are as many as may be told at once."""
        return self.members_after("", MEMBERS_SHOWN)

    def members_after(self, after: str, limit: int) -> list[str]:
        """The next names behind `after`, in order."""
        return self._names.after(after, limit)


class Change(NamedTuple):
    """What is to be told of a room."""

    room: Room
    came: list[str]
    left: list[str]
    turned: list[str]
    """Who went away or is back. All three are empty while the room is large."""
    anew: bool
    """It is large no more: who was in it before has not been told by name, so it takes the whole list."""


class Rooms:
    """All rooms with people in them, by their folded names."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}
        self._in_order = InOrder()
        self._looks = Looks()
        self._changed: dict[str, Room] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def __getitem__(self, conv: str) -> Room:
        return self._rooms[conv]

    def get(self, conv: str) -> Room | None:
        return self._rooms.get(conv)

    def add(self, conv: str, name: str, worker: int, person: str) -> Room:
        """One more session of `person` in the room, which is made if need be (and then is called `name`)."""
        room = self._rooms.get(conv)
        if room is None:
            room = self._rooms[conv] = Room(conv, name)
            self._in_order.add(conv)
            self._looks.put(conv, name)
        room.add(worker, person)
        self._changed[conv] = room
        return room

    def remove(self, conv: str, worker: int, person: str) -> None:
        room = self._rooms[conv]
        room.remove(worker, person)
        self._changed[conv] = room
        if not room.people:
            del self._rooms[conv], self._changed[conv]
            self._in_order.remove(conv)
            self._looks.drop(conv)

    def turn(self, conv: str, person: str) -> None:
        """Somebody in the room went away, or is back."""
        room = self._rooms[conv]
        room.turn(person)
        self._changed[conv] = room

    def like(self, conv: str, name: str) -> Room | None:
        """A room that this one, which nobody is in, could be taken for."""
        return next((self._rooms[other] for other in self._looks.like(conv, name)), None)

    def rooms_after(self, after: str, limit: int) -> list[Room]:
        """The next rooms behind the folded name `after`, in order."""
        return [self._rooms[conv] for conv in self._in_order.after(after, limit)]

    def take_changes(self) -> list[Change]:
        """What changed since the last call, room by room."""
        changed, self._changed = self._changed, {}
        return [change for room in changed.values() if (change := room.take_change()) is not None]


def _decrement(counter: Counter[_Key], key: _Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
