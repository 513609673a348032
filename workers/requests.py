"""What a worker has asked the broker and not been answered: kept, numbered, and repeated to a broker that does not know of it."""

from __future__ import annotations

from collections import deque

from common.routing import Batch, Item

_MOST = 20_000
_MOST_BYTES = 8 * 1024 * 1024
_MOST_LISTS = 1_000
"""Lists of people or rooms that the broker owes: with the longest names each may have 25 KiB, and they come in one batch."""
ANSWERED_WITH_LISTS = ("join", "members", "rooms")


class Requests:
    """A queue of requests, from being made until the broker has dealt with them."""

    def __init__(self) -> None:
        self._new: list[Item] = []
        self._unanswered: deque[Item] = deque()
        self._first = 0
        """The number of the oldest unanswered request."""
        self._bytes = 0
        self._lists = 0
        self.full = False
        """So much is waiting for the broker that clients should not be read from."""

    def __len__(self) -> int:
        return len(self._unanswered) + len(self._new)

    def add(self, request: Item) -> None:
        self._new.append(request)
        length, lists = _weight(request)
        self._bytes += length
        self._lists += lists
        self._measure()

    def _measure(self) -> None:
        self.full = len(self) >= _MOST or self._bytes >= _MOST_BYTES or self._lists >= _MOST_LISTS

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

    def answered(self, until: int) -> list[Item]:
        """All with numbers up to `until` are dealt with: forgets them, and gives them out."""
        count = max(0, min(until + 1 - self._first, len(self._unanswered)))
        done = [self._unanswered.popleft() for _ in range(count)]
        self._first += count
        for length, lists in map(_weight, done):
            self._bytes -= length
            self._lists -= lists
        self._measure()
        return done


def _weight(request: Item) -> tuple[int, int]:
    """About how long a request is beyond its few short fields, and how many lists its answer has."""
    tag = request[0]
    if tag == "send":
        _, _, _, _, text, *_ = request
        return len(text), 0
    if tag == "hello":
        _, _, _, _, name, _, log, rooms, _ = request
        return len(name) + len(log or "") + sum(map(len, rooms)), 1 + len(rooms)
    return 0, int(tag in ANSWERED_WITH_LISTS)
