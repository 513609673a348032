"""What a worker has asked the broker and not been answered: kept, numbered, and repeated to a broker that does not know of it."""

from __future__ import annotations

from collections import deque

from common.log import RUN_CHARS, RUN_MESSAGES
from common.messages import COUNTER_BITS
from common.routing import Batch, Item

WRITING = ("send", "topic")
"""Requests that are to write something."""
ANSWERED_WITH_LISTS = ("join", "members", "rooms", "whois")
"""Requests whose answers have a list of people or rooms each."""
_MOST = 8 * 1024 * 1024
"""What may wait has at most this weight, which is that of its texts (characters) and a little for each request."""
_COUNTER = (1 << COUNTER_BITS) - 1
_WEIGHT = 400
"""Of each message, and of any other request: so no more than 20,000 of them wait."""
_WEIGHT_OF_LIST = 8_000
"""Of each list that the broker owes: with the longest names it may have 25 KiB, and a thousand of them come in one batch."""


class Requests:
    """A queue of requests, from being made until the broker has dealt with them."""

    def __init__(self) -> None:
        self._new: list[Item] = []
        self._unanswered: deque[Item] = deque()
        self._first = 0
        """The number of the oldest unanswered request."""
        self._weight = 0
        self._next: tuple[int, int, str, str | None] | None = None
        """Which message would go on with the newest request: sid, ref, to, conv."""
        self._chars = 0
        """Of the texts of that request."""
        self.full = False
        """So much is waiting for the broker that clients should not be read from."""

    def __len__(self) -> int:
        """Requests, of which each may have several messages."""
        return len(self._unanswered) + len(self._new)

    @property
    def ends_with_message(self) -> bool:
        """What was asked last is to write something, and is not answered."""
        return bool(self._unanswered) and self._unanswered[-1][0] in WRITING

    def add(self, request: Item) -> None:
        self._new.append(request)
        self._next = None
        self._weigh(_weight(request))

    def _weigh(self, more: int) -> None:
        self._weight += more
        self.full = self._weight >= _MOST

    def add_message(self, sid: int, ref: int, to: str, text: str, conv: str | None, prev: int | None) -> None:
        """The same for a message: those of one client for one conversation that follow each other are one request.

        Each must be able to stand for itself: its ref is the next one of its instance, and it follows, if any, the one before.
        """
        if (sid, ref, to, conv) == self._next and (prev is None or prev == (ref & _COUNTER) - 1):
            run = self._new[-1]
            run[4].append(text)
            run[6].append(prev)
            self._chars += len(text)
            self._weigh(_WEIGHT + len(text))
            is_full = self._chars >= RUN_CHARS or len(run[4]) == RUN_MESSAGES
        else:
            self.add(["send", sid, ref, to, [text], conv, [prev]])
            self._chars = len(text)
            is_full = self._chars >= RUN_CHARS
        self._next = None if is_full or ref & _COUNTER == _COUNTER else (sid, ref + 1, to, conv)

    def take_new(self) -> Batch | None:
        """A batch of what has been added since the last call."""
        new, self._new, self._next = self._new, [], None
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
        self._weigh(-sum(map(_weight, done)))
        return done


def _weight(request: Item) -> int:
    tag = request[0]
    if tag in WRITING:
        _, _, _, _, texts, _, _ = request
        return _WEIGHT * len(texts) + sum(map(len, texts))
    if tag == "hello":
        _, _, _, _, name, _, log, rooms, _ = request
        return _WEIGHT + len(name) + len(log or "") + sum(map(len, rooms)) + _WEIGHT_OF_LIST * (1 + len(rooms))
    return _WEIGHT + (_WEIGHT_OF_LIST if tag in ANSWERED_WITH_LISTS else 0)
