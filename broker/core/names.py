"""Who has which name. A name belongs to an identity, from its first session with it until a grace after its last.

As long, nobody else gets one that looks like it. A name that anybody may have protects none: it could be had itself.
"""

from __future__ import annotations

import dataclasses

from broker.core.looks import Looks
from common.errors import Code, Refused


@dataclasses.dataclass(slots=True)
class Owner:
    """The holder of one name."""

    identity: str
    name: str
    number: int = 0
    """Rises with each name that somebody takes."""
    sessions: int = 0
    left_ms: int = 0
    """Once there are no sessions: when the last one ended."""
    kept_until_ms: int = 0
    """And when the name becomes free."""

    def holds(self, now_ms: int) -> bool:
        return self.sessions > 0 or now_ms < self.kept_until_ms


class Names:
    """All names in use, by their folded form."""

    def __init__(self, grace_ms: int) -> None:
        self.grace_ms = grace_ms
        self._owners: dict[str, Owner] = {}
        self._taken = 0
        """How often a name was taken."""
        self._left: dict[str, dict[str, None]] = {}
        """The names that each identity left, folded and in that order, as long as they are kept and not gone by again."""
        self._unheard: set[str] = set()
        """Names that were taken since it was told last who is there."""
        self._looks = Looks()

    def claim(self, key: str, name: str, identity: str, now_ms: int) -> str:
        """One more session of `identity` uses the name: as it is written from the first of them on.

        Raises `Refused` with `name_taken` or `name_confusable`.
        """
        owner = self._owners.get(key)
        if owner is not None and owner.identity != identity and owner.holds(now_ms):
            raise Refused(Code.NAME_TAKEN, _taken(owner, now_ms))
        if owner is None or owner.identity != identity or not owner.sessions:
            self._check_looks(key, name, identity, now_ms)
            if owner is not None:
                self._forget(key)
            self._taken += 1
            owner = self._owners[key] = Owner(identity, name, self._taken)
            self._looks.put(key, name)
            self._unheard.add(key)
        owner.sessions += 1
        return owner.name

    def _check_looks(self, key: str, name: str, identity: str, now_ms: int) -> None:
        for other in self._looks.like(key, name):
            owner = self._owners[other]
            if owner.identity != identity and owner.holds(now_ms):
                text = f"{name} looks like {owner.name}, who is somebody else: pick another name"
                raise Refused(Code.NAME_CONFUSABLE, text)

    def release(self, key: str, now_ms: int) -> int | None:
        """One session fewer of those that claimed the name. If it was the last: until when the name is kept (ms)."""
        owner = self._owners[key]
        owner.sessions -= 1
        if owner.sessions > 0:
            return None
        owner.left_ms, owner.kept_until_ms = now_ms, now_ms + self.grace_ms
        if key not in self._unheard:
            self._left.setdefault(owner.identity, {})[key] = None
        return owner.kept_until_ms

    def free(self, key: str) -> None:
        """The name is kept no longer: nobody can come back to it."""
        if not self._owners[key].sessions:
            self._forget(key)

    def _forget(self, key: str) -> None:
        identity = self._owners.pop(key).identity
        if (left := self._left.get(identity)) is not None:
            left.pop(key, None)
            if not left:
                del self._left[identity]
        self._looks.drop(key)

    def keep(self, key: str, name: str, identity: str, until_ms: int) -> None:
        """The name is kept for somebody who is not here: what a new broker finds in the log."""
        self._owners[key] = Owner(identity, name, left_ms=self.left(until_ms), kept_until_ms=until_ms)
        self._looks.put(key, name)

    def left(self, until_ms: int) -> int:
        """When somebody left whose name is kept, or was, until then: as exact as the grace is the same as it was."""
        return max(0, until_ms - self.grace_ms)

    def clock_jumped(self, by_ms: int) -> None:
        """The clock was set. What is kept is kept for as long as before."""
        for owner in self._owners.values():
            owner.left_ms += by_ms
            owner.kept_until_ms += by_ms

    def owner(self, key: str, now_ms: int) -> Owner | None:
        """Whose name this is now."""
        owner = self._owners.get(key)
        return owner if owner is not None and owner.holds(now_ms) else None

    def left_by(self, key: str) -> str | None:
        """Who does not go by this name any more, as long as it is kept for them."""
        owner = self._owners.get(key)
        return owner.identity if owner is not None and not owner.sessions else None

    def is_later(self, key: str, than: str) -> bool:
        """Whether of these two names, which are in use or kept, this one was taken behind the other."""
        return self._owners[key].number > self._owners[than].number

    def former(self, key: str) -> str | None:
        """The name that whoever goes by this one left last, as long as it is kept for them.

        It was theirs when it was told last who is there: of one that they had only in between nobody has heard.
        """
        owner = self._owners.get(key)
        left = self._left.get(owner.identity) if owner is not None and owner.sessions else None
        return self._owners[next(reversed(left))].name if left else None

    def told(self) -> None:
        """Everybody has heard who goes by which name now."""
        self._unheard.clear()

    def forget_expired(self, now_ms: int) -> None:
        """Frees what is kept no longer."""
        for key in [key for key, owner in self._owners.items() if not owner.holds(now_ms)]:
            self._forget(key)


def _taken(owner: Owner, now_ms: int) -> str:
    if owner.sessions > 0:
        return f"{owner.name} is taken, pick another name"
    wait = -(-(owner.kept_until_ms - now_ms) // 1000)
    return f"{owner.name} belongs to somebody who just left: pick another name, or wait {wait} s"
