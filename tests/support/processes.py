"""Programs that a test runs, and the proof that nothing of them is left."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.figures import descriptors
from tests.support.timeouts import seconds, wait_until

_MARK = "CHAT_BROKER_TEST_MARK"


class Run:
    """A program that runs in a session of its own, with its output in files. Leaving the `with` kills what is left of it.

    All its descendants carry a mark in their environment, by which they are found whatever became of their parents.
    """

    def __init__(self, arguments: list[str | Path], scratch: Path, environ: Mapping[str, str] | None = None) -> None:
        self._mark = uuid.uuid4().hex
        self._out = scratch / f"{self._mark}.out"
        self._err = scratch / f"{self._mark}.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(environ or {}), _MARK: self._mark},
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        while pids := self.alive():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):  # it has died with one that was killed before it
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def send_group(self, number: signal.Signals) -> None:
        """As the terminal does for Ctrl+C."""
        os.killpg(self.pid, number)

    def alive(self) -> list[int]:
        """The pids of the program and all its descendants."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and self._is_ours(name)]

    def _is_ours(self, pid: str) -> bool:
        try:
            return f"{_MARK}={self._mark}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False  # gone, or a zombie

    def wait_for(self, text: str, limit: float = 10, count: int = 1) -> None:
        """Until `text` stands in its output, so often."""
        wait_until(lambda: self._said(text, count), f"{text!r} is said", limit=limit)

    def _said(self, text: str, count: int) -> bool:
        if (self.out + self.err).count(text) >= count:
            return True
        assert self.process.poll() is None, f"ended with {self.process.returncode} without saying {text!r}: {self.err}"
        return False

    def end(self, limit: float = 5) -> int:
        """Its exit status, once it has ended; fails if it does not, leaves somebody behind, or shows a traceback."""
        status = self.process.wait(seconds(limit))
        wait_until(lambda: not self.alive(), "nobody is left of it", limit=2)
        assert "Traceback" not in self.err, self.err
        assert "Exception ignored" not in self.err, self.err
        return status


@contextlib.contextmanager
def no_descriptor_left(pid: int) -> Iterator[None]:
    """The process can have no descriptor but those that it has."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = descriptors(pid)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next(fd for fd in itertools.count() if fd not in used), hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
