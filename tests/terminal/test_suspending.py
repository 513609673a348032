"""Ctrl+Z in a client that a server was started with, in a shell with job control."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from common import messages as m
from tests.support.server import SCRIPTS
from tests.support.terminal import Terminal, terminal
from tests.support.wire import Wire

BASH = shutil.which("bash")
PROMPT = "this is the shell> "

pytestmark = pytest.mark.skipif(BASH is None, reason="there is no bash")


def suspend(window: Terminal) -> None:
    """The shell has the terminal after that, and on the screen that the client has given back: its prompt is to be seen."""
    start = len(window.output)
    window.press("ctrl z")
    window.wait_until(lambda: PROMPT.encode() in window.output[start:], "the shell's prompt")
    window.settle()
    given_back, prompted = window.output.rfind(b"\x1b[?1049l"), window.output.rfind(PROMPT.encode())
    assert start < given_back < prompted, "the prompt went away with the client's screen"


def pid_of(data: Path) -> int:
    """Of the supervisor."""
    told = subprocess.run([SCRIPTS / "chat-broker", "status", "--json", data], check=True, capture_output=True).stdout
    return int(json.loads(told)["supervisor"])


def test_the_shell_has_the_terminal_and_the_server_goes_on(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    server = f"{SCRIPTS / 'chat-broker'} --port {port} --workers 1 --data-dir {tmp_path / 'server'}"
    client = f"{SCRIPTS / 'chat-client'} --data-dir {tmp_path / 'client'} --name ada"
    with terminal([str(BASH), "--norc", "--noprofile", "-i"], cols=200, env={"PS1": PROMPT}) as window:
        window.wait_for(PROMPT.strip())
        window.enter(f"{server} -- {client}")
        window.wait_for("● ada", limit=10)
        suspend(window)
        window.enter("echo $((40 + 2)) jobs")
        window.wait_for("42 jobs")
        with Wire("127.0.0.1", port) as bob:
            bob.hello("bob")
            bob.say(m.make_ref(1, 1), m.LOBBY, "is anybody there?")
            window.enter("fg")
            window.wait_for("● ada", "bob is anybody there?", limit=10)
            window.enter("I was away for a moment")
            window.wait_for("ada I was away for a moment")
            window.wait_gone("moment …")
        server_pid = pid_of(tmp_path / "server")
        suspend(window)
        window.enter("kill %1")
        window.wait_until(lambda: not Path(f"/proc/{server_pid}").exists(), "the end of the server", limit=15)
        window.enter("exit")
        window.wait_exit()
