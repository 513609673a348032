"""broker.children: a child is started with what it needs, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broker.children import STOP_SIGNALS, has_stopped, how_it_ended, start
from broker.roles import BROKER, Key
from common.child import Boot
from common.limits import Limits
from tests.support.groups import TESTS
from tests.support.timeouts import seconds, wait_until

BOOT = Boot(
    parent=os.getpid(),
    data_dir="/data",
    limits=Limits(),
    log_format="text",
    log_level="info",
    role="worker",
    number=2,
    generation=3,
)


@pytest.fixture
def path_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS.parent))


@pytest.mark.usefixtures("path_of_tests")
def test_a_child_talks_and_logs_and_ends(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        child = start("tests.support.small_child", Key("worker", 2), BOOT, file.fileno())
    assert str(child) == f"worker 2 (pid {child.pid})"
    [order] = wait_until(child.control.receive, "it is ready")
    assert order.kind == "ready"
    child.control.send("drain")
    assert child.process.wait(seconds(5)) == 0
    child.control.close()
    assert log.read_text().endswith(" INFO  worker 2    worker 2 g3: drain {} +0\n")


@pytest.mark.usefixtures("path_of_tests")
def test_signals_are_blocked_in_the_child_and_not_here() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    child = start("tests.support.small_child", Key("worker", 2), BOOT, 2)
    try:
        wait_until(child.control.receive, "it is ready")
        for number in STOP_SIGNALS:
            child.process.send_signal(number)
        child.control.send("status")
        assert wait_until(child.control.receive, "it goes on")[0].kind == "status"
    finally:
        child.process.kill()
        child.process.wait()
        child.control.close()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_what_lies_about_in_the_working_directory_is_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(99)\n")
    monkeypatch.chdir(tmp_path)
    child = start("no.such.module", BROKER, BOOT, subprocess.DEVNULL)
    assert child.process.wait(seconds(5)) != 99
    assert wait_until(child.control.receive, "it says why")[0].kind == "failed"
    child.control.close()


def test_an_interpreter_that_cannot_be_run_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        start("any", BROKER, BOOT, 2)
    assert os.listdir("/proc/self/fd") == before


def test_ends() -> None:
    assert (how_it_ended(-9), how_it_ended(1)) == ("signal 9", "exit status 1")


def test_a_command_that_ends_between_two_looks_has_not_stopped() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is dead, and nobody has reaped it
        assert not has_stopped(process)
        assert process.wait() == 0
