"""Who is in which room. A room exists as long as somebody is in it; its messages stay in the log."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

from common.limits import MEMBERS_SHOWN

_Key = TypeVar("_Key", str, int)


class Room:
    """The sessions in one room, seen as people (by name) and as workers (which are to be told)."""

    __slots__ = ("_came", "_left", "conv", "name", "people", "workers")

    def __init__(self, conv: str, name: str) -> None:
        self.conv = conv
        self.name = name
        self.people: Counter[str] = Counter()
        """How many sessions each name has in here."""
        self.workers: Counter[int] = Counter()
        """How many sessions each worker has in here."""
        self._came: set[str] = set()
        self._left: set[str] = set()

    def add(self, worker: int, name: str) -> None:
        self.people[name] += 1
        self.workers[worker] += 1
        if self.people[name] == 1:
            self._changed(name, to=self._came, other=self._left)

    def remove(self, worker: int, name: str) -> None:
        _decrement(self.people, name)
        _decrement(self.workers, worker)
        if name not in self.people:
            self._changed(name, to=self._left, other=self._came)

    @staticmethod
    def _changed(name: str, *, to: set[str], other: set[str]) -> None:
        """Who comes and goes between two tellings is told of not at all."""
        if name in other:
            other.remove(name)
        else:
            to.add(name)

    def take_changes(self) -> tuple[list[str], list[str]]:
        """Who came and who left since the last call."""
        came, left = sorted(self._came), sorted(self._left)
        self._came.clear()
        self._left.clear()
        return came, left

    def members(self) -> list[str]:
        """The first of its people: all, in order, if they are few enough; otherwise any."""
        if len(self.people) <= MEMBERS_SHOWN:
            return sorted(self.people)
        return list(itertools.islice(self.people, MEMBERS_SHOWN))

    def members_after(self, after: str, limit: int) -> list[str]:
        """The next names behind `after`, in order."""
        return heapq.nsmallest(limit, (name for name in self.people if name > after))


class Rooms:
    """All rooms with people in them, by their folded names."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}
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
        room.add(worker, person)
        self._changed[conv] = room
        return room

    def remove(self, conv: str, worker: int, person: str) -> None:
        room = self._rooms[conv]
        room.remove(worker, person)
        self._changed[conv] = room
        if not room.people:
            del self._rooms[conv], self._changed[conv]

    def rooms_after(self, after: str, limit: int) -> list[Room]:
        """The next rooms behind the folded name `after`, in order."""
        return [self._rooms[conv] for conv in heapq.nsmallest(limit, (conv for conv in self._rooms if conv > after))]

    def take_changes(self) -> Iterator[tuple[Room, list[str], list[str]]]:
        """The rooms in which people came or left since the last call, with who did."""
        changed, self._changed = self._changed, {}
        for room in changed.values():
            came, left = room.take_changes()
            if came or left:
                yield room, came, left


def _decrement(counter: Counter[_Key], key: _Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
