"""What every child of the supervisor does at its start and its end. What it does in between is its own module's.

A child is a fresh interpreter that calls `run`, and has no descriptors but the ones it was given. It takes its orders over its
control socket alone: the signals that stop a program are blocked when it starts (it inherits the mask from the supervisor),
so a Ctrl+C in the terminal, which goes to all processes, is the supervisor's to handle.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from common import logs
from common.control import Control, ControlClosed
from common.limits import Limits

CANNOT_START = 3
"""The exit status of a child that cannot start at all: it is not started again."""


class Boot(NamedTuple):
    """What a child is told on its command line."""

    parent: int
    """The supervisor's pid."""
    data_dir: str
    limits: Limits
    log_format: str
    log_level: str
    role: str = ""
    """"broker", "worker" or "acceptor"."""
    number: int = 0
    """Which of the workers (from 1); 0 for the others."""
    generation: int = 0
    """How many of this role and number were started before it."""
    control_fd: int = -1

    @property
    def name(self) -> str:
        """For people: `broker`, `worker 1`."""
        return f"{self.role} {self.number}" if self.number else self.role

    def to_json(self) -> str:
        return json.dumps(self._asdict() | {"limits": dataclasses.asdict(self.limits)})

    @classmethod
    def from_json(cls, text: str) -> Boot:
        fields = json.loads(text)
        return cls(**fields | {"limits": Limits(**fields["limits"])})


_OBJECTS_BEFORE_COLLECTING = 50_000
"""One turn makes thousands of objects, and lets go of nearly all of them at its end: to look for cycles among them while it lasts
costs 6 % of the processor's time and finds nothing."""

Main: TypeAlias = Callable[[Boot, Control], None]


class CannotStart(Exception):
    """Raised by a child that cannot start: one line for the user, and the exit status of the whole program."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


def run() -> None:
    """The whole life of a child; the command line has the name of its module, and a `Boot`.

    The module's `main(boot, control)` is called once, and returns when the child is to end. It sends `ready`, and lets
    `ControlClosed` and `CannotStart` pass.
    """
    module, boot = sys.argv[1], Boot.from_json(sys.argv[2])
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTING)
    end_with(boot.parent, signal.SIGKILL)  # the closing of the control socket tells only one that is not stopped or busy
    logs.set_up(boot.name, boot.log_format, boot.log_level)
    control = Control(socket.socket(fileno=boot.control_fd))
    try:
        _main_of(module)(boot, control)
    except ControlClosed:
        pass  # the supervisor is gone, and nobody is left to work for
    except CannotStart as problem:
        control.send("failed", {"status": problem.status, "text": problem.text})
        sys.exit(CANNOT_START)
    except Exception as problem:
        logs.unexpected(logging.getLogger("chat_broker.child"), problem)
        sys.exit(1)


def _main_of(module: str) -> Main:
    try:
        main: Main = importlib.import_module(module).main
    except ImportError as problem:
        raise CannotStart(f"cannot load {module} ({problem}), install chat-broker again") from None
    gc.freeze()  # what was loaded stays: to look through it again and again would hold up everybody for 5 ms
    return main


def end_with(parent: int, number: signal.Signals) -> None:
    """Ties this process's life to its parent's: on Linux the kernel sends it this signal when that ends, however it does."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, number)
    if os.getppid() != parent:
        sys.exit(1)  # it was gone before the kernel was asked
