"""The server stops, and comes back: what the people at their terminals see of it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.server import SCRIPTS, running_server
from tests.support.terminal import Terminal, terminal
from tests.support.timeouts import seconds
from tests.terminal.conftest import Open, client_command
from tests.terminal.test_chatting import say


def test_it_says_so_and_comes_back_with_everything(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server:
        port = server.port
        commands = [client_command(server, tmp_path / name, "--name", name, "--room", "#dev") for name in ("ada", "bob")]
        with terminal(commands[0]) as ada, terminal(commands[1]) as bob:
            for window in (ada, bob):
                window.wait_for("#dev  2 people")
            ada.enter("before")
            bob.wait_for("ada before")
            ada.type("a draft that")
            server.stop()
            ada.wait_for("server is stopping", "not connected", "connection refused", limit=10)
            ada.type(" goes on")
            ada.wait_for("> a draft that goes on")
            ada.press("ctrl u")
            ada.enter("written while it was away")
            ada.wait_for("written while it was away …")
            ada.press("ctrl y")
            with running_server(tmp_path / "server", "--port", str(port)):
                ada.wait_for("● ada", "#dev  2 people", limit=15)
                ada.wait_gone("away …")
                ada.wait_for("> a draft that goes on")
                bob.wait_for("ada written while it was away", limit=15)
                bob.enter("welcome back")
                ada.wait_for("bob welcome back")
                for window in (ada, bob):
                    window.wait_for("connected again after ")
                    window.settle()
                assert ada.text.count("written while it was away") == 1
                assert bob.text.count("written while it was away") == 1
                assert ada.text.count("ada before") == 1
                for window in (ada, bob):
                    assert window.text.count("connected again after ") == 1
                    last = window.text.rpartition("connected again after ")[2]
                    assert not {" came", " left"} & {word for word in (" came", " left") if word in last}, (
                        "they were there before"
                    )
                for window in (ada, bob):
                    window.press("ctrl u")
                    window.enter("/quit")
                    assert window.wait_exit() == 0


def test_a_name_that_was_taken_meanwhile_is_told_and_what_is_typed_is_no_answer(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(running_server(tmp_path / "server", workers=1, limits={"name_grace_seconds": 1}))
        ada = stack.enter_context(terminal(client_command(server, tmp_path / "ada", "--name", "ada"), cols=100))
        ada.wait_for("● ada")
        ada.process.send_signal(signal.SIGSTOP)
        for pid in server.status()["workers"]:
            os.kill(pid, signal.SIGKILL)
        time.sleep(seconds(1.5))
        eve = stack.enter_context(terminal(client_command(server, tmp_path / "eve", "--name", "ada")))
        eve.wait_for("● ada")
        ada.process.send_signal(signal.SIGCONT)
        ada.wait_for("The name ada is taken", "○ not connected: /nick NAME goes on under another name", limit=10)
        ada.enter("ok")
        ada.paste("and")
        ada.wait_for("ok …", "> and")
        ada.press("ctrl u")
        ada.enter("/nick ada")
        ada.wait_until(lambda: ada.text.count("The name ada is taken") == 2, "it was tried again")
        ada.enter("/nick bea")
        ada.wait_for("● bea", "bea ok")
        eve.wait_for("bea ok")


def assert_draft_is_sent(ada: Terminal) -> None:
    ada.wait_for("● ada", "> an important message")
    ada.press("enter")
    ada.wait_for_line(r"an important message +│")
    ada.enter("/quit")
    ada.wait_exit()
    assert "not sent" not in ada.text


def test_who_meets_another_server_at_the_same_port_loses_nothing(tmp_path: Path) -> None:
    """Neither what was to be sent when it took the place of the right one, nor who they are there."""
    with ExitStack() as stack:
        server = stack.enter_context(running_server(tmp_path / "home"))
        port = str(server.port)
        command = client_command(server, tmp_path / "ada", "--name", "ada")
        ada = stack.enter_context(terminal(command, cols=200))
        ada.wait_for("● ada")
        ada.enter("said at home")
        ada.wait_for("ada said at home")
        ada.wait_gone("home …")
        server.stop()
        ada.wait_for("connection refused", limit=10)
        ada.enter("an important message")
        ada.wait_for("message …")
        with running_server(tmp_path / "other", "--port", port):
            ada.wait_for("an important message ✗ not sent: the server takes you for somebody new", limit=15)
            ada.wait_for("you go on as somebody new")
        stack.enter_context(running_server(tmp_path / "home", "--port", port))
        ada.wait_for("you are again who you were then", "ada said at home", limit=15)
        places = [ada.text.index(words) for words in ("said at home", "as somebody new", "again who you were", "message ✗")]
        assert places == sorted(places)
        ada.enter("/quit")
        assert ada.wait_exit() == 0
        ada.wait_for(f"chat-client: 1 message to 127.0.0.1:{port} was not sent; it is kept as a draft")
        again = stack.enter_context(terminal(command))
        assert_draft_is_sent(again)


def test_it_waits_for_a_server_that_is_not_there_yet(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = str(place.getsockname()[1])
    with terminal([SCRIPTS / "chat-client", "--port", port, "--name", "ada", "--data-dir", tmp_path / "ada"]) as ada:
        ada.wait_for("not connected", "connection refused", "trying again in")
        ada.wait_for(f"not connected to 127.0.0.1:{port}:", "see whether a server runs there")
        ada.enter("first!")
        ada.wait_for("first! …")
        with running_server(tmp_path / "server", "--port", port):
            ada.wait_for("● ada", limit=15)
            ada.wait_gone("first! …")
            ada.wait_for("ada first!")


def test_what_is_known_without_a_server_is_told_as_such(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server:
        say(server, tmp_path / "bob", "bob", "#dev", "the first", *(f"hay {number}" for number in range(300)))
        with terminal(client_command(server, tmp_path / "ada", "--name", "ada", "--room", "#dev"), cols=130) as ada:
            ada.wait_for("hay 299")
            server.stop()
            ada.wait_for("connection refused")
            ada.press("ctrl f")
            ada.type("the first")
            ada.wait_for("there is none in what is loaded; you are not connected, so earlier ones cannot be")
            ada.press("esc")
            ada.wait_gone("find:")
            ada.enter("/whois bob")
            ada.wait_for("bob: you are not connected, so this is as of ", "wrote last in #dev")
            ada.enter(f"/connect 127.0.0.1:{server.port}")
            ada.wait_for(f"127.0.0.1:{server.port} is being tried already")
            ada.enter("/connect")
            ada.wait_for(f"127.0.0.1:{server.port} does not answer at the moment")


def test_a_server_that_cannot_be_reached_or_is_none_is_not_gone_to(open_client: Open, windows: ExitStack) -> None:
    ada = open_client("ada89", "--room", "#room89", cols=120)
    with socket.create_server(("127.0.0.1", 0)) as place:
        nowhere = f"127.0.0.1:{place.getsockname()[1]}"
    web = windows.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    windows.callback(web.shutdown)
    for server, why in (
        (nowhere, "connection refused"),
        ("nosuch.invalid", "see whether the name is right"),
        (f"127.0.0.1:{web.server_port}", "is no chat-broker"),
    ):
        ada.enter(f"/connect {server}")
        ada.wait_for(f"{server}", why, "you are still on 127.0.0.1:", "#room89  1 person", "● ada89", limit=15)
        ada.enter("and here I am")
        ada.wait_for("ada89 and here I am")
        ada.wait_gone("am …")


def test_a_killed_worker_is_hardly_noticed(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(running_server(tmp_path / "server", workers=1))
        ada = stack.enter_context(terminal(client_command(server, tmp_path / "ada", "--name", "ada")))
        ada.wait_for("● ada")
        for pid in server.status()["workers"]:
            os.kill(pid, signal.SIGKILL)
        ada.enter("did this arrive?")
        ada.wait_for("did this arrive?", "● ada", limit=10)
        ada.wait_gone("arrive? …", limit=10)
        assert ada.text.count("did this arrive?") == 1
        assert "connected" not in ada.text
        ada.press("alt 1")
        ada.wait_for_line(r"· connected again as ada")
        assert ada.text.count("· ") == len(["connected", "again"])


def test_what_was_not_sent_is_told_at_the_end_and_kept(tmp_path: Path) -> None:
    """Also by a server that never answered, and where one goes to another one in the end."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = str(place.getsockname()[1])
    command: list[str | Path] = [SCRIPTS / "chat-client", "--port", port, "--name", "ada", "--data-dir", tmp_path / "ada"]
    with terminal(command) as ada:
        ada.wait_for("not connected")
        ada.enter("an important message")
        ada.enter("/join #dev")
        ada.type("half a line")
        ada.wait_for("#dev", "> half a line")
        ada.press("alt 2")
        ada.wait_for_line(r"^ 3\*#dev +│")
        ada.enter("/quit")
        assert ada.wait_exit() == 0
        ada.wait_for(f"chat-client: 1 message to 127.0.0.1:{port} was not sent; it is kept as a draft")
        assert ada.is_restored()
    with running_server(tmp_path / "server") as server, terminal(command) as ada:
        ada.wait_for("> an important message")
        ada.press("enter", "ctrl u")
        ada.enter(f"/connect 127.0.0.1:{server.port}")
        ada.wait_for("● ada")
        ada.enter("/quit")
        assert ada.wait_exit() == 0
        assert f"chat-client: 1 message to 127.0.0.1:{port} was not sent".encode() in ada.output
    with running_server(tmp_path / "other", "--port", port), terminal(command) as ada:
        assert_draft_is_sent(ada)
