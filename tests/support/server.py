"""A real server for a test: its processes, its port, its log; and the proof that it leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common.child import Boot
from tests.support.timeouts import seconds, wait_until

SCRIPTS = Path(sys.executable).parent
"""Where the scripts of this environment are."""
_READY = re.compile(r"^chat-broker ready on (?P<host>.+):(?P<port>\d+)", re.MULTILINE)


class Server:
    """A `chat-broker` that runs, on a free port. It is the leader of a process group of its own."""

    def __init__(self, data_dir: Path, *options: str, limits: Mapping[str, int] | None = None) -> None:
        """`limits`: those of `[limits]` that are others than usual. Without, messages may come as fast as they like."""
        limits = {"messages_per_second": 1_000_000, "user_messages_per_second": 1_000_000} | dict(limits or {})
        self.data_dir = data_dir
        self.log = data_dir.with_name(data_dir.name + ".log")
        """What it wrote to stderr."""
        self._output = data_dir.with_name(data_dir.name + ".out")
        with self.log.open("a") as log, self._output.open("w") as output:
            self.process = subprocess.Popen(
                [SCRIPTS / "chat-broker", "--port", "0", "--data-dir", data_dir, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env=os.environ | {f"CHAT_BROKER_LIMITS_{name.upper()}": str(most) for name, most in limits.items()},
                start_new_session=True,
            )
        try:
            ready = wait_until(self._ready, "the server says that it is ready", limit=10)
        except BaseException:
            self.kill()
            raise
        self.host, self.port = ready["host"], int(ready["port"])

    def _ready(self) -> re.Match[str] | None:
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log.read_text()}")
        return _READY.search(self._output.read_text())

    @property
    def pid(self) -> int:
        """The supervisor's."""
        return self.process.pid

    def children(self) -> dict[str, int]:
        """The pids of the processes that live now, by their names: `broker`, `acceptor`, `worker 1`; without asking them."""
        return {name: pid for pid in members(self.pid) if (name := _name_of(pid))}

    def status(self) -> dict[str, Any]:
        """What `chat-broker status --json` tells: the pids of the processes, and figures."""
        command: list[str | Path] = [SCRIPTS / "chat-broker", "status", "--data-dir", self.data_dir, "--json"]
        answer = subprocess.run(command, capture_output=True, check=False, text=True, timeout=seconds(5))
        assert answer.stdout, answer.stderr
        figures: dict[str, Any] = json.loads(answer.stdout)
        assert answer.returncode == (1 if figures["trouble"] or figures["silent"] else 0)
        return figures

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        """Stops it as Ctrl+C does; proves that it ended well, in time, and that nobody is left."""
        self.signal(signal.SIGTERM)
        status = self.process.wait(seconds(6))
        assert status == 0, f"the server ended with {status}:\n{self.log.read_text()}"
        self.check()

    def kill(self) -> None:
        """Kills every process of it at once (SIGKILL), as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(seconds(5))
        wait_until(lambda: not members(self.pid), "the killed processes are gone")

    def check(self) -> None:
        """What holds of a server that has ended, however it did: nobody is left, and no traceback was logged."""
        wait_until(lambda: not members(self.pid), f"nobody is left of the server, but {members(self.pid)} are", limit=2)
        text = self.log.read_text()
        assert "Traceback" not in text, text


@contextlib.contextmanager
def running_server(data_dir: Path, *options: str, workers: int = 2, limits: Mapping[str, int] | None = None) -> Iterator[Server]:
    """A server on `data_dir` (its log goes beside it) that is stopped, and checked, at the end.

    A test may kill or stop it itself, and then owes the checks to nobody: they are made here all the same.
    """
    server = Server(data_dir, "--workers", str(workers), *options, limits=limits)
    try:
        yield server
        if server.process.poll() is None:
            server.stop()
        else:
            server.check()
    finally:
        if members(server.pid):
            server.kill()


def members(group: int) -> list[int]:
    """The pids of a process group, without those that are dead and only wait for their parent to notice."""
    return [pid for pid in _pids() if _group_of(pid) == group]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _group_of(pid: int) -> int | None:
    try:
        state, _, group = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return None
    return None if state in "ZX" else int(group)


def _name_of(pid: int) -> str | None:
    """Which child of a server this process is, by what it was told on its command line; None if it is none (yet)."""
    try:
        *_, boot = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        return Boot.from_json(boot.decode()).name
    except (OSError, ValueError, TypeError):
        return None
