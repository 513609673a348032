"""broker.supervisor with small children (see `small_child`), which misbehave on demand.

What takes longer is in tests/faults; with the real children it is tested there and in tests/integration.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.children import Child
from broker.listening import resolve
from broker.roles import Key
from broker.status_socket import ask
from broker.supervisor import Plan, Supervisor
from common.child import Boot
from common.control import Control
from common.limits import Limits
from tests.support.processes import Run
from tests.support.small_server import orders, stop, supervised
from tests.support.timeouts import seconds, wait_until


def test_everybody_is_connected_at_the_start_and_told_to_stop_at_the_end(tmp_path: Path) -> None:
    with supervised(tmp_path) as run:
        run.wait_for("ready on")
        assert re.fullmatch(rf"chat-broker ready on 127\.0\.0\.1:\d+ \(2 workers, data in {tmp_path}\)\n", run.out)
        stop(run)
        places = [f'worker {{"number": {number}, "generation": 0}} +1' for number in (1, 2)]
        gone = [f'worker_gone {{"number": {number}, "generation": 0}} +0' for number in (1, 2)]
        for number in (1, 2):
            assert orders(run, f"worker {number} g0") == ["broker {} +1", "acceptor {} +1", "drain {} +0"]
        assert orders(run, "acceptor g0")[:4] == ['listen {"plain": true} +1', *places, "stop {} +0"]
        of_broker = orders(run, "broker g0")
        assert of_broker[:3] == [*places, "begin {} +0"]
        assert of_broker[3] == "drain {} +0", "the broker is the first to know"
        assert sorted(of_broker[4:6]) == gone
        assert of_broker[6:] == ["stop {} +0"], "the broker is the last"


@pytest.mark.parametrize(
    ("victim", "told"),
    [
        (
            "worker 2",
            {
                "worker 2 g1": ["broker {} +1", "acceptor {} +1"],
                "worker 1 g0": [],
                "broker g0": ['worker_gone {"number": 2, "generation": 0} +0', 'worker {"number": 2, "generation": 1} +1'],
                "acceptor g0": [
                    'worker_gone {"number": 2, "generation": 0} +0',
                    'worker {"number": 2, "generation": 1} +1',
                ],
            },
        ),
        (
            "broker",
            {
                "broker g1": [
                    'worker {"number": 1, "generation": 0} +1',
                    'worker {"number": 2, "generation": 0} +1',
                    "begin {} +0",
                ],
                "worker 1 g0": ["broker {} +1"],
                "worker 2 g0": ["broker {} +1"],
                "acceptor g0": [],
            },
        ),
        (
            "acceptor",
            {
                "acceptor g1": [
                    'listen {"plain": true} +1',
                    'worker {"number": 1, "generation": 0} +1',
                    'worker {"number": 2, "generation": 0} +1',
                ],
                "worker 1 g0": ["acceptor {} +1"],
                "worker 2 g0": ["acceptor {} +1"],
                "broker g0": [],
            },
        ),
    ],
)
def test_who_dies_is_replaced_and_connected_to_the_others(victim: str, told: dict[str, list[str]], tmp_path: Path) -> None:
    with supervised(tmp_path, beat_seconds=3600) as run:  # which would ask them again
        run.wait_for("ready on")
        pids = ask(tmp_path)
        before = dict.fromkeys(told, 0)
        for child in told:
            if child.endswith("g0"):
                run.wait_for(f"{child}: status {{}} +0")  # the last of what it was told at the start
                before[child] = len(orders(run, child))
        pid = pids["workers"][1] if victim == "worker 2" else pids[victim]
        os.kill(pid, signal.SIGKILL)
        run.wait_for(f"{victim} (pid {pid}) died (signal 9) after ")
        run.wait_for(" is back, ")

        def told_since() -> dict[str, list[str]]:
            return {child: orders(run, child)[before[child] :] for child in told}

        wait_until(lambda: told_since() == told, "everybody was told what they have to know")
        time.sleep(0.05)
        assert told_since() == told, "and nothing else"
        stop(run)


def test_one_that_stumbles_at_its_start_is_started_again(tmp_path: Path) -> None:
    with supervised(tmp_path, broker="stumbles") as run:
        run.wait_for("ready on")
        assert "ERROR broker      unexpected: ValueError: the first step is the hardest\n" in run.err
        assert re.search(r"broker \(pid \d+\) died \(exit status 1\) before it was ready, starting it again\n", run.err)
        assert re.search(r"broker \(pid \d+\) is back, \d\.\d\d s after it died\n", run.err)
        stop(run)


@pytest.mark.parametrize(
    ("misdeed", "said"),
    [
        ("refuses", "the log is from the future, install a newer chat-broker"),
        ("refuses_silently", r"broker \(pid \d+\) died \(exit status 3\), it cannot start"),
    ],
)
def test_one_that_cannot_start_ends_it_all_with_one_line(misdeed: str, said: str, tmp_path: Path) -> None:
    with supervised(tmp_path, broker=misdeed) as run:
        assert run.end() == 1
        lines = [line for line in run.err.splitlines() if " INFO " not in line]
        assert len(lines) == 1
        assert re.fullmatch(f"chat-broker: {said}", lines[0])
        assert run.out == ""


def test_children_are_deaf_to_the_terminal(tmp_path: Path) -> None:
    with supervised(tmp_path) as run:
        run.wait_for("ready on")
        told = ask(tmp_path)
        for pid in [told["broker"], told["acceptor"], *told["workers"]]:
            blocked = re.search(r"SigBlk:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())
            assert blocked
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                assert int(blocked[1], 16) >> (number - 1) & 1
        stop(run)


def test_children_have_no_descriptors_but_their_own(tmp_path: Path) -> None:
    with supervised(tmp_path, 3) as run:
        run.wait_for("ready on")
        told = ask(tmp_path)
        for pid in [told["broker"], told["acceptor"], *told["workers"]]:
            links = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
            assert len([link for link in links if link.startswith("socket:")]) == orders_with_descriptors(run, pid, told) + 1
        stop(run)


def orders_with_descriptors(run: Run, pid: int, told: dict[str, object]) -> int:
    """How many sockets a child was given: the small ones keep them all."""
    if pid == told["broker"]:
        return sum(order.endswith("+1") for order in orders(run, "broker g0"))
    if pid == told["acceptor"]:
        return sum(order.endswith("+1") for order in orders(run, "acceptor g0"))
    return 2


@contextlib.contextmanager
def with_a_worker(tmp_path: Path, runs_seconds: float) -> Iterator[tuple[Supervisor, Child, socket.socket]]:
    """A supervisor that does nothing by itself, a worker that has long been ready, and its end of the control socket."""
    boot = Boot(parent=0, data_dir=str(tmp_path), limits=Limits(), log_format="text", log_level="info")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with socket.socket() as listener, theirs:
        supervisor = Supervisor(Plan(boot, 1, resolve("127.0.0.1", 0)), listener, print)
        process = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({runs_seconds})"])
        worker = supervisor._children[Key("worker", 1)] = Child(Key("worker", 1), 0, process, Control(ours))
        worker.ready_at = time.monotonic() - 60
        supervisor._selector.register(worker.control, selectors.EVENT_READ)
        try:
            yield supervisor, worker, theirs
        finally:
            process.kill()
            process.wait(seconds(5))
            worker.control.close()
            supervisor._selector.close()


@pytest.mark.parametrize("lives", [True, False])
def test_a_worker_that_has_just_died_is_not_told_to_be_killed(
    lives: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker notices its closed pipe, and may say so before the worker is reaped: what it died of is what counts."""
    with with_a_worker(tmp_path, 60 if lives else 0) as (supervisor, worker, _):
        if not lives:
            os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
        supervisor._late(worker)
        assert worker.process.wait(seconds(5)) == (-signal.SIGKILL if lives else 0)
        assert ("does not introduce itself" in caplog.text) == lives


def test_one_that_cannot_answer_any_more_is_not_waited_for_as_long_as_one_that_is_late(tmp_path: Path) -> None:
    with with_a_worker(tmp_path, 60) as (supervisor, worker, theirs):
        theirs.shutdown(socket.SHUT_WR)
        supervisor._attend(worker)
        supervisor._beat(time.monotonic())
        assert worker.process.poll() is None, "it may be about to end"
        supervisor._beat(time.monotonic())
        assert worker.process.wait(seconds(5)) == -signal.SIGKILL
