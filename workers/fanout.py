"""What one turn of a worker's loop brings each connection: one buffer, in the order of ids, shared where it is the same.

The cost is per connection and turn, not per delivered message: a thousand people in a room to whom a turn brings fifty
messages get the same fifty-message buffer, put together once.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from common.framing import ends

NO_ID = 0
"""Stands with frames that are no live messages: answers, presence."""

Part: TypeAlias = tuple[int, bytes]
"""The frames of messages whose ids follow each other, one behind the other, and the last of these ids; or one other frame."""
_Placed: TypeAlias = tuple[int, int, bytes]
"""A part with its place in the turn before it."""


class Delivery(NamedTuple):
    """One buffer for a group of sessions."""

    data: bytes
    parts: list[Part]
    """What the data consists of."""
    sids: Iterable[int]
    base: int
    """The id up to which these sessions were sent everything before."""


class Remainder(NamedTuple):
    """What is still to be written of a delivery that the connection did not take whole."""

    data: bytes
    cursor: int | None
    """The id after which the connection goes on from the log; None if it stays live."""


def remainder(delivery: Delivery, taken: int, room: int) -> Remainder:
    """The rest behind the `taken` bytes if it is at most `room` bytes long.

    Otherwise the frame that is next, or was begun, and the answers: the messages behind it are left out, since the connection
    goes on from the log later. That is so also where no message stands behind it: one that does not read must not stay live,
    or all who come and go would be kept for it. Frames are never cut, and something is always kept, which shows that the
    connection is blocked.
    """
    if len(delivery.data) - taken <= room:
        return Remainder(delivery.data[taken:], None)
    kept: list[bytes] = []
    cursor = delivery.base
    at = 0
    for last, frames in delivery.parts:
        start, at = at, at + len(frames)
        if at <= taken:
            cursor = last or cursor
        elif last == NO_ID:
            kept.append(frames[max(taken - start, 0) :])
        elif start <= taken:
            until = ends(frames)
            next = bisect.bisect_right(until, taken - start)
            kept.append(frames[taken - start : until[next]])
            cursor = last - len(until) + next + 1
    return Remainder(b"".join(kept), cursor)


class Turn:
    """Collects what a turn brings, in the order in which it happens, and groups it at the end."""

    def __init__(self) -> None:
        self._place = 0
        self._rooms: defaultdict[str, list[_Placed]] = defaultdict(list)
        self._own: defaultdict[int, list[_Placed]] = defaultdict(list)
        self._since: dict[tuple[int, str], int] = {}
        """For who came into a room during the turn: the place from which on the room's parts are theirs."""

    def to_room(self, conv: str, ids: Sequence[int], frames: Sequence[bytes]) -> None:
        """Parts for all live sessions in the room: the id and the frames of each."""
        self._rooms[conv] += self._placed(ids, frames)

    def to_session(self, sid: int, ids: Sequence[int], frames: Sequence[bytes]) -> None:
        """Parts for one session."""
        self._own[sid] += self._placed(ids, frames)

    def _placed(self, ids: Sequence[int], frames: Sequence[bytes]) -> Iterable[_Placed]:
        first = self._place + 1
        self._place += len(ids)
        return zip(range(first, first + len(ids)), ids, frames, strict=True)

    def entered(self, sid: int, conv: str) -> None:
        """The session is in the room from here on."""
        if conv in self._rooms:
            self._since[sid, conv] = self._place

    def left(self, sid: int, conv: str) -> None:
        """The session is in the room up to here."""
        if conv in self._rooms:
            self._own[sid] += self._parts_since(sid, conv)
            self._since.pop((sid, conv), None)

    def closed(self, sid: int) -> None:
        self._own.pop(sid, None)

    def deliveries(self, live: Mapping[str, Iterable[int]], base: int) -> Iterator[Delivery]:
        """Ends the turn. `live` are the sessions in each room that take part in the live stream, `base` what they all have."""
        touched: dict[int, list[str]] = {}
        for conv in self._rooms:
            for sid in live.get(conv, ()):
                touched.setdefault(sid, []).append(conv)
        apart = self._own.keys() | {sid for sid, _ in self._since}
        groups: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for sid, convs in touched.items():
            if sid not in apart:
                groups[tuple(convs)].append(sid)
        for together, sids in groups.items():
            yield _delivery([part for conv in together for part in self._rooms[conv]], sids, base)
        for sid in apart:
            parts = [part for conv in touched.get(sid, ()) for part in self._parts_since(sid, conv)]
            if own := self._own.get(sid, []) + parts:
                yield _delivery(own, [sid], base)

    def _parts_since(self, sid: int, conv: str) -> list[_Placed]:
        since = self._since.get((sid, conv), 0)
        return [part for part in self._rooms[conv] if part[0] > since]


def _delivery(placed: list[_Placed], sids: list[int], base: int) -> Delivery:
    placed.sort()
    return deliver([(id, frames) for _, id, frames in placed], sids, base)


def deliver(parts: list[Part], sids: Iterable[int], base: int) -> Delivery:
    """These parts, in their order, for these sessions."""
    return Delivery(b"".join([frames for _, frames in parts]), parts, sids, base)
