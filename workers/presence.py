"""Who comes to rooms and who leaves them, collected for a moment before the rooms are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from common.limits import MEMBERS_SHOWN
from common.messages import Presence

_WAIT_SECONDS = 0.1
SHARES = 10
"""A large room, where only the number of people is told, is told a share of its sessions at a time, one with each wait: each of
them once a second, and none of the others has to wait for all of them."""


class _Changes:
    """What one room is still to be told."""

    __slots__ = ("came", "count", "due", "left", "room", "share", "untold")

    def __init__(self, room: str, due: float) -> None:
        self.room = room
        self.due = due
        self.count = 0
        self.came: set[str] = set()
        self.left: set[str] = set()
        self.share = 0
        """While the room is large: who is told next."""
        self.untold = SHARES
        """How many shares have not been told of the last change."""

    @property
    def is_large(self) -> bool:
        return self.count > MEMBERS_SHOWN

    def add(self, came: Iterable[str], left: Iterable[str], count: int) -> None:
        self.count = count
        self.untold = SHARES
        for name in came:
            self.left.discard(name)
            self.came.add(name)
        for name in left:
            self.came.discard(name)
            self.left.add(name)

    def told(self) -> Iterator[Presence]:
        """Not more names at once than a frame may hold."""
        if self.is_large or not (self.came or self.left):
            yield Presence(self.room, {"count": self.count})
            return
        came, left = sorted(self.came), sorted(self.left)
        for start in range(0, max(len(came), len(left)), MEMBERS_SHOWN):
            end = start + MEMBERS_SHOWN
            yield Presence(self.room, {"count": self.count, "joined": came[start:end], "left": left[start:end]})


class PresenceCollector:
    """The changes of all rooms; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Changes] = {}

    def add(self, conv: str, room: str, came: list[str], left: list[str], count: int, now: float) -> None:
        changes = self._rooms.get(conv)
        if changes is None:
            changes = self._rooms[conv] = _Changes(room, now + _WAIT_SECONDS)
        changes.add(came, left, count)

    def forget(self, conv: str) -> None:
        """The room has been told everything in another way."""
        self._rooms.pop(conv, None)

    def take_due(self, now: float) -> Iterator[tuple[str, int | None, Presence]]:
        """What is to be told by now: the room's conv, and which share of its sessions, out of `SHARES`; None is all of them."""
        for conv, changes in [(conv, changes) for conv, changes in self._rooms.items() if now >= changes.due]:
            share = None
            if changes.is_large:
                share = changes.share
                changes.share = (share + 1) % SHARES
                changes.due = now + _WAIT_SECONDS
                changes.untold -= 1
            if share is None or not changes.untold:
                del self._rooms[conv]
            for presence in changes.told():
                yield conv, share, presence

    def next_due(self) -> float | None:
        return min((changes.due for changes in self._rooms.values()), default=None)
