"""The real `chat-broker` on a data directory of a test, from the moment it starts: what it says, what it leaves, who it is."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from common import messages as m
from tests.support.processes import Run
from tests.support.server import SCRIPTS
from tests.support.timeouts import seconds
from tests.support.wire import Wire

BROKER = SCRIPTS / "chat-broker"
_NUMBERS = itertools.count(1)


class Place:
    """Where a test has its data directory, and what the servers on it say."""

    def __init__(self, tmp_path: Path) -> None:
        self.scratch = tmp_path
        self.data = tmp_path / "data"

    def run(self, *arguments: str | Path, **environ: str) -> Run:
        return Run([BROKER, "--data-dir", self.data, *arguments], self.scratch, environ)

    def serve(self, *more: str | Path, port: int = 0) -> Run:
        return self.run("--port", str(port), "--workers", "2", *more)

    def status(self) -> dict[str, Any]:
        answer = subprocess.run(
            [BROKER, "status", "--json", "--data-dir", self.data], capture_output=True, timeout=seconds(5), check=False
        )
        if not answer.stdout:  # else it tells of a server with which something is wrong
            answer.check_returncode()
        told: dict[str, Any] = json.loads(answer.stdout)
        return told


def port_of(run: Run) -> int:
    """Where it listens, once it is ready."""
    run.wait_for("chat-broker ready on ")
    found = re.fullmatch(r"chat-broker ready on 127\.0\.0\.1:(\d+) \(2 workers, data in \S+/data\)\n", run.out)
    assert found, run.out
    return int(found[1])


def pids(told: dict[str, Any]) -> set[int]:
    return {told["supervisor"], told["acceptor"], told["broker"], *told["workers"]}


def chat(port: int) -> None:
    """Two people talk, on two connections: each of the two workers gets one of them."""
    number = next(_NUMBERS)
    with Wire("127.0.0.1", port) as ada, Wire("127.0.0.1", port) as bob:
        ada.hello(f"ada{number}")
        bob.hello(f"bob{number}")
        ada.say(m.make_ref(number, 1), "#lobby", "is anybody there?")
        heard = bob.expect(m.Msg)
        assert (heard.sender, heard.text) == (f"ada{number}", "is anybody there?")
