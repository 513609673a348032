"""What the log holds: shared by the broker, which writes it, and the workers, which read it.

How that stands in a file is in `common.log_file`. `broker.storage` writes it, `workers.log_reader` reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from common import codec
from common import messages as m
from common.messages import Msg


class Entry(NamedTuple):
    """One message of the log."""

    id: int
    time_ms: int
    conv: str
    """The conversation: a room's folded name, or a direct conversation's id (see `direct`)."""
    to: str
    """What the sender wrote to: the room's or the person's name, for showing."""
    sender: str
    """The sender's name at that time, for showing."""
    identity: str
    """Who the sender is."""
    ref: int
    """0 to 2**64-1; unique together with the identity."""
    text: str
    topic: bool = False
    """The text is the room's topic from here on; an empty one: it has none any more."""

    def as_msg(self, again: bool = False) -> Msg:
        options: m.Options = {"conv": self.conv, "from": self.identity}
        if self.topic:
            options["topic"] = True
        if again:
            options["again"] = True
        return Msg(self.id, self.time_ms, self.to, self.sender, self.ref, self.text, options)

    def frame(self, again: bool = False) -> bytes:
        """The same as it goes over the wire."""
        id, time_ms, conv, to, sender, identity, ref, text, topic = self
        options: m.Options = {"conv": conv, "from": identity}
        if topic:
            options["topic"] = True
        if again:
            options["again"] = True
        return codec.encode(("msg", id, time_ms, to, sender, ref, text, options))


make_entry: Callable[[tuple[int, int, str, str, str, str, int, str, bool]], Entry] = partial(tuple.__new__, Entry)
"""Makes an entry in little more than half the time that the class itself needs."""


class LogUnreadable(Exception):
    """The log cannot be read now; the text says why, in one line."""


DIRECT = "~"


def direct(one: str, other: str) -> str:
    """The id of the direct conversation of two identities; the same whichever comes first.

    It is derived, not drawn, so that it is known before the first message, and to any host alike.
    """
    return DIRECT.join(sorted((one, other)))


def is_direct(conv: str) -> bool:
    return DIRECT in conv


def parties(conv: str) -> tuple[str, str]:
    """The two identities of a direct conversation."""
    one, _, other = conv.partition(DIRECT)
    return one, other
