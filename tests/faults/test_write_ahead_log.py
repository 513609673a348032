"""The write-ahead log stays small, and commits fast, however many clients read the log all the while."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bench.figures import p99
from common.log_file import FILE_NAME
from tests.faults.broken import broken
from tests.faults.load import Load
from tests.support.groups import LONG, rounds
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.timeouts import seconds, wait_until
from tests.support.verdict import entries_of, verify
from tests.support.wire import Wire

PAGERS = rounds(100, 1000)
PAUSE_SECONDS = 0.2 if not LONG else 4.0
"""Between a client's pages: 500 pages a second in all, or 250 of a crowd that reads them."""
RATE = rounds(400, 1000)
"""Messages a second."""
ALONE_SECONDS = 60 if LONG else 0.5
BESIDE_SECONDS = rounds(2, 600)
SLACK = 0.02 if LONG else 0.25
"""By so many seconds a commit may take longer in any case. In an everyday run, of few commits on a machine that has other things
to do, only waiting for readers (up to a second) would show."""
WAL_BYTES = 64 * 1024 * 1024


def test_the_write_ahead_log_stays_small(tmp_path: Path) -> None:
    paging(tmp_path)


def test_it_stays_small_where_people_only_come_and_go(tmp_path: Path) -> None:
    """Coming into a room, and leaving, is written down as well."""
    data = tmp_path / "data"
    with broken("waits_for_readers_early"), running_server(data) as server:
        token = come_and_go(server)
        begun = beginnings(data)
        wait_until(lambda: come_and_go(server, token) and beginnings(data) > begun, "the write-ahead log is begun anew")


def come_and_go(server: Server, token: str | None = None) -> str:
    with Wire(server.host, server.port) as wire:
        options: dict[str, Any] = {} if token is None else {"token": token}
        return str(wire.hello("ada", rooms=["#dev"], **options).options["token"])


def test_it_grows_where_it_is_never_tidied_up(tmp_path: Path) -> None:
    with broken("never_tidies_up"), pytest.raises(AssertionError, match="begun anew"):
        paging(tmp_path)


def paging(scratch: Path) -> None:
    chance = seeded()
    data, times = scratch / "data", scratch / "commits"
    environ = {"CHAT_BROKER_TEST_COMMITS": str(times)}
    builds = ["notes_commit_times"] if LONG else ["notes_commit_times", "waits_for_readers_early"]
    with mock.patch.dict(os.environ, environ), broken(*builds), running_server(data) as server:
        with Load(server.port, chance, clients=20, rooms=4, rate=RATE, lobby=False) as load:
            load.start()
            load.run(ALONE_SECONDS)
            alone = times_of(times)
            size, anew, pages = 0, 0, 0
            with pagers(server) as count:
                begun = beginnings(data)
                for _ in range(4 * BESIDE_SECONDS):
                    load.run(0.25)
                    size = max(size, (data / f"{FILE_NAME}-wal").stat().st_size)
                anew = beginnings(data) - begun
                pages = count()
            beside = times_of(times)[len(alone) :]
            print(f"{pages} pages beside {sum(load.said.values())} messages")
            print(f"write-ahead log: at most {size / 2**20:.1f} MiB, begun anew {anew} times")
            print(f"commits: p99 {1000 * p99(alone):.1f} ms alone, {1000 * p99(beside):.1f} ms beside")
            assert pages > 20 * BESIDE_SECONDS
            assert size < WAL_BYTES
            assert anew > 0, "the write-ahead log is begun anew"
            assert p99(beside) <= max(2 * p99(alone), p99(alone) + seconds(SLACK))
            load.settle()
        server.stop()
    verify(load.talkers, entries_of(data))


def times_of(times: Path) -> list[float]:
    """How long each commit took, with what tidying up before it took (seconds)."""
    return [float(line) for line in times.read_text().splitlines()]


def beginnings(data: Path) -> int:
    """How often the write-ahead log was begun anew: it counts that in its header."""
    with (data / f"{FILE_NAME}-wal").open("rb") as file:
        header = file.read(16)
    return int.from_bytes(header[12:16]) if header else 0


@contextmanager
def pagers(server: Server) -> Iterator[Callable[[], int]]:
    """Many clients that page through the history; gives how many pages they got so far."""
    output = server.data_dir.with_name("pagers")
    with output.open("w") as file:
        command = [sys.executable, "-m", "tests.faults.pagers", str(server.port), str(PAGERS), str(PAUSE_SECONDS)]
        process = subprocess.Popen(command, stdout=file)
    try:
        wait_until(lambda: process.poll() is not None or output.read_text(), "the clients page", limit=20)
        yield lambda: int(output.read_text().split()[-1])
        assert process.poll() is None, "the clients still page"
    finally:
        process.kill()
        process.wait()
