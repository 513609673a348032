"""Limits on a real server: what they refuse, that nothing is lost by them, and how they are changed while it runs."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common import messages as m
from common.errors import Code, wait_in
from tests.support.server import SCRIPTS, Server, running_server
from tests.support.timeouts import seconds, wait_until
from tests.support.wire import Wire


def first_error(wire: Wire) -> m.Error:
    while not isinstance(reply := wire.receive(), m.Error):
        assert reply is not None
    return reply


def logged(server: Server, room: str) -> list[str]:
    """All that was said in the room."""
    with Wire(server.host, server.port) as wire:
        wire.hello("reader", rooms=[room])
        texts: list[str] = []
        before = m.ID_MAX
        while True:
            wire.send(m.History(1, room, {"before": before}))
            page = wire.expect(m.Page)
            texts = [row[5] for row in page.rows] + texts
            if not page.options["more"]:
                return texts
            before = page.rows[0][0]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two hundred messages at once, and as many in a second."""
    limits = {"messages_per_second": 200, "user_messages_per_second": 200, "burst_seconds": 1}
    with running_server(tmp_path_factory.mktemp("limits") / "data", limits=limits) as server:
        yield server


def test_who_pipes_much_is_slowed_down_and_loses_nothing(slow: Server, tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(350)]
    command: list[str | Path] = [SCRIPTS / "chat-client", "send", "--port", str(slow.port), "--name", "ada", "--to", "#dev"]
    command += ["--data-dir", tmp_path / "ada"]
    done = subprocess.run(command, input="\n".join(lines), text=True, capture_output=True, timeout=seconds(20), check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert logged(slow, "#dev") == lines


def test_who_floods_is_refused_and_others_are_not(slow: Server) -> None:
    began = time.monotonic()
    with Wire(slow.host, slow.port) as flooder, Wire(slow.host, slow.port) as other:
        flooder.hello("flooder")
        other.hello("other")
        flooder.send(*(m.Send(m.make_ref(1, number), m.LOBBY, "x", {}) for number in range(1_000)))
        flooder.send(m.Ping(7))
        codes: list[str] = []
        while not isinstance(reply := flooder.receive(), m.Pong):
            if isinstance(reply, m.Error):
                codes.append(reply.code)
                assert wait_in(reply.text)
        assert set(codes) == {Code.RATE_LIMITED}
        assert 1_000 - len(codes) <= most(began)
        other.say(m.make_ref(2, 1), m.LOBBY, "hello")


def pour(wires: Iterable[Wire], numbers: Iterator[int]) -> int:
    """Each connection sends a hundred messages at once; how many of them are taken in all."""
    taken = 0
    for wire in wires:
        wire.send(*(m.Send(m.make_ref(1, next(numbers)), m.LOBBY, "x", {}) for _ in range(100)), m.Ping(7))
        taken += 100
        while not isinstance(reply := wire.receive(), m.Pong):
            if isinstance(reply, m.Error):
                assert reply.code == Code.RATE_LIMITED
                taken -= 1
    return taken


def most(since: float) -> float:
    """What one person may have said on `slow` since then."""
    return (time.monotonic() - since + 1) * 200 + 10


def test_the_connections_of_one_person_share_at_whichever_workers_they_are(slow: Server) -> None:
    began = time.monotonic()
    taken, numbers = 0, itertools.count()
    wait_until(lambda: slow.status()["connections"] == 0, "nobody is left of other tests")
    with Wire(slow.host, slow.port) as one, Wire(slow.host, slow.port) as another:
        welcome = one.hello("ada-twice")
        another.hello("ada-twice", token=welcome.options["token"])
        assert [worker["connections"] for worker in slow.status()["per_worker"]] == [1, 1]
        while time.monotonic() < began + 1.5:
            taken += pour((one, another), numbers)
    assert taken <= most(began)


def test_who_goes_and_comes_does_not_begin_anew(slow: Server) -> None:
    began = time.monotonic()
    taken, numbers = 0, itertools.count()
    known: dict[str, Any] = {}
    for _ in range(6):
        with Wire(slow.host, slow.port) as wire:
            known = {"token": wire.hello("ada-again", **known).options["token"]}
            taken += pour((wire, wire, wire), numbers)
            wire.send(m.Bye(1))
            wire.expect(m.Goodbye)
    assert taken <= most(began)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "chat.toml"


@contextlib.contextmanager
def configured(tmp_path: Path, config: Path, limits: str) -> Iterator[Server]:
    config.write_text(f"[limits]\n{limits}\n")
    with running_server(tmp_path / "data", "--config", str(config)) as server:
        yield server


def assert_client_says(server: Server, scratch: Path, said: str) -> None:
    """A client that cannot come in says why, and tries again."""
    command: list[str | Path] = [SCRIPTS / "chat-client", "tail", "--port", str(server.port), "--name", "bob"]
    with subprocess.Popen([*command, "--data-dir", scratch / "bob"], stderr=subprocess.PIPE, text=True) as client:
        assert client.stderr is not None
        try:
            assert said in client.stderr.readline()
        finally:
            client.kill()


def reload(server: Server, config: Path, text: str, said: str) -> None:
    config.write_text(text)
    server.signal(signal.SIGHUP)
    wait_until(lambda: said in server.log.read_text(), f"the log says: {said}")
    server.status()  # every process has answered, and so has heard


def test_limits_are_read_anew_and_nobody_is_cut_off(tmp_path: Path, config: Path) -> None:
    with configured(tmp_path, config, "connections = 1\nrooms_per_user = 1\ntext_bytes = 1") as server:
        with Wire(server.host, server.port) as ada:
            ada.hello("ada")
            with Wire(server.host, server.port) as bob:
                assert first_error(bob).code == Code.TOO_MANY_CONNECTIONS
                assert isinstance(bob.receive(), m.Goodbye)
                assert bob.receive() is None
            assert_client_says(server, tmp_path, ": the server has as many connections as it may have, come back later;")
            for request in (m.Send(m.make_ref(1, 1), m.LOBBY, "hello", {}), m.Join(2, "#dev", {})):
                ada.send(request)
                assert first_error(ada).code in (Code.TOO_LONG, Code.TOO_MANY_ROOMS)
            said = "the limits were read anew, text_bytes 1 -> 16000, connections 1 -> 2, rooms_per_user 1 -> 100\n"
            reload(server, config, "[limits]\nconnections = 2\n", said)
            ada.say(m.make_ref(1, 2), m.LOBBY, "hello")
            ada.send(m.Join(2, "#dev", {}))
            ada.expect(m.Joined)
            with Wire(server.host, server.port) as bob:
                bob.hello("bob")
            pid = server.children()["worker 1"]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: server.children().get("worker 1") not in (None, pid), "there is another one")
        with Wire(server.host, server.port) as one, Wire(server.host, server.port) as two:
            for number, wire in enumerate((one, two), 1):
                wire.hello(f"somebody{number}")
                wire.say(m.make_ref(number, 1), m.LOBBY, "also those that are started later have them")


