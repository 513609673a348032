"""Somebody else than the owner of the files: root, as whom tests often run, is refused nothing."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import NoReturn

from tests.support.tools import skip_without

_NOBODY = 65534
_MAY_NOT = 77
"""The exit status that says so: in some containers root may become nobody else."""


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
    if (exited := os.waitstatus_to_exitcode(status)) == _MAY_NOT:
        skip_without("another user", said)
    assert exited == 0, f"the stranger ended with {exited}, and said: {said}"
    return said


def _be_a_stranger(action: Callable[[], str], writing: int) -> NoReturn:
    exited = 1
    try:
        said, exited = _tried(action)
        os.write(writing, said.encode())
    finally:
        os._exit(exited)  # else the tests would go on in this process, too


def _tried(action: Callable[[], str]) -> tuple[str, int]:
    """What there is to say, and the exit status."""
    try:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    except OSError as problem:
        return f"this root may not become one ({problem.strerror})", _MAY_NOT
    try:
        return action(), 0
    except BaseException:
        return traceback.format_exc(), 1
