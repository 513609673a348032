"""The first visit to a server in a terminal: its key is shown and asked about, and a changed one is told on the screen."""

from __future__ import annotations

import itertools
import os
import select
import signal
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import messages as m
from common.errors import Code
from tests.support.certificates import make
from tests.support.server import SCRIPTS, Server, running_server
from tests.support.terminal import Terminal, terminal
from tests.support.timeouts import seconds, wait_until
from tests.terminal.conftest import client_command

MADE = make()


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("encrypted")
    with running_server(folder / "data", "--tls-cert", str(MADE.write(folder / "pem")), workers=1) as running:
        yield running


def test_at_the_first_start_the_server_is_asked_for_and_then_about_its_key(encrypted: Server, tmp_path: Path) -> None:
    """What was believed holds at the next start, which needs to be told nothing."""
    command: list[str | Path] = [SCRIPTS / "chat-client", "--data-dir", tmp_path]
    with terminal([*command, "--tls"]) as window:
        window.wait_for("What name")
        window.enter("eve")
        window.wait_for("Which server?")
        window.press("ctrl u")
        window.enter(f"127.0.0.1:{encrypted.port}")
        window.wait_for(MADE.fingerprint, "is this the server?")
        window.enter(MADE.fingerprint)
        window.wait_for("● eve")
        window.press("alt 1")
        window.wait_for(f"server  encrypted (TLS 1.3), connected to 127.0.0.1:{encrypted.port}", "connected as eve to 127.")
    with terminal(command) as window:
        window.wait_for("● eve")


def test_a_key_is_asked_about_once(encrypted: Server, tmp_path: Path) -> None:
    command = client_command(encrypted, tmp_path, "--name", "ada", "--tls")
    with terminal(command) as window:
        window.wait_for(MADE.fingerprint, "Does its operator say the same?", "Is it the same?")
        window.enter("maybe")
        window.wait_for("neither yes nor no")
        window.press("ctrl u")
        window.enter("no")
        window.wait_for("Which server, then?", f"Server: 127.0.0.1:{encrypted.port}")
        window.press("ctrl c")
        assert window.wait_exit() == 0
    with terminal(command) as window:
        window.wait_for("Does its operator say the same?")
        window.enter("yes")
        window.wait_for("● ada")
    with terminal(command) as window:
        window.wait_for("● ada")
        assert b"operator" not in window.output


@pytest.fixture
def demanding(encrypted: Server) -> Iterator[int]:
    """A port of that server where it takes nothing but TLS, as it does where others can listen."""

    class Door(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1, socket.MSG_PEEK) != b"\x16":
                refusal = m.encode(m.Error(None, Code.TLS_REQUIRED, "no")) + m.encode(m.Goodbye("error", "no"))
                self.request.sendall(refusal)
                return
            with socket.create_connection(("127.0.0.1", encrypted.port)) as server:
                for one, other in itertools.cycle([(self.request, server), (server, self.request)]):
                    if select.select([one], [], [], 0.01)[0]:
                        if not (data := one.recv(65536)):
                            break
                        other.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Door) as door:
        door.daemon_threads = True
        threading.Thread(target=door.serve_forever, args=(0.05,), daemon=True).start()
        yield door.server_address[1]
        door.shutdown()


