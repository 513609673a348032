"""What a request leads to, noted while it is decided, and carried out once the turn's messages are committed. Data alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from broker.core.sessions import Session
from broker.log import Draft
from common.log import Entry
from common.routing import Item


class Tell(NamedTuple):
    """An item for one worker; `position_at` is the place in it where the position at this step belongs, if any."""

    worker: int
    item: Item
    position_at: int | None = None


class Post:
    """A message of this turn, for those who are to see it."""

    __slots__ = ("draft", "entry", "sender", "sessions", "workers")

    def __init__(self, draft: Draft, sender: Session, workers: Iterable[int], sessions: Iterable[Session]) -> None:
        self.draft = draft
        self.sender = sender
        self.workers = workers
        """For a room: the workers with people in it."""
        self.sessions = sessions
        """For a direct conversation: the connections of both."""
        self.entry: Entry | None = None
        """The message in the log, once it is there."""


class Repeat(NamedTuple):
    """A message that is in the log already, or is about to be by an earlier step of this turn."""

    first: Entry | Post
    ref: int
    sender: Session


Step: TypeAlias = Tell | Post | Repeat
