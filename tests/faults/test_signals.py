"""Signals to the server's processes at unfortunate moments: it ends as asked, and nobody is left."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.groups import rounds
from tests.support.place import BROKER, Place, chat, port_of
from tests.support.timeouts import seconds, wait_until


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_signals_at_any_moment_of_the_start(place: Place) -> None:
    """From the moment on at which the program itself runs, and not only the interpreter."""
    chance = random.Random(20)
    for _ in range(rounds(7, 500)):
        numbers = chance.choices([signal.SIGINT, signal.SIGTERM], k=chance.choice([1, 1, 2]))
        moment = chance.uniform(0, 0.35)
        to_all = chance.random() < 0.5
        with place.serve() as run:
            wait_until(lambda: catches(run.pid, signal.SIGHUP), "the program runs", every=0.001)
            time.sleep(moment)
            for number in numbers:
                run.send_group(number) if to_all else run.send(number)
            told = f"{numbers} after {moment:.3f} s, {to_all=}: {run.err}"
            assert run.end() == 0, told
            hurried = len(numbers) > 1  # who is slow may be killed then
            expected = ("stopping", "did not stop in time and is killed") if hurried else ("stopping",)
            assert all(line.endswith(expected) for line in run.err.splitlines()), told
    assert_whole(place)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for that signal."""
    found = re.search(r"SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(found and int(found[1], 16) >> (number - 1) & 1)


def assert_whole(place: Place) -> None:
    """The log is, whatever happened to the server."""
    subprocess.run([BROKER, "check", "--data-dir", place.data], stdout=subprocess.DEVNULL, check=True, timeout=seconds(5))


def test_who_does_not_stop_is_killed_in_time_and_earlier_after_a_second_signal(place: Place) -> None:
    for signals, limit in [(1, 5.0), (2, 2.0)]:
        with place.serve() as run:
            port_of(run)
            stopped = place.status()["workers"][0]
            os.kill(stopped, signal.SIGSTOP)
            for _ in range(signals):
                run.send(signal.SIGINT)
                time.sleep(0.1)
            assert run.end(limit) == 0
            assert f"worker 1 (pid {stopped}) did not stop in time and is killed" in run.err


def test_nobody_outlives_the_supervisor(place: Place) -> None:
    with place.serve() as run:
        port_of(run)
        os.kill(place.status()["workers"][0], signal.SIGSTOP)
        run.send(signal.SIGKILL)
        assert run.end() == -signal.SIGKILL
    with place.serve() as run:
        chat(port_of(run))  # what the killed one left behind is in nobody's way
