"""How far apart the broker's turns end. While several write at once, few large commits cost less than many small ones.

Who writes alone does not wait: what they send without waiting themselves is one row, or two where it is long.
"""

from __future__ import annotations

_APART_SECONDS = 0.0015
"""At most."""
_SEVERAL = 3
"""So many rows of one turn are those of several."""
_ENOUGH = 5
"""So many rows share a commit well enough: it takes about as long as they do."""


class Pacing:
    """Times are monotonic seconds; `written` is the rows that were written so far, as `broker.log.Log` counts them."""

    def __init__(self, written: int) -> None:
        self._written = written
        self._ended = 0.0
        self._earliest = 0.0

    def left(self, now: float) -> float:
        """How long the turn at hand is to wait for more, in seconds; 0 if it may end."""
        return max(0.0, self._earliest - now)

    def ended(self, now: float, written: int) -> None:
        """A turn ended, and its rows are written. The next one waits until there will be enough, if they come as they did."""
        rows, self._written = written - self._written, written
        took, self._ended = now - self._ended, now
        if rows >= _SEVERAL:
            self._earliest = now + min(took * _ENOUGH / rows, _APART_SECONDS)
