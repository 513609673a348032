"""Who comes to rooms and who leaves them, collected for a moment before the rooms are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from common.limits import MEMBERS_SHOWN
from common.messages import Presence

_SMALL_ROOM_SECONDS = 0.1
_LARGE_ROOM_SECONDS = 1.0
"""Where only the number of people is told."""


class _Changes:
    """What one room is still to be told."""

    __slots__ = ("came", "count", "due", "left", "room")

    def __init__(self, room: str, due: float) -> None:
        self.room = room
        self.due = due
        self.count = 0
        self.came: set[str] = set()
        self.left: set[str] = set()

    def add(self, came: Iterable[str], left: Iterable[str], count: int) -> None:
        self.count = count
        for name in came:
            self.left.discard(name)
            self.came.add(name)
        for name in left:
            self.came.discard(name)
            self.left.add(name)

    def told(self) -> Iterator[Presence]:
        """Not more names at once than a frame may hold."""
        if self.count > MEMBERS_SHOWN or not (self.came or self.left):
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
            wait = _SMALL_ROOM_SECONDS if count <= MEMBERS_SHOWN else _LARGE_ROOM_SECONDS
            changes = self._rooms[conv] = _Changes(room, now + wait)
        changes.add(came, left, count)

    def forget(self, conv: str) -> None:
        """The room has been told everything in another way."""
        self._rooms.pop(conv, None)

    def take_due(self, now: float) -> Iterator[tuple[str, Presence]]:
        """What is to be told by now, by conv."""
        for conv in [conv for conv, changes in self._rooms.items() if now >= changes.due]:
            for presence in self._rooms.pop(conv).told():
                yield conv, presence

    def next_due(self) -> float | None:
        return min((changes.due for changes in self._rooms.values()), default=None)
