"""Who said that they are away, and why, and of whom that is still to be told. It takes no room for those who are not away."""

from __future__ import annotations

from collections.abc import Iterable


class Away:
    """Somebody is away as a person, by identity, and so under each of their names."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._names: set[str] = set()
        self._turned: dict[str, bool] = {}
        """Of whom their workers are to be told; and whether the rooms are, too."""

    def text_of(self, identity: str) -> str:
        """What they said; empty if they are not away."""
        return self._texts.get(identity, "")

    def say(self, identity: str, names: Iterable[str], text: str) -> None:
        """They are away, or back if the text is empty. `names` are all that they go by."""
        was_away = identity in self._texts
        if text:
            self._texts[identity] = text
            self._names.update(names)
        elif was_away:
            del self._texts[identity]
            self._names.difference_update(names)
        self._turned[identity] = was_away != bool(text) or self._turned.get(identity, False)

    def tell_again(self, identity: str) -> None:
        """One of their workers does not know it as it is."""
        self._turned.setdefault(identity, False)

    def take_turned(self) -> dict[str, bool]:
        """Of whom their workers are to be told since the last call, by identity; and whether it is news to the rooms."""
        turned, self._turned = self._turned, {}
        return turned

    def goes_by(self, identity: str, name: str) -> None:
        """They have come once more, perhaps under another name."""
        if identity in self._texts:
            self._names.add(name)
            self.tell_again(identity)

    def forget_name(self, name: str) -> None:
        """Nobody is here under this name any more."""
        self._names.discard(name)

    def forget(self, identity: str) -> None:
        """They have left."""
        self._texts.pop(identity, None)
        self._turned.pop(identity, None)

    def among(self, names: list[str]) -> list[str]:
        """Those of the names whose people are away."""
        return [name for name in names if name in self._names] if self._names else []
