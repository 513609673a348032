"""When to draw what came without a key: soon, and the more rarely the more a drawing costs. Knows no screen and no clock.

Times are seconds of a clock that only rises.
"""

from __future__ import annotations

SOON = 0.03
"""What comes within so long is drawn at once."""
PAUSE = 4
"""Between two drawings is so many times what one takes: most of the processor stays for others, however much comes in."""
LONGEST = 2.0
"""No pause is longer: what took so long may have been stopped in the middle, or the terminal took nothing for a while."""


class Pace:
    """Measures drawings, and says how long to wait for the next one."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._took = 0.0

    def began(self, now: float) -> None:
        self._began = now

    def ended(self, now: float) -> None:
        """Something was drawn: what had `began`, or else what a key changed, which does not count."""
        if self._began is not None:
            self._took, self._began = now - self._began, None

    def wait(self) -> float:
        """Seconds from a change to its drawing."""
        return min(max(SOON, PAUSE * self._took), LONGEST)
