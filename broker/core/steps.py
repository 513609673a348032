"""What a request leads to, noted while it is decided, and carried out once the turn's messages are committed. Data alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from broker.core.sessions import Session
from common.log import Entry, Run
from common.routing import Item


class Tell(NamedTuple):
    """An item for one worker; `position_at` is the place in it where the position at this step belongs, if any."""

    worker: int
    item: Item
    position_at: int | None = None
    joined: Sequence[Item] = ()
    """What it says of rooms that somebody joined: to each belongs the topic that it has at this step."""


Recipients: TypeAlias = tuple[int, str, str | list[int]]
"""A worker, and to whom of its clients a message goes: all in a "room", by its conv, or "direct", by their sids."""


class Place(NamedTuple):
    """Where somebody's messages go to, and what that is called now."""

    conv: str
    name: str
    recipients: Sequence[Recipients]


@dataclasses.dataclass(slots=True, eq=False)
class Post:
    """Messages of this turn, for those who are to see them."""

    run: Run
    """Its `first` is 0 until it is in the log."""
    sender: Session
    recipients: Sequence[Recipients]

    def entry(self, ref: int) -> Entry:
        """The message with this ref. Its id means nothing before it is in the log."""
        return self.run.entry(ref - self.run.ref)


class Repeat(NamedTuple):
    """A message that is in the log already, or is about to be by an earlier step of this turn."""

    first: Entry | Post
    ref: int
    sender: Session


class NewTopic(NamedTuple):
    """What the step before has posted is the topic of its room, once it is in the log."""

    post: Post


Step: TypeAlias = Tell | Post | Repeat | NewTopic
