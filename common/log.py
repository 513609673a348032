"""What the log holds: shared by the broker, which writes it, and the workers, which read it.

It holds messages. Those that one sender writes to one conversation without a pause are a run: their ids follow each other,
and so do their refs. Where there are many messages there are long runs, so what is done once for each run is nearly free.

How that stands in a file is in `common.log_file`. `broker.storage` writes it, `workers.log_reader` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        options = _options(self.conv, self.identity, self.topic)
        if again:
            options["again"] = True
        return Msg(self.id, self.time_ms, self.to, self.sender, self.ref, self.text, options)


def _options(conv: str, identity: str, topic: bool) -> m.Options:
    options: m.Options = {"conv": conv, "from": identity}
    if topic:
        options["topic"] = True
    return options


make_entry: Callable[[tuple[int, int, str, str, str, str, int, str, bool]], Entry] = partial(tuple.__new__, Entry)
"""Makes an entry in little more than half the time that the class itself needs."""

RUN_MESSAGES = 64
"""A run has at most so many messages: so much is read to get at one of them.

Logs hold runs of this length, and who reads them goes by it: with a smaller number messages would not be found.
"""
RUN_CHARS = 16_384
"""Nor does it go on once its texts have so many characters."""


class Run(NamedTuple):
    """Messages of the log, or for it: what they have in common, and their texts."""

    first: int
    """The id of the first of them; the others' follow. 0 while they are not in the log."""
    time_ms: int
    conv: str
    to: str
    sender: str
    identity: str
    ref: int
    """That of the first; the others' follow, and all are of one instance."""
    texts: Sequence[str]
    """One to `RUN_MESSAGES` of them, each cleaned (`common.text.clean`)."""
    topic: bool = False

    @property
    def last(self) -> int:
        """The id of the last of them."""
        return self.first + len(self.texts) - 1

    @property
    def last_ref(self) -> int:
        return self.ref + len(self.texts) - 1

    def entry(self, place: int) -> Entry:
        """The message at this place in the run, from 0 on."""
        first, time_ms, conv, to, sender, identity, ref, texts, topic = self
        return make_entry((first + place, time_ms, conv, to, sender, identity, ref + place, texts[place], topic))

    def entries(self) -> list[Entry]:
        return [self.entry(place) for place in range(len(self.texts))]

    def frames(self) -> bytes:
        """The messages as they go over the wire, one behind the other."""
        first, time_ms, conv, to, sender, identity, ref, texts, topic = self
        options = _options(conv, identity, topic)
        return b"".join(
            [
                codec.encode(("msg", first + place, time_ms, to, sender, ref + place, text, options))
                for place, text in enumerate(texts)
            ]
        )


make_run: Callable[[tuple[int, int, str, str, str, str, int, Sequence[str], bool]], Run] = partial(tuple.__new__, Run)
"""The same for a run."""


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
