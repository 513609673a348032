"""`chat-client send` and `chat-client tail` as scripts use them, on a real server."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import SCRIPTS, Server, running_server
from tests.support.timeouts import seconds, wait_until


class Shell:
    """Runs the client's forms against one server, with one data directory."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.port = server.port
        self.directory = directory

    def command(self, form: str, *options: str) -> list[str | Path]:
        return [SCRIPTS / "chat-client", form, "--port", str(self.port), "--data-dir", self.directory, *options]

    def send(self, name: str, to: str, *words: str, lines: str = "") -> subprocess.CompletedProcess[str]:
        command = self.command("send", "--name", name, "--to", to, *words)
        return subprocess.run(command, input=lines, text=True, capture_output=True, check=False, timeout=seconds(20))

    def tail(self, name: str, *options: str) -> list[str]:
        """The lines of a tail that ends by itself."""
        command = self.command("tail", "--name", name, *options)
        return subprocess.run(command, text=True, capture_output=True, check=True, timeout=seconds(20)).stdout.splitlines()

    def texts(self, name: str, *options: str) -> list[str]:
        return [json.loads(line)["text"] for line in self.tail(name, "--json", *options)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def shell(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(server, tmp_path_factory.mktemp("client"))


def test_a_refusal_is_told_at_once_also_while_there_may_be_more_to_send(shell: Shell) -> None:
    with subprocess.Popen(
        shell.command("send", "--name", "eager", "--to", "nobody"), stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write("hello\n")
        process.stdin.flush()
        assert process.wait(seconds(5)) == 1
        assert process.stderr is not None
        assert process.stderr.read() == (
            "chat-client: line 1 and what follows it were not sent: nobody is called nobody; a room is written '#nobody'\n"
        )


def test_an_argument_need_not_be_utf_8(shell: Shell) -> None:
    done = shell.send("latin", "#lobby", "caf\udce9")
    assert (done.returncode, done.stderr) == (0, "")
    assert shell.texts("reader", "--room", "#lobby", "--history", "1", "--count", "1") == ["caf"]


def test_what_was_sent_survives_the_server(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as first:
        assert Shell(first, tmp_path / "client").send("x", "#lobby", lines="a\nb\n").returncode == 0
        first.kill()
    with running_server(tmp_path / "server") as second:
        lines = Shell(second, tmp_path / "client").tail("y", "--room", "#lobby", "--history", "2", "--count", "2", "--json")
    messages = [json.loads(line) for line in lines]
    assert [message["text"] for message in messages] == ["a", "b"]
    assert all({"id", "time", "to", "sender", "text"} <= set(message) for message in messages)
    assert [message["sender"] for message in messages] == ["x", "x"]


def test_many_lines_keep_their_order(shell: Shell) -> None:
    assert shell.send("many", "#many", lines="".join(f"line {number}\n" for number in range(1_000))).returncode == 0
    assert shell.texts("reader", "--room", "#many", "--history", "1000", "--count", "1000") == [f"line {n}" for n in range(1_000)]


def test_a_room_without_its_sign_is_taken_for_a_person_and_the_answer_says_how_to_write_it(shell: Shell) -> None:
    done = shell.send("signless", "lobby", "hello")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "chat-client: the message was not sent: nobody is called lobby; a room is written '#lobby'\n"


def test_two_runs_at_once_are_one_person(shell: Shell) -> None:
    """Neither is told that the name is taken, not even the first time."""
    command = shell.command("send", "--name", "twins", "--to", "#twins", "hello")
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [run.communicate(timeout=seconds(10))[1] for run in runs] == ["", ""]
    senders = {
        json.loads(line)["from"] for line in shell.tail("reader", "--json", "--room", "#twins", "--history", "2", "--count", "2")
    }
    assert len(senders) == 1


def test_somebody_else_s_name_is_refused(shell: Shell, server: Server, tmp_path: Path) -> None:
    assert shell.send("owner", "#lobby", "mine").returncode == 0
    other = Shell(server, tmp_path / "other").send("owner", "#lobby", "mine too")
    assert (other.returncode, other.stderr) == (1, "chat-client: the name owner is taken; choose another one with --name\n")


def test_a_person_without_a_room(shell: Shell) -> None:
    refused = shell.send("ada", "nobody-of-this-name", "hello")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    command = shell.command("tail", "--name", "bob", "--count", "1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listening:
        try:
            wait_until(lambda: shell.send("ada", "bob", "psst").returncode == 0, "bob is there", every=0.1)
            assert listening.communicate(timeout=seconds(5))[0].endswith(" bob ada: psst\n")
        finally:
            listening.kill()


def test_a_reader_that_has_seen_enough_ends_it(shell: Shell) -> None:
    """Also when no further message comes that could not be written."""
    shell.send("ada", "#pipe", lines="one\ntwo\nthree\n")
    tailing = subprocess.Popen(
        shell.command("tail", "--name", "reader", "--room", "#pipe", "--history", "3"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert tailing.stdout is not None
    assert tailing.stderr is not None
    tailing.stdout.readline()
    tailing.stdout.close()
    assert tailing.wait(seconds(5)) == 0
    assert tailing.stderr.read() == b""
    tailing.stderr.close()


@pytest.mark.parametrize(
    ("form", "status"), [(["tail"], 0), (["tail", "--json", "--count", "9"], 1), (["send", "--to", "#lobby"], 1)]
)
def test_ctrl_c_is_quiet(shell: Shell, form: list[str], status: int) -> None:
    name = f"ctrlc{len(form)}"
    command = shell.command(*form, "--name", name)
    tokens = shell.directory / "tokens.json"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        try:
            wait_until(lambda: tokens.exists() and name in tokens.read_text(), "it is connected")
            running.send_signal(signal.SIGINT)
            output, error = running.communicate(timeout=seconds(5))
        finally:
            running.kill()
    assert (running.returncode, output, error) == (status, b"", b"")


def test_a_signal_ends_a_tail_that_nobody_reads_from(shell: Shell) -> None:
    """It waits until it can write, and so does its loop."""
    shell.send("ada", "#full", lines=("x" * 1000 + "\n") * 20)
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    command = shell.command("tail", "--name", "waiter", "--room", "#full", "--history", "20")
    tailing = subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert tailing.stderr is not None
    try:
        assert os.read(read, 1)
        wait_until(lambda: _sleeps_writing(tailing.pid), "the pipe is full")
        tailing.send_signal(signal.SIGTERM)
        assert tailing.wait(seconds(5)) == 0
        assert tailing.stderr.read() == b""
    finally:
        tailing.kill()
        tailing.wait()
        tailing.stderr.close()
        os.close(read)


def _sleeps_writing(pid: int) -> bool:
    return Path(f"/proc/{pid}/wchan").read_text() in ("pipe_write", "anon_pipe_write")


def test_whose_server_was_another_one_for_a_while_is_who_they_were(tmp_path: Path) -> None:
    """Two data directories took turns at one port: the second server did not know the token, and the first is back."""
    port, told, senders = "0", [], []
    for data, said in (("one", 1), ("two", 1), ("one", 2)):
        with running_server(tmp_path / data, "--port", port) as server:
            shell, port = Shell(server, tmp_path / "client"), str(server.port)
            told.append(shell.send("ada", "#lobby", "hello").stderr)
            lines = shell.tail("bob", "--json", "--history", str(said), "--count", str(said))
            senders.append({json.loads(line)["from"] for line in lines})
    assert ["go on as somebody new" in line for line in told] == [False, True, False]
    assert senders[0] == senders[2] != senders[1]
