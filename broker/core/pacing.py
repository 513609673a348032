"""How far apart the broker's turns end. While several write at once, few large commits cost less than many small ones.

Who writes alone does not wait: what they send without waiting themselves is one row, or two where it is long.
"""

from __future__ import annotations

_APART_SECONDS = 0.0015
"""At most."""
_FOR_OTHERS_SECONDS = 0.03
"""At most it is waited for others: a turn that took longer may have tidied the log up, or met a disk that stood still."""
_SEVERAL = 3
"""So many rows of one turn are those of several."""
_ENOUGH = 5
"""So many rows share a commit well enough: it takes about as long as they do."""


class Pacing:
    """Times are monotonic seconds; `written` is the rows that were written so far, as `broker.log.Log` counts them."""

    def __init__(self, written: int) -> None:
        self._written = written
        self._began = self._took = 0.0
        """When the last turn's messages were taken, and how long it took to deal with them."""
        self._earliest = 0.0
        self._heard: set[int] = set()
        """The workers that asked for something in the turn at hand."""
        self._heard_since = 0.0
        self._expected: set[int] = set()
        """Those that did in the last turn, if several wrote in it."""

    def heard(self, worker: int, now: float) -> None:
        """A worker asks for something."""
        if not self._heard:
            self._heard_since = now
        self._heard.add(worker)

    def left(self, now: float) -> float:
        """How long the turn at hand is to wait for more, in seconds; 0 if it may end."""
        return max(0.0, self._earliest - now)

    def left_for_others(self, now: float) -> float:
        """How long it is to wait for workers that asked for something the last time, as this one did.

        Not longer than that took, within reason. Else their turns go on in between each other's, and each tells all workers.
        """
        if not self._heard or self._expected <= self._heard:
            return 0.0
        return max(0.0, self._heard_since + min(self._took, _FOR_OTHERS_SECONDS) - now)

    def ended(self, began: float, now: float, written: int) -> None:
        """A turn ended, and its rows are written. The next one waits until there will be enough, if they come as they did."""
        rows, self._written = written - self._written, written
        apart, self._began, self._took = began - self._began, began, now - began
        self._expected = set()
        if rows >= _SEVERAL:
            self._earliest = began + min(apart * _ENOUGH / rows, _APART_SECONDS)
            self._expected = self._heard
        self._heard = set()
