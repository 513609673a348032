"""Tries what was installed, as its users have it: run by an interpreter into which the wheel went, away from the sources.

Only the standard library is imported: nothing of the source tree may be found here.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
LIMIT = 30
"""Seconds for each command."""


def run(*command: str) -> str:
    """What a script says on stdout."""
    program, *arguments = command
    done = subprocess.run([SCRIPTS / program, *arguments], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def try_versions() -> None:
    version = importlib.metadata.version("chat-broker")
    for program in ("chat-broker", "chat-client"):
        assert run(program, "--version") == f"{program} {version}\n"


def try_contents() -> None:
    for package in ("broker", "common", "urwid_client", "workers"):
        assert importlib.util.find_spec(package), f"{package} was not installed"
    assert not importlib.util.find_spec("tests"), "the tests were installed"
    for program in ("chat-broker", "chat-client"):
        page = Path(sys.prefix) / "share" / "man" / "man1" / f"{program}.1"
        assert page.exists(), f"the man page {page} was not installed"


def try_chatting(directory: str) -> None:
    command: list[str | Path] = [SCRIPTS / "chat-broker", "--port", "0", "--workers", "2", "--data-dir", directory]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            ready = re.match(r"chat-broker ready on 127\.0\.0\.1:(\d+)", server.stdout.readline())
            assert ready, "the server did not say that it is ready"
            where = ("--port", ready[1], "--data-dir", directory)
            run("chat-client", "send", *where, "--name", "ada", "--to", "#lobby", "hello", "there")
            line = run("chat-client", "tail", *where, "--name", "bob", "--history", "1", "--count", "1", "--json")
            message = json.loads(line)
            assert (message["sender"], message["to"], message["text"]) == ("ada", "#lobby", "hello there"), message
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(LIMIT) == 0, "the server did not end well"


if __name__ == "__main__":
    try_versions()
    try_contents()
    with tempfile.TemporaryDirectory() as directory:
        try_chatting(directory)
    print(f"installed for {sys.version.split()[0]}: both scripts run, and two people talk")
