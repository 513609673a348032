"""What a request leads to, noted while it is decided, and carried out once the turn's messages are committed. Data alone."""

from __future__ import annotations

from collections.abc import Sequence
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


class Post(NamedTuple):
    """A message of this turn, for those who are to see it."""

    draft: Draft
    sender: Session
    workers: Sequence[int]
    """For a room: the workers with people in it."""
    sessions: Sequence[Session]
    """For a direct conversation: the connections of both."""


class Repeat(NamedTuple):
    """A message that is in the log already, or is about to be by an earlier step of this turn."""

    first: Entry | Draft
    sender: Session


Step: TypeAlias = Tell | Post | Repeat
