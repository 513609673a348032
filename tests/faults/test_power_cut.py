"""A power cut loses nothing that anybody was told of."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from common import messages as m
from common.errors import MEANINGS, Code
from common.log_file import FILE_NAME
from tests.faults.broken import broken
from tests.faults.disk import Disk, calls, traced
from tests.support.groups import rounds
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.timeouts import wait_until
from tests.support.wire import Wire

PEOPLE = 4


def test_what_was_told_survives_a_power_cut(tmp_path: Path) -> None:
    power_cut(tmp_path, rounds(10, 400))


def test_it_does_not_without_a_sync_for_each_commit(tmp_path: Path) -> None:
    with broken("does_not_sync_commits"), pytest.raises(AssertionError, match="were told, and are lost"):
        power_cut(tmp_path, 3)


def test_what_was_told_survives_also_where_syncs_fail(tmp_path: Path) -> None:
    power_cut(tmp_path, rounds(10, 400), failing_syncs="5+7")


def test_it_does_not_where_a_failed_commit_is_taken_for_done(tmp_path: Path) -> None:
    with broken("takes_failed_commits_for_done"), pytest.raises(AssertionError, match="were told, and are lost"):
        power_cut(tmp_path, 8, failing_syncs="5+7")


def power_cut(scratch: Path, turns: int, *, failing_syncs: str | None = None) -> None:
    """Traces a server while people talk, and cuts the power each time somebody was told of a message."""
    chance = seeded()
    with running_server(scratch / "data") as server:
        children = server.children()
        disk = Disk(scratch / "data", chance)
        with traced([children["broker"], children["worker 1"], children["worker 2"]], scratch / "trace", failing_syncs):
            refused = talk(server, turns)
    told: set[str] = set()
    moments = 0
    for call in calls(scratch / "trace"):
        if call.name != "sendto":
            disk.take(call)
        elif new := call.texts - told:
            told |= new
            moments += 1
            for synced_only in (True, False):
                lost = told - disk.after_a_power_cut(scratch / "cut", synced_only)
                assert not lost, f"{len(lost)} of {len(told)} messages were told, and are lost: {lost}"
    assert len(told) == PEOPLE * turns
    assert moments > turns / 2
    assert disk.checkpoints, "the write-ahead log was put into the file in between"
    assert bool(failing_syncs) == bool(disk.failures) == bool(refused)


def talk(server: Server, turns: int) -> int:
    """Several people say something at once, again and again, and again what was refused. How often it was.

    In the middle they are quiet for long enough that the log is tidied up.
    """
    refused, tidied = 0, False
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.host, server.port)) for _ in range(PEOPLE)]
        for number, wire in enumerate(wires):
            wire.hello(f"user{number}")
        for turn in range(1, turns + 1):
            before = written_at(server)
            sends = [m.Send(m.make_ref(n + 1, turn), m.LOBBY, f"message {turn} of {n}", {}) for n in range(PEOPLE)]
            for wire, send in zip(wires, sends, strict=True):
                wire.send(send)
            for wire, send in zip(wires, sends, strict=True):
                refused += until_acknowledged(wire, send)
            if turn >= turns // 2 and not tidied:
                tidied = is_tidied_up(server, before)
    return refused


def written_at(server: Server) -> int:
    """When the log's file was written the last time: that is what tidying up does."""
    return (server.data_dir / FILE_NAME).stat().st_mtime_ns


def is_tidied_up(server: Server, since: int) -> bool:
    """Waits for it. It is tried once, and fails where a sync of it does."""
    with suppress(AssertionError):
        wait_until(lambda: written_at(server) != since, "the log is tidied up", limit=3)
        return True
    return False


def until_acknowledged(wire: Wire, send: m.Send) -> int:
    """Sends it again until it is: how often it was refused."""
    refused = 0
    while True:
        match wire.receive():
            case m.Msg(ref=send.ref):
                return refused
            case m.Error(ref=send.ref, code=code):
                assert MEANINGS[Code(code)].passing, code
                refused += 1
                time.sleep(0.02)
                wire.send(send)
            case None:
                raise AssertionError("the server closed")
