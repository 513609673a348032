"""The messages of the wire: one class each, and the tables that both sides parse them by.

A message is an array: its tag, its positional fields, and for most a last map of options. `docs/protocol.md` is the
contract; its examples are checked against this module. Whether a message makes sense *now* is not decided here.

Adding one: a class, its line in `REQUESTS` or `REPLIES`, its section in `docs/protocol.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from common import codec
from common.errors import Code, Refused

VERSION = 1
LOBBY = "#lobby"
COUNTER_BITS = 32
REF_MAX = 2**64 - 1
ID_MAX = 2**63 - 1

Options: TypeAlias = dict[str, Any]
Ref: TypeAlias = int
"""Chosen by the client, 0 to 2**64-1. In `Send`: the instance in the upper 32 bits, a rising counter in the lower."""
Row: TypeAlias = list[Any]
"""A message as it stands in a page: the fields of `Msg` in their order."""


def make_ref(instance: int, counter: int) -> Ref:
    return instance << COUNTER_BITS | counter


def split_ref(ref: Ref) -> tuple[int, int]:
    """The instance and the counter of a ref."""
    return ref >> COUNTER_BITS, ref & (1 << COUNTER_BITS) - 1


def is_room(to: str) -> bool:
    return to.startswith("#")


# --- from the client --------------------------------------------------------------------------------------------------


class Hello(NamedTuple):
    """The first request: who I am. Options: `after`, `log`, `rooms`, `token`."""

    ref: Ref
    version: int
    name: str
    options: Options


class Join(NamedTuple):
    ref: Ref
    room: str
    options: Options


class Part(NamedTuple):
    ref: Ref
    room: str
    options: Options


class Send(NamedTuple):
    """A message for a room or a person. Options: `conv` (decides over `to`), `prev` (a counter of this instance).

    With `topic` it sets the room's topic, which is one line; an empty text clears it.
    """

    ref: Ref
    to: str
    text: str
    options: Options


class History(NamedTuple):
    """Older messages of a conversation. Options: `before` (exclusive id), `limit`, `conv`."""

    ref: Ref
    to: str
    options: Options


class Members(NamedTuple):
    """Who is in a room, in the order of their names. Options: `after` (a name, exclusive), `limit`."""

    ref: Ref
    room: str
    options: Options


class Rooms(NamedTuple):
    """Which public rooms have people in them. Options: `after` (a room, exclusive), `limit`."""

    ref: Ref
    options: Options


class Away(NamedTuple):
    """I am away, on all of my connections; with an empty text: I am back. Also the answer, with the text as it is kept.

    Without a ref the server tells so by itself: it has been said, on whichever connection.
    """

    ref: Ref | None
    text: str
    options: Options


class Whois(NamedTuple):
    """What there is to know about somebody. Also the answer, with the name as it is written.

    Its options: `from`; `devices` (connections, 0 if they are not here) and `since`; `seen` if they are not here; `away` (why,
    if they are); `rooms` that the asker is in, too, and `more` if there are more than can be told.
    """

    ref: Ref
    name: str
    options: Options


class Typing(NamedTuple):
    """I am writing something. Never answered, and told on only where that is cheap. Options: `conv` (decides over `to`)."""

    ref: Ref
    to: str
    options: Options


class Ping(NamedTuple):
    ref: Ref


class Pong(NamedTuple):
    ref: Ref


class Bye(NamedTuple):
    ref: Ref


# --- from the server --------------------------------------------------------------------------------------------------


class Welcome(NamedTuple):
    """Options: `from`, `last`, `log`, `token`, `server`, `limits`, `refused` (a map of room to code), `away` (of who is here
    on another connection, too).
    """

    ref: Ref
    name: str
    options: Options


class Joined(NamedTuple):
    """Options: `last` (the position: what is live has greater ids), `count`, `members`, `away` (of the members), `conv`.

    Of a room that has one: its `topic` at that position, `topic_by` (a name) and `topic_ms`.
    """

    ref: Ref
    room: str
    options: Options


class Parted(NamedTuple):
    ref: Ref
    room: str


class Msg(NamedTuple):
    """A committed message. Options: `conv`, `from`, `topic` if it sets the room's, and `again` on the answer to a repeat."""

    id: int
    time_ms: int
    to: str
    sender: str
    ref: Ref
    text: str
    options: Options