def test_a_server_on_this_machine_that_takes_nothing_else_is_spoken_to_encrypted(
    demanding: int, server: Server, tmp_path: Path
) -> None:
    """Where it is gone to from inside, and where the first start leads there; the next one may be in plain text again."""
    there, here = f"127.0.0.1:{demanding}", f"127.0.0.1:{server.port}"
    with terminal(client_command(server, tmp_path / "bob", "--name", "bob74"), cols=120) as window:
        window.wait_for("● bob74")
        window.enter(f"/connect {there}")
        window.wait_for(MADE.fingerprint, f"No goes back to {here}.")
        window.enter("yes")
        window.wait_for("● bob74")
        window.press("alt 1")
        window.wait_for(f"connected as bob74 to {there}, encrypted")
        window.enter(f"/connect {here}")
        window.wait_gone(there)
        window.wait_for("● bob74")
        window.press("alt 1")
        window.wait_for(f"connected as bob74 to {here}, not encrypted")
    command: list[str | Path] = [SCRIPTS / "chat-client", "--port", str(demanding)]
    (tmp_path / "bob" / "servers.json").unlink()
    with terminal([*command, "--data-dir", tmp_path / "bob"], cols=120) as window:
        window.wait_for(f"{there} is not known here yet", f"not connected: /connect {there} shows its key")
        window.enter(f"/connect {there}")
        window.wait_for(MADE.fingerprint, "No goes back to your conversations.")  # and does not lead back there
    with terminal([*command, "--data-dir", tmp_path / "eve", "--name", "eve74"]) as window:
        window.wait_for(MADE.fingerprint, "No asks for another server.")
        window.enter("no")
        window.wait_for("Which server, then?")
    with terminal([*command, "--data-dir", tmp_path / "zoe", "--name", "zoe74", "--insecure"], cols=200) as window:
        window.wait_for("takes encrypted connections only: start with --tls, and without --insecure")


def test_who_refuses_a_key_is_where_they_were(encrypted: Server, server: Server, tmp_path: Path) -> None:
    """Back on the server that one came from; and at the first start asked for another one."""
    there = f"0.0.0.0:{encrypted.port}"  # this machine, but not by one of the names that need no encryption
    with terminal(client_command(server, tmp_path / "bob", "--name", "bob70", "--room", "#room70")) as window:
        window.wait_for("#room70  1 person")
        window.enter(f"/connect {there}")
        window.wait_for("is this the server?", f"No goes back to 127.0.0.1:{server.port}.")
        window.enter("no")
        window.wait_for("● bob70", "#room70")
        window.enter("here again")
        window.wait_for("bob70 here again")
    with terminal(client_command(encrypted, tmp_path / "eve", "--name", "eve70", "--host", "0.0.0.0")) as window:
        window.wait_for("No asks for another server.")
        window.enter("no")
        window.wait_for("Which server, then?")
        window.press("ctrl u")
        window.enter(f"127.0.0.1:{server.port}")
        window.wait_for("● eve70")
    assert not [path for path in tmp_path.rglob("servers.json") if MADE.fingerprint in path.read_text()]


def test_who_cannot_have_their_name_elsewhere_goes_back(server: Server, tmp_path: Path) -> None:
    with running_server(tmp_path / "data", workers=1) as other:
        here, there = f"127.0.0.1:{server.port}", f"127.0.0.1:{other.port}"
        command = client_command(server, tmp_path / "bob", "--name", "bob98", "--room", "#room98")
        with terminal(client_command(other, tmp_path / "eve", "--name", "bob98")) as eve, terminal(command, cols=120) as window:
            eve.wait_for("● bob98")
            window.wait_for("#room98  1 person")
            window.enter(f"/connect {there}")
            window.wait_for("The name bob98 is taken", f"on {there}", f"Esc goes back to {here}")
            window.press("f1")
            window.wait_for("Commands")
            window.press("esc")
            window.wait_for("The name bob98 is taken")
            window.press("esc")
            window.wait_for("● bob98", "#room98  1 person")
            window.enter("here again")
            window.wait_for("bob98 here again")


def test_a_question_about_a_key_does_not_take_the_line_of_who_is_chatting(tmp_path: Path) -> None:
    """What is typed then is no answer, and is sent once the question is answered."""
    with running_server(tmp_path / "data", "--tls-cert", str(MADE.write(tmp_path / "pem")), workers=1) as server:
        there = f"127.0.0.1:{server.port}"
        with terminal(client_command(server, tmp_path / "ada", "--name", "ada98", "--tls"), cols=120) as window:
            window.wait_for("is this the server?")
            window.enter("yes")
            window.wait_for("● ada98")
            (tmp_path / "ada" / "servers.json").unlink()
            window.type("ye")
            for pid in server.status()["workers"]:
                os.kill(pid, signal.SIGKILL)
            window.wait_for(f"not connected: /connect {there} shows its key", f"{there} is not known here yet", limit=15)
            window.enter("s")
            window.wait_for("ada98 yes …")
            window.enter(f"/connect {there}")
            window.wait_for(MADE.fingerprint, "No goes back to your conversations.")
            window.press("esc")
            window.wait_for("ada98 yes …", "not connected: /connect")
            assert not (tmp_path / "ada" / "servers.json").exists()
            window.enter(f"/connect {there}")
            window.wait_for("Is it the same?")
            window.enter("yes")
            window.wait_for("● ada98")
            window.wait_for_line(r"ada98 yes$|ada98 yes +│")


