"""Somebody else than the owner of the files: root, as whom tests often run, is refused nothing."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

from tests.support.tools import skip_without

_NOBODY = 65534


def said_as_a_stranger(action: Callable[[], str]) -> str:
    """What `action` returns in a process of a user who owns nothing; where this one is not root's, just what it returns."""
    if os.getuid() != 0:
        return action()
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.close(reading)
        _be_a_stranger(action, writing)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status:
        skip_without("another user", "this root may not become one")
    return said


def _be_a_stranger(action: Callable[[], str], writing: int) -> None:
    try:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    except OSError:
        os._exit(1)
    try:
        said = action()
    except BaseException:
        said = traceback.format_exc()
    os.write(writing, said.encode())
    os._exit(0)
