"""The terminal as the client uses it."""

from __future__ import annotations

import errno
import os
import re
import sys
from typing import Any, TextIO

import urwid
from urwid.display.common import InputClosedError

_ESCAPE_SECONDS = 0.05
"""How long the rest of a key's sequence may take; Esc alone is known after that."""
_SEQUENCE_SECONDS = 1.0
"""How long it may where so much of it has come that it can be nothing else, over a slow network."""
_BEGUN = re.compile(rb"\x1b\[[0-?]*\Z")
"""The beginning of a sequence: of the mark of a paste, say."""
_BUFFER_BYTES = 65_536


class Terminal(urwid.display.raw.Screen):
    """Pastes come as a whole, links can be followed, and the terminal driver keeps no key for itself but Ctrl+Z."""

    def __init__(self) -> None:
        super().__init__(output=_whole(), bracketed_paste_mode=True, focus_reporting=True, extended_keys=True)
        self.set_terminal_properties(hyperlinks=self.term != "linux")  # the console's older versions show what they do not know

    def start(self, *args: Any, **kwargs: Any) -> Any:
        """Takes the terminal over: at the beginning, and again after it was given back for Ctrl+Z."""
        context = super().start(*args, **kwargs)
        self.tty_signal_keys("undefined", "undefined", "undefined", "undefined")
        return context

    def parse_input(self, event_loop: Any, callback: Any, codes: list[int], wait_for_more: bool = True) -> Any:
        """Takes what was typed; what has only begun is waited for."""
        self.set_input_timeouts(complete_wait=_SEQUENCE_SECONDS if _BEGUN.search(bytes(codes)) else _ESCAPE_SECONDS)
        return super().parse_input(event_loop, callback, codes, wait_for_more)

    def _stop(self) -> None:
        """Gives the terminal back. Where another program has it now (the shell, if what started this one was killed), that has
        set its driver as it wants it.
        """
        if not self._is_ours():
            self._old_termios_settings = self._old_signal_keys = None
        super()._stop()

    def _is_ours(self) -> bool:
        try:
            return os.tcgetpgrp(self._input_fileno() or 0) == os.getpgrp()
        except OSError:
            return False

    def tell(self, sequence: str) -> None:
        """Writes something that changes nothing on the screen."""
        self.write(sequence)
        self.flush()

    def get_cols_rows(self) -> tuple[int, int]:
        """Columns and rows; of a terminal that does not know (a serial line, a container), what most have."""
        cols, rows = super().get_cols_rows()
        cols, self.maxrow = cols or 80, rows or 24
        return cols, self.maxrow


def _whole() -> TextIO:
    """The standard output, with a buffer of our own.

    Python's may have none (PYTHONUNBUFFERED): what a write that a signal interrupts has not taken is then lost. What its encoding
    has no sign for is a question mark.
    """
    out = sys.stdout
    return open(out.fileno(), "w", _BUFFER_BYTES, out.encoding, "replace", closefd=False)


def is_gone(problem: Exception) -> bool:
    """Whether the terminal was closed or is somebody else's now: nobody is there to be told."""
    return isinstance(problem, InputClosedError) or problem.args[0] == errno.EIO
