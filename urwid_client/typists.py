"""Who is typing where, as far as others told lately. Times are milliseconds since 1970, and given by the caller."""

from __future__ import annotations

from typing import NamedTuple

EVERY_MS = 3_000
"""How often others are told that the user is typing, at most."""
EXPIRES_MS = EVERY_MS + 1_000
"""So long after the last time that it was told, nobody is typing any more: it may have been a moment late."""
AFTER_MESSAGE_MS = 1_000
"""How soon after a message it is told again: a server does not listen to more than one such word in a second."""
_MOST = 10
"""People of one conversation who are kept in mind: more than three are several."""


class _Typist(NamedTuple):
    name: str
    until: int


class Typists:
    """By conversation. Nobody is in here for longer than they type."""

    def __init__(self) -> None:
        self._typing: dict[str, dict[str, _Typist]] = {}

    def heard(self, conv: str, identity: str, name: str, now: int) -> None:
        """Somebody is typing."""
        typing = self._typing.setdefault(conv, {})
        if identity in typing or len(typing) < _MOST:
            typing[identity] = _Typist(name, now + EXPIRES_MS)

    def stopped(self, conv: str, identity: str) -> None:
        """They have said what they were typing."""
        self._typing.get(conv, {}).pop(identity, None)

    def clear(self) -> None:
        self._typing.clear()

    def expire(self, now: int) -> int | None:
        """Forgets those of whom nothing was heard for long; after how long (ms) there is one again."""
        for typing in self._typing.values():
            over = [identity for identity, typist in typing.items() if not now < typist.until <= now + EXPIRES_MS]
            for identity in over:  # also where the clock was set back
                del typing[identity]
        self._typing = {conv: typing for conv, typing in self._typing.items() if typing}
        ends = [typist.until for typing in self._typing.values() for typist in typing.values()]
        return min(ends) - now if ends else None

    def names(self, conv: str | None) -> list[str]:
        """Who is typing in a conversation."""
        return [typist.name for typist in self._typing.get(conv or "", {}).values()]
