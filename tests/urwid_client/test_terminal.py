from __future__ import annotations

import errno
import termios

import pytest
from urwid.display.common import InputClosedError

from urwid_client.terminal import is_gone


@pytest.mark.parametrize(
    ("problem", "gone"),
    [
        (OSError(errno.EIO, "input/output error"), True),
        (termios.error(errno.EIO, "input/output error"), True),
        (InputClosedError(), True),
        (OSError(errno.ENOSPC, "no space"), False),
    ],
)
def test_a_terminal_that_is_gone(problem: Exception, gone: bool) -> None:
    assert is_gone(problem) == gone
