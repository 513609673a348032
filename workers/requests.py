"""What a worker has asked the broker and not been answered: kept, numbered, and repeated to a broker that does not know of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from common.routing import Batch, Item

_MOST = 20_000
_MOST_BYTES = 8 * 1024 * 1024
_MOST_LISTS = 1_000
"""Lists of people or rooms that the broker owes: with the longest names each may have 25 KiB, and they come in one batch."""


class Requests:
    """A queue of requests, from being made until the broker has dealt with them."""

    def __init__(self) -> None:
        self._new: list[Item] = []
        self._unanswered: deque[Item] = deque()
        self._first = 0
        """The number of the oldest unanswered request."""
        self._bytes = 0
        self._lists = 0

    def __len__(self) -> int:
        return len(self._unanswered) + len(self._new)

    @property
    def full(self) -> bool:
        """So much is waiting for the broker that clients should not be read from."""
        return len(self) >= _MOST or self._bytes >= _MOST_BYTES or self._lists >= _MOST_LISTS

    def add(self, request: Item) -> None:
        self._new.append(request)
        self._bytes += _weight(request)
        self._lists += _lists(request)

    def take_new(self) -> Batch | None:
        """A batch of what has been added since the last call."""
        new, self._new = self._new, []
        if not new:
            return None
        first = self._first + len(self._unanswered)
        self._unanswered += new
        return ["requests", first, new]

    def take_all(self) -> Batch | None:
        """A batch of everything that is not answered, for a broker that has just been introduced to this worker."""
        self.take_new()
        return ["requests", self._first, [*self._unanswered]] if self._unanswered else None

    def answered(self, until: int) -> Iterator[Item]:
        """All with numbers up to `until` are dealt with: forgets them, and gives them out."""
        while self._unanswered and self._first <= until:
            request = self._unanswered.popleft()
            self._first += 1
            self._bytes -= _weight(request)
            self._lists -= _lists(request)
            yield request


def _weight(request: list[Any]) -> int:
    """About how long a request is beyond its few short fields."""
    match request:
        case ["send", _, _, _, text, *_]:
            return len(text)
        case ["hello", _, _, _, name, _, log, rooms, _]:
            return len(name) + len(log or "") + sum(map(len, rooms))
    return 0


def _lists(request: Item) -> int:
    """How many lists the answer has."""
    match request:
        case ["hello", _, _, _, _, _, _, rooms, _]:
            return 1 + len(rooms)
        case ["join" | "members" | "rooms", *_]:
            return 1
    return 0
