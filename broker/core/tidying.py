"""When the write-ahead log is put into the log's file: not so rarely that it grows, nor so often that it costs.

Pages are of 4 KiB. Those that are `waiting` are in the write-ahead log and not in the file.
"""

from __future__ import annotations

_PAGES = 4_000
"""It is due when so many pages (16 MiB) have come to wait."""
_PAGES_HELD = 8_000
"""From so many pages (32 MiB) on it may hold up the rest until nobody reads them."""


class Tidying:
    """Knows what the last one left undone, and whether anybody writes."""

    def __init__(self) -> None:
        self._left = 0
        """What waits although it was tried to put it into the file: readers are in the way, or the disk is."""
        self._written = 0

    def is_due(self, waiting: int) -> bool:
        """Whether there is enough to tidy up."""
        self._left = min(self._left, waiting)
        return waiting - self._left >= _PAGES

    def is_due_in_quiet(self, waiting: int, written: int) -> bool:
        """Whether there is anything new to tidy up, and nobody wrote since this was asked last, whom it would hold up.

        `written` is the rows that were written so far, as `broker.log.Log` counts them.
        """
        quiet, self._written = written == self._written, written
        return quiet and waiting > self._left

    def began(self, waiting: int) -> None:
        """It is tried now; what it does not do is not tried again until something has come to it: else a full disk would be
        told of in each second.
        """
        self._left = waiting

    def done(self, held: int, waiting: int) -> bool:
        """So many pages the write-ahead log holds, and so many still wait. Whether to do it again, with readers waited for."""
        self._left = waiting
        return held > _PAGES_HELD
