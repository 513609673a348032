"""When the write-ahead log is put into the log's file: not so rarely that it grows, nor so often that it costs.

How many pages wait in it nobody can tell without tidying up. So it is learned from the last time how many rows make a page:
short ones of one room share it, those of many people take three each, and the longest ones several.
"""

from __future__ import annotations

_PAGES = 4_000
"""It is due when about so many pages (16 MiB) are waiting."""
_ROWS_LEAST, _ROWS_MOST = 200, 20_000
"""So many rows are taken to fill them, at least and at most."""
_PAGES_HELD = 8_000
"""From so many pages (32 MiB) on it may hold up the rest until nobody reads them."""


class Tidying:
    """`written` is the rows that were written so far, as `broker.log.Log` counts them."""

    def __init__(self, written: int) -> None:
        self._written = written
        self._seen = written
        self._tidied = 0
        """The rows that the last one was about."""
        self._rows = _ROWS_LEAST

    def is_due(self, written: int) -> bool:
        """Whether there is enough to tidy up."""
        return written - self._written >= self._rows

    def is_due_in_quiet(self, written: int) -> bool:
        """Whether there is anything to tidy up, and nobody wrote since this was asked last, whom it would hold up."""
        quiet, self._seen = written == self._seen, written
        return quiet and written > self._written

    def begin(self, written: int) -> None:
        """It is done now; if that fails, it is due again when as many rows more are there."""
        self._tidied, self._written = written - self._written, written

    def done(self, pages: int) -> bool:
        """So many pages there were. Whether it has to be done again, with readers waited for."""
        self._rows = min(max(self._tidied * _PAGES // max(pages, 1), _ROWS_LEAST), _ROWS_MOST)
        return pages > _PAGES_HELD
