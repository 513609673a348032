"""The terminal in which the server was started: SIGHUP says that it was closed, or that settings are to be read anew.

The signal does not tell which of the two it means. It is the first while the terminal has just gone, and the second where there
is one, or never was (a service, `setsid`), or where the server has outlived it: left in the background by a shell that ended, or
disowned, it was not told to end, and may be told to read its settings a week later. Where SIGHUP is ignored from the start
(nohup) no terminal's end is ours.
"""

from __future__ import annotations

import os
import signal

_OUTLIVED_LOOKS = 2
"""So often, at moments that are seconds apart, it was not there: whoever wanted the server to end with it has had the time."""


class Terminal:
    """Looked at by whoever gets SIGHUP, and now and then."""

    def __init__(self) -> None:
        self._is_ours = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN and _is_there()
        """There is one, and the server ends with it."""
        self._missed = 0

    def has_closed(self) -> bool:
        """SIGHUP came: whether because the terminal was closed."""
        return self._is_ours and not _is_there()

    def look(self) -> None:
        """To be called every few seconds."""
        if self.has_closed():
            self._missed += 1
            self._is_ours = self._missed < _OUTLIVED_LOOKS


def _is_there() -> bool:
    """Whether a terminal controls this process."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
