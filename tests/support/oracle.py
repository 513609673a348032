"""What must hold after anything that a stranger did to a server: nobody else notices, nothing leaks, and the log is whole."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
import sqlite3
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from common import messages as m
from common.log_file import FILE_NAME
from tests.support.server import Server
from tests.support.timeouts import seconds, wait_until
from tests.support.wire import Wire

LINES = 10
SLOWEST_SECONDS = 0.2
MORE_BYTES = 10 * 1024 * 1024
LINES_LOGGED = 8
"""Beside one for each who came or went."""
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INSTANCES = itertools.count(2**30)
_CAME_OR_WENT = re.compile(r" (came|left) \(\S+\)$")


class Oracle:
    """Two pairs of people, one at each of two workers, who go on talking; and what the server was like before."""

    def __init__(self, server: Server, patience: float = 10) -> None:
        """`patience`: how long descriptors may stay open that are not needed any more (seconds)."""
        self._server = server
        self._patience = patience
        self._instance = next(_INSTANCES)
        self._counter = 0
        self._acknowledged: list[int] = []
        wires = [Wire(server.host, server.port) for _ in range(4)]  # the acceptor shares them out evenly
        self._pairs = [(wires[0], wires[2]), (wires[1], wires[3])]
        for number, pair in enumerate(self._pairs):
            for one, wire in zip("ab", pair, strict=True):
                wire.hello(f"{one}{number}{self._instance}", rooms=[f"#pair{number}"])
        self._pids = server.children()
        self._talk()
        self._descriptors = {pid: self._descriptors_of(pid) for pid in self._pids.values()}
        self._bytes = {pid: _resident(pid) for pid in self._pids.values()}
        self._read = len(server.log.read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        for wire in itertools.chain(*self._pairs):
            wire.close()

    def check(self) -> None:
        """Fails unless nothing has happened that anybody else would notice."""
        self.check_others()
        assert self._server.children() == self._pids
        for pid, before in self._descriptors.items():
            wait_until(functools.partial(self._has_no_more_than, pid, before), "descriptors are closed", limit=self._patience)
            assert _resident(pid) - self._bytes[pid] < MORE_BYTES
        self._check_log()
        self._check_messages()
        with Wire(self._server.host, self._server.port) as again:
            again.hello(f"again{self._counter}of{self._instance}")

    def check_others(self) -> None:
        """Fails if they have to wait. What it costs the server is not looked at: that may be for as long as the deed lasts."""
        slowest = self._talk()
        assert slowest < seconds(SLOWEST_SECONDS), f"the others waited {slowest:.3f} s"

    def _talk(self) -> float:
        """Each pair says so many lines, all heard once and in order; how long the slowest took (seconds)."""
        slowest = 0.0
        for _ in range(LINES):
            self._counter += 1
            for number, (one, other) in enumerate(self._pairs):
                began = time.monotonic()
                said = one.say(m.make_ref(self._instance + number, self._counter), f"#pair{number}", f"line {self._counter}")
                while (heard := other.expect(m.Msg)).to != f"#pair{number}":
                    pass  # what strangers say in the lobby
                assert heard == said
                self._acknowledged.append(said.id)
                slowest = max(slowest, time.monotonic() - began)
        return slowest

    def _descriptors_of(self, pid: int) -> int:
        return len(os.listdir(f"/proc/{pid}/fd"))

    def _has_no_more_than(self, pid: int, descriptors: int) -> bool:
        return self._descriptors_of(pid) <= descriptors

    def _check_log(self) -> None:
        text = self._server.log.read_text()
        lines, self._read = text[self._read :].split("\n"), len(text)
        assert "Traceback" not in text
        assert not [line for line in lines if _CONTROLS.search(line)]
        others = [line for line in lines if line and not _CAME_OR_WENT.search(line)]
        assert len(others) <= LINES_LOGGED, others

    def _check_messages(self) -> None:
        path = self._server.data_dir / FILE_NAME
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as log:
            assert log.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            runs = log.execute("SELECT last, count FROM runs").fetchall()
            stored = Counter(id for last, count in runs for id in range(last - count + 1, last + 1))
        assert all(stored[id] == 1 for id in self._acknowledged)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
