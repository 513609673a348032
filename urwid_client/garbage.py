"""Looking for garbage while nobody waits: with many messages it takes as long as one notices when typing."""

from __future__ import annotations

import gc

_DUE = 10
"""After so many smaller collections everything is looked through, as Python would by itself."""
_PRESSING = 1_000
"""After so many of them also while the user types."""
_NEVER = 1_000_000_000


def only_when_asked() -> None:
    """Python goes on collecting what is young, which is quick, and leaves the rest to `collect`."""
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)


def collect(idle: bool) -> None:
    """Looks through everything if there has been reason enough. `idle` says that nobody waits for anything."""
    smaller = gc.get_count()[2]
    if smaller >= (_DUE if idle else _PRESSING):
        gc.collect()
