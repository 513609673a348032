"""The real `chat-broker`: how it starts, what it says when it cannot, how it stops, and that nobody is left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import messages as m
from tests.support.place import BROKER, Place, chat, pids, port_of
from tests.support.processes import Run
from tests.support.timeouts import wait_until
from tests.support.wire import Wire


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Run]]:
    """A server that is ready, for several tests, which leave it in good health."""
    place = Place(tmp_path_factory.mktemp("serving"))
    with place.serve() as run:
        port_of(run)
        yield place, run
        run.send(signal.SIGTERM)
        assert run.end() == 0, run.err


# --- it starts, and it stops as asked ---------------------------------------------------------------------------------


def test_it_says_where_it_is_and_serves_and_leaves_in_peace(place: Place) -> None:
    with place.serve() as run:
        port = port_of(run)
        assert pids(place.status()) == set(run.alive())
        chat(port)
        assert place.data.stat().st_mode & 0o777 == 0o700
        assert (place.data / "status.sock").stat().st_mode & 0o777 == 0o600
        run.send(signal.SIGTERM)
        assert run.end() == 0
        assert " INFO  supervisor  stopping\n" in run.err
        assert not (place.data / "status.sock").exists()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_a_data_directory_in_which_others_can_write_is_warned_of(place: Place) -> None:
    place.data.mkdir()
    place.data.chmod(0o777)
    with place.serve() as run:
        port_of(run)
        assert run.err.count(f" others on this machine can write in {place.data}: chmod 700 {place.data}\n") == 1


def test_ctrl_c_goes_to_all_processes_and_the_server_tells_its_clients(place: Place) -> None:
    with place.serve() as run:
        with Wire("127.0.0.1", port_of(run)) as wire:
            wire.hello("ada")
            run.send_group(signal.SIGINT)
            while not isinstance(reply := wire.receive(), m.Goodbye):
                assert reply is not None, "it said nothing"
            assert reply.reason == "shutdown"
        assert run.end() == 0
        assert "died" not in run.err


def test_otherwise_sighup_stops_nothing(serving: tuple[Place, Run]) -> None:
    _, server = serving
    server.send(signal.SIGHUP)
    server.wait_for("the limits were read anew, they are the same\n")
    chat(port_of(server))


# --- it cannot start --------------------------------------------------------------------------------------------------


def refused(run: Run, exit_status: int = 1) -> str:
    """The one line that it said."""
    with run:
        assert run.end() == exit_status, run.err
        assert run.out == ""
        assert run.err.count("\n") == 1, run.err
        assert run.err.startswith("chat-broker: ")
        return run.err.removeprefix("chat-broker: ").rstrip()


def test_a_port_that_is_taken(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(place.serve(port=port))
    assert said == (f"cannot listen on 127.0.0.1:{port}: something listens there already, stop it or take another --port")


def test_a_data_directory_that_is_a_file(place: Place) -> None:
    place.data.write_text("mine")
    assert refused(place.serve()) == (
        f"cannot keep data in {place.data} (it is no directory), name another directory with --data-dir"
    )
    assert place.data.read_text() == "mine"


def test_a_data_directory_that_cannot_be_made_or_written(place: Place) -> None:
    place.data = Path("/proc/self/chat")
    assert refused(place.serve()).startswith("cannot keep data in /proc/self/chat (No such file or directory), ")


def test_a_log_that_is_none(place: Place) -> None:
    place.data.mkdir(mode=0o700)
    (place.data / "chat.db").write_bytes(b"my shopping list" * 1000)
    assert refused(place.serve()).startswith(f"the log {place.data}/chat.db is not a database")


def test_a_second_server_on_the_same_data(serving: tuple[Place, Run]) -> None:
    place, server = serving
    before = place.status()
    assert "is in use by another server" in refused(place.serve())
    assert pids(place.status()) == pids(before)
    chat(port_of(server))


def test_a_wrong_option(place: Place) -> None:
    assert refused(place.serve("--wrokers", "3"), 2) == "there is no option '--wrokers', did you mean --workers?"


def test_a_wrong_variable(place: Place) -> None:
    said = refused(place.run(CHAT_BROKER_WORKERS="many"), 2)
    assert said == "CHAT_BROKER_WORKERS must be a whole number from 1 to 1024, not 'many'"


# --- its processes die ------------------------------------------------------------------------------------------------


def test_what_dies_comes_back(serving: tuple[Place, Run]) -> None:
    place, server = serving
    for count, (role, name) in enumerate([("acceptor", "acceptor"), ("broker", "broker"), ("workers", "worker 1")], 1):
        before = place.status()
        victim = before[role][0] if role == "workers" else before[role]
        os.kill(victim, signal.SIGKILL)
        server.wait_for(" is back, ", limit=2, count=count)
        died = rf"{name} \(pid {victim}\) died \(signal 9\) after \d+\.\d s, starting it again\n"
        assert re.search(died, server.err), server.err
        assert re.search(rf"{name} \(pid \d+\) is back, ", server.err), server.err
        assert pids(before) - pids(place.status()) == {victim}, "the others are untouched"
        chat(port_of(server))


# --- with a command ---------------------------------------------------------------------------------------------------


def test_it_runs_for_as_long_as_a_command_does(place: Place) -> None:
    script = "import os; print(os.environ['CHAT_CLIENT_HOST'], os.environ['CHAT_CLIENT_PORT']); raise SystemExit(7)"
    with place.serve("--", sys.executable, "-c", script) as run:
        assert run.end() == 7
        assert re.fullmatch(r"127\.0\.0\.1 \d+\n", run.out)
        assert run.err == ""
    assert (place.data / "server.log").stat().st_mode & 0o777 == 0o600


def test_ctrl_c_belongs_to_the_command(place: Place) -> None:
    script = """
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("running", flush=True)
signal.sigwait([signal.SIGINT])
print("not yet", flush=True)
time.sleep(0.4)
"""
    with place.serve("--", sys.executable, "-c", script) as run:
        run.wait_for("running")
        run.send_group(signal.SIGINT)
        run.wait_for("not yet")
        assert run.end() == 0
        assert run.err == ""


def test_told_to_end_it_ends_the_command_too(place: Place) -> None:
    with place.serve("--", "sleep", "60") as run:
        wait_until(lambda: any(command_of(pid) == b"sleep\x0060\x00" for pid in run.alive()), "the command runs")
        run.send(signal.SIGTERM)
        assert run.end() == 0


def test_killed_it_takes_the_command_along(place: Place) -> None:
    with place.serve("--", "sleep", "60") as run:
        wait_until(lambda: any(command_of(pid) == b"sleep\x0060\x00" for pid in run.alive()), "the command runs")
        run.send(signal.SIGKILL)
        assert run.end() == -signal.SIGKILL


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_command_that_does_not_exist(place: Place) -> None:
    assert refused(place.serve("--", "no-such-command")) == "cannot run no-such-command: No such file or directory"


# --- where it speaks to -----------------------------------------------------------------------------------------------


def test_nobody_listens_to_what_it_says(place: Place) -> None:
    """Its stdout and stderr are closed, or pipes whose readers are gone: it serves all the same."""
    for redirection in (">&- 2>&- <&-", "2>&1 | true"):
        command = f'"$0" --port 0 --workers 2 --data-dir "$1" {redirection}'
        with Run(["bash", "-o", "pipefail", "-c", command, BROKER, place.data], place.scratch) as run:
            wait_until((place.data / "status.sock").exists, "it is ready")
            told = place.status()
            chat(int(told["address"].rpartition(":")[2]))
            os.kill(told["supervisor"], signal.SIGTERM)
            assert run.end() == 0
            assert run.err == ""


def test_a_data_directory_with_a_very_long_path(place: Place) -> None:
    place.data = place.scratch.joinpath(*["long" * 12] * 4) / "data"
    with place.serve() as run:
        port_of(run)
        assert pids(place.status()) == set(run.alive())
        run.send(signal.SIGTERM)
        assert run.end() == 0


# --- it tells about itself --------------------------------------------------------------------------------------------


def test_status(serving: tuple[Place, Run]) -> None:
    place, server = serving
    wait_until(lambda: place.status()["connections"] == 0, "who came in other tests has left")
    before = place.status()
    with Wire("127.0.0.1", port_of(server)) as wire:
        wire.hello("ada", rooms=["#dev"])
        wire.say(m.make_ref(0, 1), "#dev", "hello")
        told = place.status()
        assert (told["connections"], told["users"], told["rooms"]) == (1, 1, 2)
        assert (told["messages"], told["accepted"]) == (before["messages"] + 1, before["accepted"] + 1)
        assert told["silent"] == []
        assert sorted(one["connections"] for one in told["per_worker"]) == [0, 1]
        os.kill(told["workers"][1], signal.SIGSTOP)
        try:
            told = place.status()
        finally:
            os.kill(told["workers"][1], signal.SIGCONT)
        assert told["silent"] == ["worker 2"]
        assert (told["users"], told["messages"]) == (1, before["messages"] + 1)
    with Run([BROKER, "status", "--data-dir", place.data], place.scratch) as run:
        assert run.end() == 0
        assert re.match(r"chat-broker [\d.]+ on 127\.0\.0\.1:\d+, up \d+ [^\n]+\n\n  data         /", run.out)
        assert run.out.count("pid ") == 5


def test_status_of_a_server_that_does_not_run(place: Place) -> None:
    with Run([BROKER, "status", "--data-dir", place.data], place.scratch) as run:
        assert run.end() == 1
        assert run.err == (f"chat-broker: no server runs on {place.data}, start one or name its directory with --data-dir\n")
