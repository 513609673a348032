"""When the broker's turns end. While several write at once, few large commits cost less than many small ones.

- Where many rows come, turns end some time apart.
- Where single rows follow each other closely, one waits for a second one. A turn costs as much for one as for two, and so do the
  sends to everybody in a room. It is what a receiver of TCP does with its acknowledgements (RFC 1122, 4.2.3.2).

Who writes alone hardly ever waits: what they send without waiting themselves is one row, or two where it is long. Whether they
are alone cannot be told from how fast they write: of two who answer each other at once, neither writes while the other waits. So
it is tried, and ever more rarely where nobody came.
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
_FOR_COMPANY_SECONDS = 0.003
"""So long a row waits for a second one."""
_ALONE_TURNS = 128
"""At most so many turns in which one row does not wait: whoever writes alone waits once in so many."""


class Company:
    """Whether a single row is to wait for a second one.

    After each wait in vain it does not for twice as many turns as before, after each other one for half as many.
    """

    def __init__(self) -> None:
        self._alone = self._alone_left = _ALONE_TURNS
        """In how many turns that write something there is no waiting, and how many of them are still to come."""
        self._waited = False

    def waits(self, rows: int) -> bool:
        """Whether the turn at hand, which has so many rows, waits for more. That it does is remembered until it ended."""
        if rows != 1 or self._alone_left:
            return False
        self._waited = True
        return True

    def ended(self, rows: int) -> None:
        """The turn ended with so many rows."""
        if self._waited:
            self._waited = False
            self._alone = self._alone // 2 if rows > 1 else min(max(1, 2 * self._alone), _ALONE_TURNS)
            self._alone_left = self._alone
        elif rows and self._alone_left:
            self._alone_left -= 1


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
        self._company = Company()

    def heard(self, worker: int, now: float) -> None:
        """A worker asks for something."""
        if not self._heard:
            self._heard_since = now
        self._heard.add(worker)

    def left(self, now: float) -> float:
        """How long the turn at hand is to wait for more, in seconds; 0 if it may end."""
        return max(0.0, self._earliest - now)

    def left_for_others(self, now: float, rows: int) -> float:
        """How long the turn at hand, which has so many rows by now, is to wait for others.

        A single row waits for a second one, see `Company`. And workers that asked for something the last time are waited for by
        one that does again, not longer than that took, within reason: else their turns go on in between each other's, and each
        tells all workers.
        """
        patience = 0.0
        if self._heard and not self._expected <= self._heard:
            patience = min(self._took, _FOR_OTHERS_SECONDS)
        if self._company.waits(rows):
            patience = max(patience, _FOR_COMPANY_SECONDS)
        return max(0.0, self._heard_since + patience - now)

    def ended(self, began: float, now: float, written: int) -> None:
        """A turn ended, and its rows are written. The next one waits until there will be enough, if they come as they did."""
        rows, self._written = written - self._written, written
        apart, self._began, self._took = began - self._began, began, now - began
        self._company.ended(rows)
        self._expected = set()
        if rows >= _SEVERAL:
            self._earliest = began + min(apart * _ENOUGH / rows, _APART_SECONDS)
            self._expected = self._heard
        self._heard = set()
