"""When a child that died is started again. Decides only; the supervisor carries it out."""

from __future__ import annotations

from typing import NamedTuple

EARLY_SECONDS = 0.5
"""A child that dies sooner than this after it was ready dies early."""
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0
NEVER_READY_MOST = 5
"""So many deaths in a row without having been ready are a child that cannot start."""


class History(NamedTuple):
    """The deaths of one child, as far as they matter for what comes next."""

    early: int = 0
    """Early deaths in a row."""
    never_ready: int = 0
    """Deaths in a row before the child was ready."""

    def after_death(self, ready_seconds: float | None) -> History:
        """The history with one more death, of a child that had been ready for so long (None: never)."""
        if ready_seconds is None:
            return History(self.early + 1, self.never_ready + 1)
        return History(self.early + 1 if ready_seconds < EARLY_SECONDS else 0)

    @property
    def hopeless(self) -> bool:
        return self.never_ready >= NEVER_READY_MOST

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start: none at first, then twice as long each time."""
        if self.early <= 1:
            return 0.0
        return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(self.early - 2, 16))
