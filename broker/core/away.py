"""Who said that they are away, and why. Nobody else is in here: it takes no room for those who are not."""

from __future__ import annotations

from collections.abc import Iterable


class Away:
    """Somebody is away as a person, by identity, and so under each of their names."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._names: set[str] = set()

    def text_of(self, identity: str) -> str:
        """What they said; empty if they are not away."""
        return self._texts.get(identity, "")

    def say(self, identity: str, names: Iterable[str], text: str) -> bool:
        """They are away, or back if the text is empty. `names` are all that they go by; whether that is news."""
        was_away = identity in self._texts
        if text:
            self._texts[identity] = text
            self._names.update(names)
        elif was_away:
            del self._texts[identity]
            self._names.difference_update(names)
        return was_away != bool(text)

    def goes_by(self, identity: str, name: str) -> bool:
        """They have come under this name, too; whether they are away."""
        if identity not in self._texts:
            return False
        self._names.add(name)
        return True

    def forget_name(self, name: str) -> None:
        """Nobody is here under this name any more."""
        self._names.discard(name)

    def forget(self, identity: str) -> None:
        """They have left."""
        self._texts.pop(identity, None)

    def among(self, names: list[str]) -> list[str]:
        """Those of the names whose people are away."""
        return [name for name in names if name in self._names] if self._names else []
