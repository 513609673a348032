"""One client that asks as fast as it can does not make the others wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench.figures import p99
from common import messages as m
from tests.faults.broken import broken
from tests.faults.flooder import REQUESTS
from tests.faults.load import Load
from tests.support.encrypted import client_hello, tls_options
from tests.support.groups import LONG
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.timeouts import seconds, wait_until
from tests.support.verdict import entries_of, verify
from tests.support.wire import Wire

MOST_SECONDS = 0.1 if LONG else 0.15
OF_HUNDRED = 99 if LONG else 75
"""What the others wait at most while one floods, and how many of them. In an everyday run, of a hundred messages on a
machine that has other things to do, the slowest tell nothing.
"""
FLOOD_SECONDS = 20 if LONG else 0.4


def test_one_that_floods_does_not_make_others_wait(tmp_path: Path) -> None:
    fairness(tmp_path, [*REQUESTS])


def test_others_wait_where_all_that_it_sent_is_dealt_with_first(tmp_path: Path) -> None:
    with broken("reads_all_at_once"), pytest.raises(AssertionError, match=r"the others wait|not within"):
        fairness(tmp_path, ["nonsense"], 4 * FLOOD_SECONDS, most=MOST_SECONDS)


def fairness(scratch: Path, kinds: list[str], duration: float = FLOOD_SECONDS, most: float | None = None) -> None:
    data = scratch / "data"
    waits: dict[str, float] = {}
    with running_server(data) as server:
        with Load(server.port, seeded(), clients=20, rooms=4, rate=200) as load:
            load.start()
            for _ in range(300):
                load.talkers[0].send(m.LOBBY, "something for the pages ".ljust(300, "x"))
            load.run_until(lambda: not load.talkers[0].protocol.outbox, "there is something to page through", talking=False)
            alone = others_wait(load, duration)
            for kind in kinds:
                with flooding(server, kind):
                    load.run(0.1)
                    waits[kind] = others_wait(load, duration)
            told = ", ".join(f"{1000 * wait:.0f} ms beside {kind}" for kind, wait in waits.items())
            print(f"p{OF_HUNDRED}: {1000 * alone:.0f} ms alone, {told}")
            bound = seconds(MOST_SECONDS) if most is None else most
            assert max(waits.values()) < max(bound, 2 * alone), f"the others wait: {told}"
            load.settle()
        server.stop()
    verify(load.talkers, entries_of(data))


def others_wait(load: Load, duration: float) -> float:
    for talker in load.talkers:
        talker.waits.clear()
    load.run(duration)
    return p99([wait for talker in load.talkers for wait in talker.waited()], OF_HUNDRED)


@contextmanager
def flooding(server: Server, kind: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.faults.flooder", str(server.port), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "flooding\n"
        yield
        said, _ = process.communicate("", timeout=seconds(10))
    print(f"{said.strip()} requests: {kind}")
    assert process.returncode == 0


# --- handshakes --------------------------------------------------------------------------------------------------------

CROWD = 500
"""Their half of the handshakes takes a worker a tenth to a quarter of a second."""
CROWD_SHARE = 0.5
"""Somebody else waits for an answer meanwhile for such a part of that at most."""


def test_a_crowd_that_begins_tls_at_once_does_not_make_others_wait(tmp_path: Path) -> None:
    crowd(tmp_path)


def test_others_wait_where_all_handshakes_are_done_first(tmp_path: Path) -> None:
    with broken("shakes_all_hands_at_once"), pytest.raises(AssertionError, match="waited"):
        crowd(tmp_path)


def crowd(scratch: Path) -> None:
    """Everything of theirs is there before the worker looks, and what the other one asks is behind it."""
    with running_server(scratch / "data", *tls_options(scratch, True), workers=1) as server, ExitStack() as stack:
        ada = stack.enter_context(Wire(server.host, server.port))
        ada.hello("ada")
        strangers = [stack.enter_context(Wire(server.host, server.port)) for _ in range(CROWD)]
        wait_until(lambda: server.status()["connections"] == CROWD + 1, "all are at the worker", every=0.1)
        worker = server.children()["worker 1"]
        os.kill(worker, signal.SIGSTOP)
        for stranger in strangers:
            stranger.send_bytes(client_hello())
        ada.send(m.Ping(5))
        began = time.monotonic()
        os.kill(worker, signal.SIGCONT)
        while ada.expect(m.Pong).ref != 5:
            pass
        waited = time.monotonic() - began
        for stranger in strangers:
            assert stranger.socket.recv(1) == b"\x16", "it was answered too"
        all_waited = time.monotonic() - began
    print(f"{CROWD} handshakes were answered within {1000 * all_waited:.0f} ms, a ping after {1000 * waited:.0f} ms")
    assert waited < CROWD_SHARE * all_waited, f"somebody else waited {waited:.3f} s"
