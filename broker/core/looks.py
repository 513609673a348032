"""Which names in use look alike: an index of names by what they look like."""

from __future__ import annotations

from collections.abc import Iterator

from common.names import differ_enough, looks


class Looks:
    """Names by their folded forms, each as it is written."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._keys: dict[str, tuple[str, ...]] = {}
        """The folded forms of those that have a look. Nearly always it is one: a tuple takes a quarter of what a set does."""

    def put(self, key: str, name: str) -> None:
        """The name is in use, written so."""
        self.drop(key)
        self._names[key] = name
        for look in looks(name):
            self._keys[look] = (*self._keys.get(look, ()), key)

    def drop(self, key: str) -> None:
        """It is not any more. Nothing happens if it was not."""
        name = self._names.pop(key, None)
        if name is None:
            return
        for look in looks(name):
            others = tuple(other for other in self._keys.pop(look) if other != key)
            if others:
                self._keys[look] = others

    def like(self, key: str, name: str) -> Iterator[str]:
        """The folded forms of other names that this one could be taken for."""
        for look in looks(name):
            for other in sorted(self._keys.get(look, ())):
                if other != key and not differ_enough(name, self._names[other]):
                    yield other
