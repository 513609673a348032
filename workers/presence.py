"""Who comes to rooms and who leaves them, who goes away and is back, collected for a moment before the rooms are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from common.limits import MEMBERS_SHOWN
from common.messages import Options, Presence

_WAIT_SECONDS = 0.1
_AT_ONCE = MEMBERS_SHOWN * 2 // 5
"""Names in each list of a frame, which has four of them, and one of pairs."""
SHARES = 10
"""A large room, where only the number of people is told, is told a share of its sessions at a time, one with each wait: each of
them once a second, and none of the others has to wait for all of them."""


class _Changes:
    """What one room is still to be told."""

    __slots__ = ("away", "back", "came", "count", "due", "former", "left", "room", "share", "untold")

    def __init__(self, room: str, due: float) -> None:
        self.room = room
        self.due = due
        self.count = 0
        self.came: set[str] = set()
        self.left: set[str] = set()
        self.former: dict[str, str] = {}
        """By which names those went who came."""
        self.away: set[str] = set()
        self.back: set[str] = set()
        self.share = 0
        """While the room is large: who is told next."""
        self.untold = SHARES
        """How many shares have not been told of the last change."""

    @property
    def is_large(self) -> bool:
        return self.count > MEMBERS_SHOWN

    def add(self, came: Iterable[str], left: Iterable[str], count: int, former: Mapping[str, str]) -> None:
        self.count = count
        self.untold = SHARES
        for name in came:
            self.former.pop(name, None)  # whoever came by it a moment ago may have been somebody else
        self.former.update(former)
        _move(came, self.left, self.came)
        _move(left, self.came, self.left)
        for turned in (self.away, self.back):
            turned.difference_update(came, left)  # who comes is not away unless that is told of behind it

    def turn(self, away: Iterable[str], back: Iterable[str], count: int) -> None:
        self.count = count
        _move(away, self.back, self.away)
        _move(back, self.away, self.back)

    def _former(self, name: str) -> str | None:
        """By which name whoever came went before all this, also if they went by others in between; None if it is in use here."""
        passed = {name}
        former = self.former.get(name)
        while former in self.former and former not in self.came and former not in passed:
            passed.add(former)
            former = self.former[former]
        return None if former in self.came else former

    def told(self) -> Iterator[Presence]:
        """Not more names at once than a frame may hold.

        Who comes is not away unless the same frame or a later one says so: who is away is told when all who come are.
        """
        moved, turned = [sorted(self.came), sorted(self.left)], [sorted(self.away), sorted(self.back)]
        moves, turns = max(map(len, moved)), max(map(len, turned))
        if self.is_large or not (moves or turns):
            yield Presence(self.room, {"count": self.count})
            return
        last = max(moves - 1, 0) // _AT_ONCE * _AT_ONCE
        for start in range(0, max(moves, last + turns), _AT_ONCE):
            came, left = (_part(names, start) for names in moved)
            options: Options = {"count": self.count, "joined": came, "left": left}
            if renamed := [[former, name] for name in came if (former := self._former(name)) is not None]:
                options["renamed"] = renamed
            if turns:
                options["away"], options["back"] = (_part(names, start - last) for names in turned)
            yield Presence(self.room, options)


def _part(names: list[str], start: int) -> list[str]:
    """As many as a frame may hold; none where it is not their turn yet."""
    return names[start : start + _AT_ONCE] if start >= 0 else []


def _move(names: Iterable[str], before: set[str], to: set[str]) -> None:
    before.difference_update(names)
    to.update(names)


class PresenceCollector:
    """The changes of all rooms; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Changes] = {}

    def add(
        self, conv: str, room: str, came: list[str], left: list[str], count: int, former: Mapping[str, str], now: float
    ) -> None:
        self._changes(conv, room, now).add(came, left, count, former)

    def turn(self, conv: str, room: str, away: list[str], back: list[str], count: int, now: float) -> None:
        self._changes(conv, room, now).turn(away, back, count)

    def _changes(self, conv: str, room: str, now: float) -> _Changes:
        changes = self._rooms.get(conv)
        if changes is None:
            changes = self._rooms[conv] = _Changes(room, now + _WAIT_SECONDS)
        return changes

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
