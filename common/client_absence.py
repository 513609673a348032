"""Whether the client's person is away: what was said of it here, and what the server says of it, for it may be said on another
device.
"""

from __future__ import annotations


class Absence:
    """See the module's docstring."""

    def __init__(self) -> None:
        self.text = ""
        """Why one is; empty while one is not."""
        self.unsaid = False
        """That has been said here, and the server has not answered."""
        self.asked: set[int] = set()
        """The requests that say so, or said something else before, and are not answered."""
        self._newest: int | None = None
        """The one of them that counts."""
        self.waits = False
        """It was refused for a passing reason."""
        self._there = ""
        """What the server said last."""

    def lost(self) -> None:
        """The connection is gone, and what was asked on it."""
        self.asked.clear()
        self._newest, self.waits = None, False

    def say(self, text: str) -> None:
        self.text, self.unsaid = text, True

    def ask(self, ref: int) -> None:
        """It is on its way."""
        self.asked.add(ref)
        self._newest, self.waits = ref, False

    def welcomed(self, told: str | None) -> bool:
        """Whether it has to be said again. `told` is what the server knows, if one is here with other devices, too."""
        self._there = told or ""
        if told is not None and not self.unsaid:
            self.text = told
        return self.unsaid or self.text != self._there

    def told(self, ref: int | None, text: str) -> None:
        """By the answer, or since it was said on another device: that counts unless one has said otherwise meanwhile."""
        self._there = text
        if self._answers(ref):
            self.unsaid = False
        if not self.unsaid:
            self.text = text

    def refused(self, ref: int | None, passing: bool) -> bool:
        """Whether that counts: nothing else has been said since."""
        if not self._answers(ref):
            return False
        self.waits = passing
        if not passing:
            self.text, self.unsaid = self._there, False
        return True

    def _answers(self, ref: int | None) -> bool:
        """Whether an answer is that to what was said last."""
        if ref not in self.asked:
            return False
        self.asked.remove(ref)
        return ref == self._newest
