"""What a `common.client_protocol.ClientProtocol` tells its shell. Some of the server's replies are events as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from common import messages as m


class Welcomed(NamedTuple):
    """The token is to be stored before `token_kept` is called. `afresh`: what was shown before may miss something."""

    name: str
    identity: str
    token: str
    afresh: bool
    refused: dict[str, str]
    """Rooms that could not be joined again, with the code that says why."""
    cursor: int
    """What is delivered from here on has greater ids."""
    shown: str | None = None
    """The token by which the server knew who one is; None for somebody new."""
    late: tuple[str, ...] = ()
    """Rooms that were not in the hello, and are joined now: of those that one was in before, what was missed is not delivered."""


class NameRefused(NamedTuple):
    """The connection stays; `choose_name` tries another."""

    name: str
    code: str
    text: str


class Topic(NamedTuple):
    """What a room is about at some place in the log; without a text it has no topic."""

    text: str = ""
    by: str = ""
    """Who set it: their name at that time."""
    time_ms: int = 0
    at: int = 0
    """The id up to which this is so: messages with greater ones may set another, those up to there are history."""


class RoomJoined(NamedTuple):
    room: str
    conv: str
    position: int
    """What is live has greater ids; older ones come as pages."""
    people: int
    """How many are in the room; `members` has the first of them."""
    members: list[str]
    away: Sequence[str] = ()
    """Who of the members is away."""
    topic: Topic = Topic()


class JoinRefused(NamedTuple):
    """One cannot be in a room that was asked for, and it is not asked for again."""

    room: str
    code: str
    text: str


class RoomParted(NamedTuple):
    room: str


class Delivered(NamedTuple):
    """A message of the live stream or of the replay. Its id is greater than that of every `Delivered` before it."""

    message: m.Msg


class Acknowledged(NamedTuple):
    """One's own message is in the log. Comes before its `Delivered`, or instead of it when that came earlier."""

    ref: int
    message: m.Msg


class SendFailed(NamedTuple):
    """One's own message was refused for good, and is no longer in the outbox."""

    ref: int
    to: str
    body: str
    code: str
    text: str


class SendDelayed(NamedTuple):
    """The server cannot take one's own message now (its disk is full, say). It stays in the outbox, and waits for `retry`."""

    ref: int
    code: str
    text: str


class AwayRefused(NamedTuple):
    """What was said of being away was refused for good."""

    code: str
    text: str
    away: str
    """What holds again: why one is away, empty if one is not."""


class AwayDelayed(NamedTuple):
    """The server cannot take now what was said of being away. It is said again by `retry`."""

    code: str
    text: str


class RequestFailed(NamedTuple):
    """Another request was refused."""

    ref: int | None
    code: str
    text: str


class CaughtUp(NamedTuple):
    """The replay is complete: all that was missed has been delivered."""

    id: int


class Closed(NamedTuple):
    """The server said goodbye."""

    reason: str
    text: str


class Broken(NamedTuple):
    """What the server sent cannot be understood: the connection must be closed, and may be tried again later."""

    text: str


Event: TypeAlias = (
    Welcomed
    | NameRefused
    | RoomJoined
    | JoinRefused
    | RoomParted
    | Delivered
    | Acknowledged
    | SendFailed
    | SendDelayed
    | AwayRefused
    | AwayDelayed
    | RequestFailed
    | CaughtUp
    | Closed
    | Broken
    | m.Page
    | m.MemberList
    | m.RoomList
    | m.Presence
    | m.Away
    | m.Whois
    | m.IsTyping
    | m.Pong
)