class Resumed(NamedTuple):
    """The replay is complete up to `id`; what follows is live."""

    ref: Ref
    id: int


class Page(NamedTuple):
    """Oldest first. Options: `more` (older ones exist), `conv`."""

    ref: Ref
    to: str
    rows: list[Row]
    options: Options


class MemberList(NamedTuple):
    """Options: `count` (of all), `more`."""

    ref: Ref
    room: str
    names: list[str]
    options: Options


class RoomList(NamedTuple):
    """Pairs of a room and its number of members. Options: `more`."""

    ref: Ref
    rooms: list[list[Any]]
    options: Options


class Presence(NamedTuple):
    """What changed in a room since the last one. Options: `joined`, `left`, `renamed`, `away`, `back`, `count`, `members`."""

    room: str
    options: Options


class IsTyping(NamedTuple):
    """Somebody is writing something. Options: `conv`, `from`."""

    to: str
    sender: str
    options: Options


class Goodbye(NamedTuple):
    """The last frame before the server closes."""

    reason: str
    text: str


class Error(NamedTuple):
    """`ref` is None where no request caused it."""

    ref: Ref | None
    code: str
    text: str


Request: TypeAlias = Hello | Join | Part | Send | History | Members | Rooms | Away | Whois | Typing | Ping | Pong | Bye
Reply: TypeAlias = (
    Welcome
    | Joined
    | Parted
    | Msg
    | Resumed
    | Page
    | MemberList
    | RoomList
    | Presence
    | Away
    | Whois
    | IsTyping
    | Ping
    | Pong
    | Goodbye
    | Error
)

# --- shapes -----------------------------------------------------------------------------------------------------------


def _is_ref(value: object) -> bool:
    return type(value) is int and 0 <= value <= REF_MAX


def _is_id(value: object) -> bool:
    return type(value) is int and 0 <= value <= ID_MAX


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value <= ID_MAX


