"""How fast the client is."""

from __future__ import annotations

import os
import pty
import re
import statistics
import subprocess
import sys
import termios
from pathlib import Path

from tests.support.groups import TESTS
from tests.support.server import Server
from tests.support.timeouts import seconds
from tests.terminal.conftest import client_command

FIRST_SCREEN = 0.3
"""Seconds from the start of the program until its screen has been drawn (median, warm)."""


def test_the_first_screen_is_there_at_once(server: Server, tmp_path: Path) -> None:
    """In processor time: until then the client waits for nothing, and what else the machine does is no matter.

    As an installed program is, it is compiled already; the first of these starts does that.
    """
    _time_to_first_screen(server, tmp_path)
    times = [_time_to_first_screen(server, tmp_path) for _ in range(7)]
    assert statistics.median(times) <= seconds(FIRST_SCREEN), times


def _time_to_first_screen(server: Server, directory: Path) -> float:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    command = client_command(server, directory / "ada", "--name", "ada40")
    env = {**os.environ, "TERM": "xterm", "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(directory / "compiled")}
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        shown = b""
        while b"F1 help" not in shown:
            shown += os.read(master, 65536)
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        os.close(slave)
        os.close(master)
        process.terminate()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_benchmark_measures_a_client_on_a_terminal() -> None:
    command = [sys.executable, "-m", "bench.client", "--quick"]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False, timeout=seconds(30))
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        r"first screen: \d+ ms",
        r"memory: [\d,-]+ bytes a message",
        r"key to screen, 500 messages loaded: p50 [\d.]+ ms, p99 [\d.]+ ms \(16 keys\)",
        r"1,000 messages/s coming in: \d+% of a core; key to screen meanwhile: p50",
    ):
        assert re.search(line, done.stdout), done.stdout
