"""Who was in a room before the connection was lost, and is not there after it. They lost it, too, and come back one by one.

Times are milliseconds since 1970, and given by the caller.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple

AWAITED_MS = 20_000
"""For so long one waits for them: clients try again every ten seconds at least."""


class _Awaited(NamedTuple):
    people: Mapping[str, str]
    until: int


class Missing:
    """By room; people by their folded names."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Awaited] = {}

    def of(self, room: str) -> Mapping[str, str]:
        """Who is awaited in a room."""
        return self._rooms[room].people if room in self._rooms else {}

    def await_in(self, room: str, people: Mapping[str, str], now: int) -> None:
        """From now on these, and nobody else."""
        self.forget(room)
        if people:
            self._rooms[room] = _Awaited(people, now + AWAITED_MS)

    def forget(self, room: str) -> None:
        """One is not in the room any more oneself."""
        self._rooms.pop(room, None)

    def came(self, room: str, people: Container[str]) -> None:
        """These are in the room."""
        if awaited := self._rooms.pop(room, None):
            left = {folded: name for folded, name in awaited.people.items() if folded not in people}
            self._rooms |= {room: awaited._replace(people=left)} if left else {}

    def give_up(self, now: int) -> dict[str, Mapping[str, str]]:
        """Who is not awaited any more, by room."""
        lasts = range(now + 1, now + AWAITED_MS + 1)  # not longer either where the clock was set back
        given_up = {room: awaited.people for room, awaited in self._rooms.items() if awaited.until not in lasts}
        for room in given_up:
            del self._rooms[room]
        return given_up

    def wait(self, now: int) -> int | None:
        """After how long there is somebody to give up."""
        return min((awaited.until - now for awaited in self._rooms.values()), default=None)
