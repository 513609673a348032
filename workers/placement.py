"""Which worker gets the next connection. Decides only; the acceptor carries it out."""

from __future__ import annotations

import dataclasses

UNCONFIRMED_MOST = 16
"""The most connections that a worker was given and has not confirmed: one that is stopped or full gets no more."""
SLOW_SECONDS = 0.5
"""A worker that has not confirmed anything for so long, although it was given something, gets nothing before it does."""


@dataclasses.dataclass(slots=True)
class _Worker:
    given: int = 0
    confirmed: int = 0
    open: int = 0
    last_given: int = 0
    """When it last got a connection, counted in connections of all workers."""
    waited_for_since: float = 0.0
    """While connections are unconfirmed: when it last confirmed any, or was given the first."""

    @property
    def unconfirmed(self) -> int:
        return self.given - self.confirmed

    @property
    def burden(self) -> tuple[int, int]:
        return self.open + self.unconfirmed, self.last_given

    def takes_more(self, now: float) -> bool:
        slow = self.unconfirmed > 0 and now - self.waited_for_since > SLOW_SECONDS
        return self.unconfirmed < UNCONFIRMED_MOST and not slow


class Placement:
    """The workers, by number, and what is known of their load. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}
        self._given = 0

    def add(self, number: int) -> None:
        """A new worker, in the place of the former one of that number."""
        self._workers[number] = _Worker()

    def remove(self, number: int) -> None:
        """It gets no more connections. Nothing happens if it is not there."""
        self._workers.pop(number, None)

    @property
    def connections(self) -> int:
        """Those of all workers."""
        return sum(worker.open + worker.unconfirmed for worker in self._workers.values())

    def confirm(self, number: int, confirmed: int, open_connections: int, now: float) -> None:
        """What the worker said: connections taken in all, and open now."""
        worker = self._workers[number]
        worker.confirmed = confirmed
        worker.open = open_connections
        worker.waited_for_since = now

    def any_takes_more(self, now: float) -> bool:
        """Whether there is a worker to be picked."""
        return any(worker.takes_more(now) for worker in self._workers.values())

    def pick(self, now: float) -> int | None:
        """The worker with the fewest connections; of equals the one that waited longest. None if all are full or slow."""
        free = [number for number, worker in self._workers.items() if worker.takes_more(now)]
        return min(free, key=lambda number: self._workers[number].burden, default=None)

    def give(self, number: int, now: float) -> None:
        """Counts one connection for this worker."""
        self._given += 1
        worker = self._workers[number]
        if not worker.unconfirmed:
            worker.waited_for_since = now
        worker.given += 1
        worker.last_given = self._given
