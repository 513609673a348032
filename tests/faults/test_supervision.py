"""The supervisor's patience with children that misbehave: how often, how long, and what it says."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from pathlib import Path

from broker.status_socket import ask
from tests.support.processes import Run, no_descriptor_left
from tests.support.server import SCRIPTS
from tests.support.small_server import orders, stop, supervised
from tests.support.timeouts import seconds

BEAT = seconds(0.15)
"""How often each child is asked whether it is well; it is killed after six times without an answer."""


def test_one_that_never_gets_ready_ends_it_all(tmp_path: Path) -> None:
    began = time.monotonic()
    with supervised(tmp_path, worker="dies") as run:
        assert run.end(limit=10) == 1
        assert time.monotonic() - began >= 0.1 + 0.2 + 0.4
        [said] = [line for line in run.err.splitlines() if line.startswith("chat-broker: ")]
        assert re.fullmatch(
            r"chat-broker: worker \d \(pid \d+\) died \(exit status 1\), the 5th time before it was ready; the log says more",
            said,
        )
        assert run.out == ""


def test_without_descriptors_for_its_children_it_says_so(tmp_path: Path) -> None:
    command = 'ulimit -n 12 && exec "$0" --port 0 --workers 8 --data-dir "$1"'
    with Run(["bash", "-c", command, SCRIPTS / "chat-broker", tmp_path / "data"], tmp_path) as run:
        assert run.end() == 1
        [said] = [line for line in run.err.splitlines() if line.startswith("chat-broker: ")]
        assert re.search(r" could not be started \(Too many open files\), the 5th time before it was ready; ", said)


def test_one_that_was_well_is_not_given_up(tmp_path: Path) -> None:
    """The system may be short of memory or processes for a while, which is no reason to end the others as well."""
    with supervised(tmp_path, acceptor="is_long_in_coming_back") as run:
        run.wait_for("ready on")
        os.kill(ask(tmp_path)["acceptor"], signal.SIGKILL)
        run.wait_for(" is back, ", limit=20)
        assert "chat-broker: " not in run.err
        stop(run)


def test_one_that_keeps_dying_early_is_given_time(tmp_path: Path) -> None:
    with supervised(tmp_path, acceptor="dies_after_its_start") as run:
        run.wait_for("starting it again in 0.4 s")
        waits = re.findall(r"acceptor \(pid \d+\) died .* after 0\.\d s, starting it again(?: in (0\.\d) s)?\n", run.err)
        assert waits == ["", "0.1", "0.2", "0.4"]
        assert "chat-broker: " not in run.err, "the others go on"
        stop(run)


def test_one_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, worker="disobeys") as run:
        run.wait_for("ready on")
        run.send(signal.SIGTERM)
        run.wait_for("stopping")
        run.send(signal.SIGINT)
        began = time.monotonic()
        assert run.end() == 0
        assert 0.5 < time.monotonic() - began < min(seconds(2), 3.5), "after one signal alone it would have taken longer"
        assert len(re.findall(r"worker \d \(pid \d+\) did not stop in time and is killed\n", run.err)) == 2
        assert orders(run, "broker g0")[-1] == "stop {} +0"


def test_one_that_is_stuck_is_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path, beat_seconds=BEAT) as run:
        run.wait_for("ready on")
        time.sleep(8 * BEAT)  # more beats than anybody may miss: those who answer are left alone
        assert "killed" not in run.err
        for count, role in enumerate(("broker", "acceptor"), 1):
            stuck = ask(tmp_path)[role]
            os.kill(stuck, signal.SIGSTOP)
            run.wait_for(f"{role} (pid {stuck}) does not answer and is killed\n")
            run.wait_for(" is back, ", count=count)
            assert ask(tmp_path)[role] != stuck
        stop(run)


def test_a_worker_that_the_acceptor_lost_is_connected_to_it_anew(tmp_path: Path) -> None:
    with supervised(tmp_path, beat_seconds=BEAT, acceptor="loses_workers") as run:
        run.wait_for("lost its socket to the acceptor and gets another one", count=2)
        time.sleep(3 * BEAT)
        assert "killed" not in run.err
        stop(run)
        places = [f'worker {{"number": {number}, "generation": 0}} +1' for number in (1, 2)]
        assert [order for order in orders(run, "acceptor g0") if order.startswith("worker ")] == 2 * places
        for number in (1, 2):
            assert orders(run, f"worker {number} g0").count("acceptor {} +1") == 2


def test_a_worker_that_cannot_be_connected_anew_is_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path, beat_seconds=BEAT, acceptor="loses_a_worker") as run:
        for number in (1, 2):
            run.wait_for(f"worker {number} g0: acceptor {{}} +1")
        with no_descriptor_left(run.pid):
            (tmp_path / "lose").touch()
            run.wait_for("cannot be connected (Too many open files) and is killed")
        run.wait_for("is back")
        run.wait_for("ready on")
        assert len(re.findall("is killed", run.err)) == 1
        stop(run)


def test_one_that_is_stopped_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    with supervised(tmp_path, beat_seconds=BEAT) as run:
        run.wait_for("ready on")
        before = ask(tmp_path)
        os.kill(before["broker"], signal.SIGSTOP)
        time.sleep(3 * BEAT)
        os.kill(before["broker"], signal.SIGCONT)
        time.sleep(5 * BEAT)
        assert ask(tmp_path)["broker"] == before["broker"]
        stop(run)


def test_a_server_that_was_stopped_as_a_whole_goes_on(tmp_path: Path) -> None:
    with supervised(tmp_path, beat_seconds=BEAT) as run:
        run.wait_for("ready on")
        before = ask(tmp_path)
        run.send_group(signal.SIGSTOP)  # as Ctrl+Z and `fg` do
        time.sleep(8 * BEAT)
        run.send_group(signal.SIGCONT)
        time.sleep(3 * BEAT)
        assert ask(tmp_path)["workers"] == before["workers"]
        assert "killed" not in run.err
        stop(run)


def test_many_workers(tmp_path: Path) -> None:
    with supervised(tmp_path, 12) as run:
        run.wait_for("ready on")
        assert len(set(ask(tmp_path)["workers"])) == 12
        stop(run)


def test_several_ask_at_once_and_one_does_not_answer(tmp_path: Path) -> None:
    with supervised(tmp_path) as run:
        run.wait_for("ready on")
        stopped = ask(tmp_path)["workers"][0]
        os.kill(stopped, signal.SIGSTOP)
        askers = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for asker in askers:
            asker.connect(str(tmp_path / "status.sock"))
        answers = [b"".join(iter(lambda: asker.recv(65536), b"")) for asker in askers]  # noqa: B023
        for asker in askers:
            asker.close()
        os.kill(stopped, signal.SIGCONT)
        assert answers[0] == answers[1] == answers[2]
        assert json.loads(answers[0])["silent"] == ["worker 1"]
        assert ask(tmp_path)["silent"] == []
        stop(run)
