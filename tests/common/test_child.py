"""common.child: real children, started as the supervisor starts them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.child import CANNOT_START, Boot
from common.control import Control, ControlClosed, Order
from common.limits import Limits
from tests.support.processes import Run
from tests.support.timeouts import seconds, wait_until

BOOT = Boot(parent=1, data_dir="/data", limits=Limits(text_bytes=7), log_format="text", log_level="info")


def test_a_boot_travels_as_text() -> None:
    boot = BOOT._replace(role="worker", number=2, generation=3, control_fd=9, data_dir="/\udcff é")
    assert Boot.from_json(boot.to_json()) == boot
    assert boot.to_json().isascii()


@pytest.mark.parametrize(("role", "number", "name"), [("broker", 0, "broker"), ("worker", 12, "worker 12")])
def test_its_name(role: str, number: int, name: str) -> None:
    assert BOOT._replace(role=role, number=number).name == name


class Started:
    """A child, and the supervisor's end of its control socket. Its module imports `imports`, its main is `body`."""

    def __init__(
        self, directory: Path, body: str, parent: int | None = None, log_level: str = "info", imports: str = "time"
    ) -> None:
        (directory / "acting.py").write_text(
            f"import {imports}\nfrom common.child import CannotStart\ndef main(boot, control):\n{textwrap.indent(body, '    ')}\n"
        )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        boot = BOOT._replace(
            role="worker", number=1, parent=parent or os.getpid(), control_fd=theirs.fileno(), log_level=log_level
        )
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from common.child import run; run()", "acting", boot.to_json()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(directory), *filter(None, sys.path)])},
                pass_fds=[theirs.fileno()],
                stderr=subprocess.PIPE,
                text=True,
            )
        self.control = Control(ours)

    def receive(self) -> list[Order]:
        return wait_until(self.control.receive, "the child says something")

    def end(self) -> tuple[int, str]:
        """Its exit status, and what it wrote to stderr."""
        _, err = self.process.communicate(timeout=seconds(5))
        return self.process.returncode, err

    def close(self) -> None:
        self.control.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Started]]:
    """The children of a test, to be ended with it."""
    children: list[Started] = []
    yield children
    for child in children:
        child.close()


def start(started: list[Started], directory: Path, body: str, **more: Any) -> Started:
    started.append(Started(directory, body, **more))
    return started[-1]


def test_main_is_called_and_its_end_is_the_childs(tmp_path: Path, started: list[Started]) -> None:
    body = 'control.send("ready", {"boot": boot.name, "limit": boot.limits.text_bytes})'
    child = start(started, tmp_path, body)
    assert child.receive() == [Order("ready", {"boot": "worker 1", "limit": 7}, [])]
    assert child.end() == (0, "")
    with pytest.raises(ControlClosed):
        child.control.receive()


def test_one_that_cannot_start_says_why(tmp_path: Path, started: list[Started]) -> None:
    child = start(started, tmp_path, 'raise CannotStart("no room", status=1)')
    child.control.send("broker")  # which it never reads
    assert child.end() == (CANNOT_START, "")
    assert child.receive() == [Order("failed", {"status": 1, "text": "no room"}, [])]


@pytest.mark.parametrize("log_level", ["info", "debug"])
def test_the_unexpected_is_logged_in_one_line(log_level: str, tmp_path: Path, started: list[Started]) -> None:
    status, err = start(started, tmp_path, "1 / 0", log_level=log_level).end()
    assert status == 1
    assert " ERROR worker 1    unexpected: ZeroDivisionError: division by zero\n" in err
    assert ("Traceback" in err) == (log_level == "debug")


def test_a_module_that_cannot_be_loaded(tmp_path: Path, started: list[Started]) -> None:
    child = start(started, tmp_path, "pass", imports="no_such_module")
    assert child.end() == (CANNOT_START, "")
    text = "cannot load acting (No module named 'no_such_module'), install chat-broker again"
    assert child.receive() == [Order("failed", {"status": 1, "text": text}, [])]


def test_without_a_supervisor_it_ends(tmp_path: Path, started: list[Started]) -> None:
    child = start(started, tmp_path, 'control.send("ready")\nwhile True:\n    control.receive()\n    time.sleep(0.01)')
    child.receive()
    child.control.close()
    assert child.end() == (0, "")


def test_of_a_supervisor_that_was_gone_already_nothing_is_expected(tmp_path: Path, started: list[Started]) -> None:
    child = start(started, tmp_path, 'control.send("ready")', parent=os.getppid())
    assert child.end() == (1, "")


def test_a_stopped_child_dies_with_its_supervisor(tmp_path: Path) -> None:
    """The supervisor here is a process of its own, which prints the pid of its child, and is killed."""
    script = """
import os, sys, time
from pathlib import Path
from tests.common.test_child import Started

child = Started(Path(sys.argv[1]), 'control.send("ready")\\ntime.sleep(60)')
child.receive()
os.kill(child.process.pid, 19)
print(child.process.pid, flush=True)
time.sleep(60)
"""
    environ = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with Run([sys.executable, "-c", script, tmp_path], tmp_path, environ) as supervisor:
        supervisor.wait_for("\n")
        child = int(supervisor.out)
        wait_until(lambda: state_of(child) in "tT", "the child is stopped")
        supervisor.send(signal.SIGKILL)
        wait_until(lambda: state_of(child) in "ZX", "the stopped child is dead", limit=2)


def state_of(pid: int) -> str:
    """The letter that stands for a process's state; X if there is none of that number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "X"