def test_a_changed_key_is_told_on_the_screen_and_nothing_is_said(tmp_path: Path) -> None:
    """In full where one looks, at the start and while one is there: it may come back with its own while one waits."""
    pem = MADE.write(tmp_path / "pem")
    with running_server(tmp_path / "data", "--tls-cert", str(pem), workers=1) as server:
        with terminal(client_command(server, tmp_path / "ada", "--name", "ada", "--tls", "--accept-new"), cols=200) as window:
            window.wait_for("● ada")
            make().write(pem)
            server.signal(signal.SIGHUP)
            wait_until(lambda: "certificate was read anew" in server.log.read_text(), "the new key is there")
            for pid in server.status()["workers"]:
                os.kill(pid, signal.SIGKILL)
            window.wait_for("somebody may be in the middle", "--fingerprint", limit=15)
            window.settle()
            assert window.text.count("somebody may be") == 1, "in full, and once"
        with terminal(client_command(server, tmp_path / "ada", "--name", "ada"), cols=100) as window:
            wait_for_words(window, f"the key of 127.0.0.1:{server.port} has changed")
            window.wait_for("or /connect")
            assert server.log.read_text().count("ada came") == 1


def test_a_new_invitation_is_believed_where_the_key_has_changed(tmp_path: Path) -> None:
    """From inside as well as on the command line; one with another key than the server's is not."""
    pem = MADE.write(tmp_path / "pem")
    with running_server(tmp_path / "data", "--tls-cert", str(pem), workers=1) as server:
        there = f"chat://127.0.0.1:{server.port}/new73?fp="
        invited = f"{there}{MADE.fingerprint}"
        with terminal([SCRIPTS / "chat-client", invited, "--name", "ada73", "--data-dir", tmp_path], cols=200) as window:
            window.wait_for("● ada73")
            made = make()
            made.write(pem)
            server.signal(signal.SIGHUP)
            wait_until(lambda: "certificate was read anew" in server.log.read_text(), "the new key is there")
            for pid in server.status()["workers"]:
                os.kill(pid, signal.SIGKILL)
            window.wait_for("is not the server that you mean", limit=15)
            wait_for_words(window, "or /connect the new invitation that they give you")
            wrong = make().fingerprint
            window.enter(f"/connect {there}{wrong}")
            window.wait_for(f"{wrong}; somebody")
            assert "you are still on" not in window.text
            window.enter(f"/connect {there}{made.fingerprint}")
            window.wait_for("● ada73", "#new73")
            window.enter("/quit")
            assert window.wait_exit() == 0
        with terminal(client_command(server, tmp_path)) as window:
            window.wait_for("● ada73")


def test_the_key_in_an_invitation_to_where_one_is_is_compared(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--tls-cert", str(MADE.write(tmp_path / "pem")), workers=1) as server:
        there = f"chat://127.0.0.1:{server.port}/?fp="
        invited, wrong = f"{there}{MADE.fingerprint}", make().fingerprint
        with terminal([SCRIPTS / "chat-client", invited, "--name", "ada77", "--data-dir", tmp_path], cols=300) as window:
            window.wait_for("● ada77")
            window.enter(f"/connect {there}{wrong}")
            window.wait_for(f"its key is {MADE.fingerprint}, and was to be {wrong}; somebody may be in the middle")
            window.enter(f"/connect {invited}")
            window.wait_for("already, as ada77, and nothing had to be done")
            window.enter("still here")
            window.wait_for("ada77 still here")


def wait_for_words(window: Terminal, words: str) -> None:
    """They may be broken over several rows."""
    window.wait_until(lambda: words.replace(" ", "") in "".join(window.text.split()), f"{words} on the screen", seconds(5))