def _is_counter(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << COUNTER_BITS


def _is_str(value: object) -> bool:
    return type(value) is str


def _is_bool(value: object) -> bool:
    return type(value) is bool


def _is_names(value: object) -> bool:
    return type(value) is list and all(type(item) is str for item in value)


def _is_map(value: object) -> bool:
    return type(value) is dict


def _is_limits(value: object) -> bool:
    return type(value) is dict and all(_is_count(value.get(key, 1)) for key in ("text_bytes", "topic_bytes"))


def _is_maybe_ref(value: object) -> bool:
    return value is None or _is_ref(value)


def _is_codes(value: object) -> bool:
    return type(value) is dict and all(type(code) is str for code in value.values())


def _is_rows(value: object) -> bool:
    return type(value) is list and all(_is_row(row) for row in value)


def _is_row(row: object) -> bool:
    shape = REPLIES["msg"]
    return (
        type(row) is list
        and len(row) == len(shape.checks)
        and all(check(field) for check, field in zip(shape.checks, row, strict=True))
        and not shape.bad_options(row[-1])
    )


def _is_name_pairs(value: object) -> bool:
    return type(value) is list and all(_is_names(pair) and len(pair) == 2 for pair in value)


def _is_room_counts(value: object) -> bool:
    return type(value) is list and all(
        type(pair) is list and len(pair) == 2 and _is_str(pair[0]) and _is_id(pair[1]) for pair in value
    )


Check: TypeAlias = Callable[[object], bool]


class Shape(NamedTuple):
    """How one kind of message is checked and built. A last map may be left out when it would be empty."""

    build: Callable[..., Any]
    checks: tuple[Check, ...]
    options: Mapping[str, Check] | None = None
    """The known keys of the last map; unknown ones are ignored. None: this message has no map."""

    def bad_options(self, given: Options) -> list[str]:
        """The known keys whose values are not what they should be."""
        known = self.options or {}
        return [key for key, value in given.items() if key in known and not known[key](value)]


REQUESTS: dict[str, Shape] = {
    "hello": Shape(
        Hello,
        (_is_ref, _is_ref, _is_str, _is_map),
        {"after": _is_id, "log": _is_str, "rooms": _is_names, "token": _is_str},
    ),
    "join": Shape(Join, (_is_ref, _is_str, _is_map), {}),
    "part": Shape(Part, (_is_ref, _is_str, _is_map), {}),
    "send": Shape(Send, (_is_ref, _is_str, _is_str, _is_map), {"conv": _is_str, "prev": _is_counter, "topic": _is_bool}),
    "history": Shape(History, (_is_ref, _is_str, _is_map), {"before": _is_id, "limit": _is_count, "conv": _is_str}),
    "members": Shape(Members, (_is_ref, _is_str, _is_map), {"after": _is_str, "limit": _is_count}),
    "rooms": Shape(Rooms, (_is_ref, _is_map), {"after": _is_str, "limit": _is_count}),
    "away": Shape(Away, (_is_ref, _is_str, _is_map), {}),
    "whois": Shape(Whois, (_is_ref, _is_str, _is_map), {}),
    "typing": Shape(Typing, (_is_ref, _is_str, _is_map), {"conv": _is_str}),
    "ping": Shape(Ping, (_is_ref,)),
    "pong": Shape(Pong, (_is_ref,)),
    "bye": Shape(Bye, (_is_ref,)),
}

REPLIES: dict[str, Shape] = {
    "welcome": Shape(
        Welcome,
        (_is_ref, _is_str, _is_map),
        {
            "from": _is_str,
            "last": _is_id,
            "log": _is_str,
            "token": _is_str,
            "server": _is_str,
            "limits": _is_limits,
            "refused": _is_codes,
            "away": _is_str,
        },
    ),
    "joined": Shape(
        Joined,
        (_is_ref, _is_str, _is_map),
        {
            "last": _is_id,
            "count": _is_id,
            "members": _is_names,
            "away": _is_names,
            "conv": _is_str,
            "topic": _is_str,
            "topic_by": _is_str,
            "topic_ms": _is_id,
        },
    ),
    "parted": Shape(Parted, (_is_ref, _is_str)),
    "msg": Shape(
        Msg,
        (_is_id, _is_id, _is_str, _is_str, _is_ref, _is_str, _is_map),
        {"conv": _is_str, "from": _is_str, "topic": _is_bool, "again": _is_bool},
    ),
    "resumed": Shape(Resumed, (_is_ref, _is_id)),
    "page": Shape(Page, (_is_ref, _is_str, _is_rows, _is_map), {"more": _is_bool, "conv": _is_str}),
    "members": Shape(MemberList, (_is_ref, _is_str, _is_names, _is_map), {"count": _is_id, "more": _is_bool}),
    "rooms": Shape(RoomList, (_is_ref, _is_room_counts, _is_map), {"more": _is_bool}),
    "presence": Shape(
        Presence,
        (_is_str, _is_map),
        {
            "joined": _is_names,
            "left": _is_names,
            "renamed": _is_name_pairs,
            "away": _is_names,
            "back": _is_names,
            "count": _is_id,
            "members": _is_names,
        },
    ),
    "away": Shape(Away, (_is_maybe_ref, _is_str, _is_map), {}),
    "whois": Shape(
        Whois,
        (_is_ref, _is_str, _is_map),
        {
            "from": _is_str,
            "devices": _is_id,
            "since": _is_id,
            "seen": _is_id,
            "away": _is_str,
            "rooms": _is_names,
            "more": _is_bool,
        },
    ),
    "typing": Shape(IsTyping, (_is_str, _is_str, _is_map), {"conv": _is_str, "from": _is_str}),
    "ping": Shape(Ping, (_is_ref,)),
    "pong": Shape(Pong, (_is_ref,)),
    "bye": Shape(Goodbye, (_is_str, _is_str)),
    "error": Shape(Error, (_is_maybe_ref, _is_str, _is_str)),
}

_TAGS: dict[type, str] = {shape.build: tag for table in (REQUESTS, REPLIES) for tag, shape in table.items()}  # type: ignore[misc]


def read_request(body: bytes) -> list[Any]:
    """What a client says in one frame, checked: tag and fields, the first of which is the ref, options included.

    Raises `Refused`, with the request's ref where it can be told.
    """
    value = codec.decode(body)
    if not _is_right_send(value):
        _check(value, REQUESTS)
    return value  # type: ignore[no-any-return]


def parse_reply(body: bytes) -> Reply | None:
    """What the server says in one frame; None if its tag is not known here (a newer server's). Raises `Refused`."""
    value = codec.decode(body)
    if type(value) is list and value and type(value[0]) is str and value[0] not in REPLIES:
        return None
    _check(value, REPLIES)
    tag, *fields = value
    return REPLIES[tag].build(*fields)  # type: ignore[no-any-return]


def _is_right_send(value: Any) -> bool:
    """Tells at once what nearly every request is. It says no more than the table does: what it denies is looked up there."""
    return (
        type(value) is list
        and len(value) == 5
        and value[0] == "send"
        and type(value[1]) is int
        and value[1] >= 0
        and type(value[2]) is str
        and type(value[3]) is str
        and type(value[4]) is dict
        and (
            not value[4]
            or (_is_str(value[4].get("conv", "")) and _is_counter(value[4].get("prev", 0)) and "topic" not in value[4])
        )
    )


def _check(value: Any, shapes: Mapping[str, Shape]) -> None:
    """Raises `Refused` unless the value is a message of these. A map that was left out is added."""
    if type(value) is not list or not value or type(value[0]) is not str:
        raise Refused(Code.BAD_MESSAGE, "a message is an array that begins with a string")
    tag, *fields = value
    shape = shapes.get(tag)
    if shape is None:
        raise Refused(Code.UNKNOWN_TYPE, f"there is no message {tag[:32]!r}", _ref_of(fields))
    _, checks, options = shape
    if options is not None and len(fields) == len(checks) - 1:
        value.append({})
        fields.append({})
    if len(fields) != len(checks):
        raise Refused(Code.BAD_MESSAGE, f"{tag} has {len(checks)} fields, not {len(fields)}", _ref_of(fields))
    for check, field in zip(checks, fields):  # noqa: B905 - they are equally long, and being strict costs time
        if not check(field):
            raise _wrong_field(tag, checks, fields)
    if options and fields[-1] and (bad := shape.bad_options(fields[-1])):
        raise Refused(Code.BAD_MESSAGE, f"option {bad[0]} of {tag} is not what it should be", _ref_of(fields))


def _wrong_field(tag: str, checks: Sequence[Check], fields: Sequence[Any]) -> Refused:
    position = next(n for n, (check, field) in enumerate(zip(checks, fields, strict=True), 1) if not check(field))
    return Refused(Code.BAD_MESSAGE, f"field {position} of {tag} is not what it should be", _ref_of(fields))


def _ref_of(fields: Sequence[Any]) -> Ref | None:
    """The ref of a message that is wrong, where it can be told."""
    return fields[0] if fields and _is_ref(fields[0]) else None


def encode(message: Request | Reply) -> bytes:
    """The message as one frame, length included."""
    return codec.encode((_TAGS[type(message)], *message))
