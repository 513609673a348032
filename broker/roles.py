"""The places that the supervisor keeps filled: one broker, one acceptor, and the workers by number."""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """Whose place a child takes: the broker's, the acceptor's, or that of worker `number` (from 1)."""

    role: str
    number: int = 0

    def __str__(self) -> str:
        return f"{self.role} {self.number}" if self.number else self.role


BROKER = Key("broker")
ACCEPTOR = Key("acceptor")
