"""Every error that one side of a connection may tell the other: one code, one sentence, and what it means for both.

The table in `docs/protocol.md` is checked against this one.
"""

from __future__ import annotations

import enum
import math
import re
from typing import NamedTuple


class Code(enum.StrEnum):
    """The documented codes of `error` frames; the value is what goes over the wire."""

    # The connection cannot go on: the error is followed by `bye`.
    FRAME_TOO_LARGE = "frame_too_large"
    BAD_ENCODING = "bad_encoding"
    BAD_VERSION = "bad_version"
    LOGIN_TIMEOUT = "login_timeout"
    TLS_REQUIRED = "tls_required"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    # The request is refused, the connection goes on.
    EMPTY_FRAME = "empty_frame"
    BAD_MESSAGE = "bad_message"
    UNKNOWN_TYPE = "unknown_type"
    NOT_LOGGED_IN = "not_logged_in"
    ALREADY_LOGGED_IN = "already_logged_in"
    BAD_NAME = "bad_name"
    RESERVED_NAME = "reserved_name"
    NAME_TAKEN = "name_taken"
    NAME_CONFUSABLE = "name_confusable"
    BAD_TOKEN = "bad_token"
    BAD_RESUME = "bad_resume"
    BAD_ROOM = "bad_room"
    ROOM_CONFUSABLE = "room_confusable"
    ROOM_FULL = "room_full"
    TOO_MANY_ROOMS = "too_many_rooms"
    NOT_IN_ROOM = "not_in_room"
    NO_SUCH_USER = "no_such_user"
    NO_SUCH_CONVERSATION = "no_such_conversation"
    EMPTY_TEXT = "empty_text"
    TOO_LONG = "too_long"
    ID_REUSED = "id_reused"
    OUT_OF_ORDER = "out_of_order"
    # The request is refused now, and may be tried again as it is.
    STORAGE_FULL = "storage_full"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    BUSY = "busy"
    RATE_LIMITED = "rate_limited"


class Meaning(NamedTuple):
    """What a code stands for, and how the two sides go on after it."""

    sentence: str
    closes: bool = False
    """The server closes the connection after it."""
    passing: bool = False
    """The same request may succeed later: a client repeats it by itself."""


MEANINGS: dict[Code, Meaning] = {
    Code.FRAME_TOO_LARGE: Meaning("a frame is longer than the limit", closes=True),
    Code.BAD_ENCODING: Meaning("a frame does not hold one well-formed msgpack value within the limits", closes=True),
    Code.BAD_VERSION: Meaning("this server speaks another version of the protocol", closes=True),
    Code.LOGIN_TIMEOUT: Meaning("no hello came in time", closes=True),
    Code.TLS_REQUIRED: Meaning("this address takes encrypted connections only: begin with TLS", closes=True),
    Code.TOO_MANY_CONNECTIONS: Meaning("the server, or your address, has as many connections as it may have", closes=True),
    Code.TOO_MANY_ATTEMPTS: Meaning("too many hellos were refused on this connection", closes=True),
    Code.EMPTY_FRAME: Meaning("a frame of length 0"),
    Code.BAD_MESSAGE: Meaning("a message does not have the documented shape"),
    Code.UNKNOWN_TYPE: Meaning("there is no message of this type"),
    Code.NOT_LOGGED_IN: Meaning("say hello first"),
    Code.ALREADY_LOGGED_IN: Meaning("this connection has said hello already"),
    Code.BAD_NAME: Meaning("not a valid name"),
    Code.RESERVED_NAME: Meaning("this name is reserved"),
    Code.NAME_TAKEN: Meaning("this name belongs to somebody else"),
    Code.NAME_CONFUSABLE: Meaning("this name looks like another one that is taken or reserved"),
    Code.BAD_TOKEN: Meaning("the token is not one of this server's, or has expired"),
    Code.BAD_RESUME: Meaning("the cursor belongs to another log, or lies beyond this one's end"),
    Code.BAD_ROOM: Meaning("not a valid room name"),
    Code.ROOM_CONFUSABLE: Meaning("this room's name looks like that of another one with people in it"),
    Code.ROOM_FULL: Meaning("as many people are in the room as may be"),
    Code.TOO_MANY_ROOMS: Meaning("you are in as many rooms as you may be, with all your connections"),
    Code.NOT_IN_ROOM: Meaning("join the room first"),
    Code.NO_SUCH_USER: Meaning("nobody has this name"),
    Code.NO_SUCH_CONVERSATION: Meaning("there is no such conversation, or it is not yours"),
    Code.EMPTY_TEXT: Meaning("a message needs a text"),
    Code.TOO_LONG: Meaning("the text is longer than the limit"),
    Code.ID_REUSED: Meaning("this ref was used for another message already"),
    Code.OUT_OF_ORDER: Meaning("the message that this one follows was not accepted"),
    Code.STORAGE_FULL: Meaning("the server's disk is full", passing=True),
    Code.STORAGE_UNAVAILABLE: Meaning("the server cannot write its log", passing=True),
    Code.BUSY: Meaning("the server cannot answer now", passing=True),
    Code.RATE_LIMITED: Meaning("too many messages at once: send it again after the wait that the text ends with", passing=True),
}

PASSING: frozenset[str] = frozenset(code for code, meaning in MEANINGS.items() if meaning.passing)


class Reason(enum.StrEnum):
    """Why a connection ends: the `reason` of a `bye` frame."""

    BYE = "bye"
    SHUTDOWN = "shutdown"
    ERROR = "error"
    IDLE = "idle"


_WAIT = re.compile(r" wait ([0-9]{1,6}) s$")


def in_so_long(text: str, seconds: float) -> str:
    """A text that ends with how long to wait, in whole seconds, one at least."""
    return f"{text}, wait {max(1, math.ceil(seconds))} s"


def wait_in(text: str) -> int | None:
    """How long to wait (seconds), if the text of an error ends with that."""
    told = _WAIT.search(text)
    return int(told[1]) if told else None


class Refused(Exception):
    """A request is refused: what to tell whoever asked. Raised inside of a side, never across the wire."""

    def __init__(self, code: Code, text: str = "", ref: int | None = None) -> None:
        super().__init__(text or MEANINGS[code].sentence)
        self.code = code
        self.text = text or MEANINGS[code].sentence
        self.ref = ref

    @property
    def closes(self) -> bool:
        return MEANINGS[self.code].closes