def test_what_takes_a_new_start_is_told(tmp_path: Path, config: Path) -> None:
    with configured(tmp_path, config, "text_bytes = 3") as server:
        text = 'host = "127.0.0.2"\nlog_format = "json"\nport = 1\n[limits]\ntext_bytes = 4\n'  # the port is on the command line
        reload(server, config, text, " host 127.0.0.1 -> 127.0.0.2, log_format text -> json: that needs a restart\n")
        assert "the limits were read anew, text_bytes 3 -> 4\n" in server.log.read_text()


NO_GOOD = {
    "[limits]\nconnection = 3\n": "there is no setting 'limits.connection', did you mean limits.connections?",
    "[limits]\nconnections = 0\n": "limits.connections must be a whole number from 1 to 1000000",
    "[limits\n": "is not TOML",
}


def test_a_file_that_is_no_good_changes_nothing(tmp_path: Path, config: Path) -> None:
    with configured(tmp_path, config, "text_bytes = 3") as server, Wire(server.host, server.port) as ada:
        ada.hello("ada")
        for text, why in NO_GOOD.items():
            reload(server, config, text, why)
        assert server.log.read_text().count("the limits stay as they were: ") == len(NO_GOOD)
        ada.send(m.Send(m.make_ref(1, 1), m.LOBBY, "hello", {}))
        assert first_error(ada).code == Code.TOO_LONG
