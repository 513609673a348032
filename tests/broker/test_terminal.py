"""broker.terminal: what SIGHUP means, on a real terminal."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.support.processes import Run
from tests.support.terminal import terminal
from tests.support.timeouts import seconds, wait_until

SCRIPT = """
import os, signal, sys, time
from broker.terminal import Terminal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
terminal = Terminal()
saw = [terminal.has_closed()]
open(sys.argv[1] + ".ready", "w")
while not os.path.exists(sys.argv[1] + ".closed"):
    time.sleep(0.01)
for _ in range(3):
    saw.append(terminal.has_closed())
    terminal.look()
open(sys.argv[1], "w").write(f"{saw}.")
"""


@pytest.mark.parametrize(
    ("how", "saw"),
    [("told", [False, True, True, False]), ("not told", [False, False, False, False])],
)
def test_a_terminal_that_was_closed_is_of_interest_for_a_while(how: str, saw: list[bool], tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, "-c", SCRIPT, tmp_path / "saw"]
    with terminal(command if how == "told" else ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *command]) as window:
        window.wait_until((tmp_path / "saw.ready").exists, "it looks")
        window.hang_up()
        (tmp_path / "saw.closed").touch()
        assert window.process.wait(seconds(5)) == 0
    assert (tmp_path / "saw").read_text() == f"{saw}."


def test_without_one_none_is_closed(tmp_path: Path) -> None:
    with Run([sys.executable, "-c", SCRIPT, tmp_path / "saw"], tmp_path) as run:
        wait_until((tmp_path / "saw.ready").exists, "it looks")
        run.send(signal.SIGHUP)
        (tmp_path / "saw.closed").touch()
        run.process.wait(seconds(5))
    assert (tmp_path / "saw").read_text() == f"{[False] * 4}."
