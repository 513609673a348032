"""What is known about a person: what the server tells, and what was seen here. Who asks the server is `state`'s business."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Mapping
from typing import Any

from common.names import fold
from common.text import clean_line
from urwid_client.buffers import Buffer, Kind, Said
from urwid_client.markup import because
from urwid_client.rendering import Zone, local
from urwid_client.sending import Sending


def describe(
    chat: Sending, name: str, now: int, told: Mapping[str, Any] | None = None, zone: Zone = local, as_of: int | None = None
) -> str:
    """A line about whoever goes by this name.

    `told` are the options of the server's answer, empty where it knows nobody of this name; None: it could not be asked. Then
    what was seen is `as_of` the end of the last connection, if there was one.
    """
    folded, when = fold(clean_line(name)), functools.partial(_when, now=zone(now), zone=zone)
    if told is not None:
        known = _told(told, when)
    elif as_of is not None:
        known = [f"you are not connected, so this is as of {when(as_of)}", *_seen_in(chat, folded)]
    else:
        known = ["you are not connected"]
    if folded == fold(chat.name):
        known.append("that is you")
    directs = chat.find_directs(name)
    identity = told.get("from") if told else None
    if identity is not None and any(buffer.peer not in (None, identity) for buffer in directs):
        known.append("not the one whom you have talked to under this name")
    if last := _last_said(chat.buffers, folded):
        buffer, said = last
        where = f"in {buffer.title}" if buffer.kind is Kind.ROOM else "to you"
        known.append(f"wrote last {where}, {when(said.time_ms, at='at ', on='on ')}")
    if folded in chat.ignored:
        known.append("ignored by you")
    return f"{_written(chat, name)}: {'; '.join(known)}"


def _told(told: Mapping[str, Any], when: Callable[..., str]) -> list[str]:
    """What the server says of somebody."""
    devices = told.get("devices")
    if devices is None:
        return ["nobody goes by this name"]
    if not devices:
        return [f"not here, last seen {when(told['seen'], at='at ')}" if "seen" in told else "not here"]
    since = f" since {when(told['since'])}" if "since" in told else ""
    known = [f"here{since}{f', on {devices:,} devices' if devices > 1 else ''}"]
    if away := clean_line(told.get("away", "")):
        known.append(f"away{because(away)}")
    if rooms := told.get("rooms"):
        known.append(f"in {', '.join(map(clean_line, rooms))}{' and more of your rooms' if told.get('more') else ''}")
    return known


def _rooms_with(chat: Sending, folded: str) -> list[Buffer]:
    return [buffer for buffer in chat.buffers if buffer.kind is Kind.ROOM and folded in buffer.people]


def _seen_in(chat: Sending, folded: str) -> list[str]:
    rooms = _rooms_with(chat, folded)
    return [f"in {', '.join(room.title for room in rooms)}" if rooms else "not here, as far as one sees"]


def _written(chat: Sending, name: str) -> str:
    """The name as its owner writes it, as far as that is known."""
    folded = fold(clean_line(name))
    return next((room.people[folded] for room in _rooms_with(chat, folded)), clean_line(name))


def _when(time_ms: int, now: datetime.datetime, zone: Zone, at: str = "", on: str = "") -> str:
    """A time, with the day unless that is today; behind `at` where it is a time alone, else behind `on`."""
    time = zone(time_ms)
    return f"{at}{time:%H:%M}" if time.date() == now.date() else f"{on}{time:%-d %B at %H:%M}"


def _last_said(buffers: list[Buffer], folded: str) -> tuple[Buffer, Said] | None:
    found = [
        (buffer, said)
        for buffer in buffers
        if (said := next((e for e in reversed(buffer.entries) if isinstance(e, Said) and fold(e.sender) == folded), None))
    ]
    return max(found, key=lambda pair: pair[1].time_ms, default=None)
