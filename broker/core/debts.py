"""What people who are gone have sent more than they might: it is held against them where they come back. Decides nothing."""

from __future__ import annotations

_LEAST_MS = 100
"""Less is forgiven: everybody who said something and left would be remembered."""


class Debts:
    """Until when each identity will have paid. Times are milliseconds since 1970."""

    def __init__(self) -> None:
        self._paid_at: dict[str, int] = {}

    def add(self, identity: str, owed_ms: int, now_ms: int) -> None:
        """A connection of theirs is gone that owed so much."""
        if owed_ms >= _LEAST_MS:
            self._paid_at[identity] = max(self._paid_at.get(identity, 0), now_ms + owed_ms)

    def owed(self, identity: str, now_ms: int) -> int:
        """Milliseconds."""
        return max(0, self._paid_at.get(identity, 0) - now_ms)

    def forget_paid(self, now_ms: int) -> None:
        self._paid_at = {identity: paid_at for identity, paid_at in self._paid_at.items() if paid_at > now_ms}

    def clock_jumped(self, by_ms: int) -> None:
        self._paid_at = {identity: paid_at + by_ms for identity, paid_at in self._paid_at.items()}
