"""Who is there, as the broker holds it: workers, their clients' connections, and the people behind those. Data alone."""

from __future__ import annotations

import dataclasses
from typing import Any

from broker.core.rooms import Room


class Session:
    """One connection of a client, at a worker."""

    __slots__ = ("identity", "key", "name", "rooms", "sid", "worker")

    def __init__(self, worker: int, sid: int, identity: str, name: str, key: str) -> None:
        self.worker = worker
        self.sid = sid
        self.identity = identity
        self.name = name
        self.key = key
        self.rooms: dict[str, Room] = {}
        """By conv."""


@dataclasses.dataclass(slots=True)
class Person:
    """An identity with at least one session."""

    stored: bool
    """The log knows this identity: it has written or joined something."""
    sessions: list[Session] = dataclasses.field(default_factory=list)
    since_ms: int | None = None
    """Since when they are here; None where they were here before this broker was."""
    rooms: dict[str, int] = dataclasses.field(default_factory=dict)
    """How many of their sessions are in each room, by conv; without the lobby, where all are."""

    @property
    def is_spread(self) -> bool:
        """They are at more than one worker."""
        return any(session.worker != self.sessions[0].worker for session in self.sessions)

    def enters(self, conv: str) -> None:
        """With one more session."""
        self.rooms[conv] = self.rooms.get(conv, 0) + 1

    def leaves(self, conv: str) -> None:
        """With one of those that are there."""
        self.rooms[conv] -= 1
        if not self.rooms[conv]:
            del self.rooms[conv]


@dataclasses.dataclass(slots=True)
class Worker:
    """A worker process that is alive."""

    number: int
    generation: int
    known: bool = False
    """The names of its sessions are held: it has introduced itself to this broker, or is younger than it."""
    listening: bool = False
    """What it was told is complete since its last introduction: its requests count."""
    behind: bool = False
    """It does not read; what is meant for it is thrown away."""
    to_ask: bool = False
    """It reads again, and is to be asked to introduce itself."""
    introducing: list[list[Any]] = dataclasses.field(default_factory=list)
    """The sessions that it has told of so far."""
    sessions: dict[int, Session] = dataclasses.field(default_factory=dict)
    answered: int = -1
    position: int = 0
    """What it was told last."""
