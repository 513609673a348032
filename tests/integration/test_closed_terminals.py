"""A server whose terminal is closed, in each way in which people start one: whether it ends, and what SIGHUP does then."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.place import BROKER, Place
from tests.support.server import members
from tests.support.terminal import Terminal, terminal
from tests.support.timeouts import seconds, wait_until
from tests.support.tools import need
from tests.support.wire import Wire

_NUMBERS = itertools.count(1)
BEATS = 12.0
"""Two of the supervisor's, and some time for a busy machine."""


class Home:
    """A server with a file of settings, started by a shell in a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.place = Place(folder)
        self.config = folder / "chat.toml"
        self.config.touch()
        self.pid = self.port = 0

    @property
    def command(self) -> str:
        options = ["--port", "0", "--workers", "1", "--data-dir", self.place.data, "--config", self.config]
        return shlex.join(map(str, [BROKER, *options]))

    def wait_ready(self) -> None:
        def status() -> bool:
            with contextlib.suppress(subprocess.CalledProcessError):
                told = self.place.status()
                self.pid, self.port = told["supervisor"], int(told["address"].rpartition(":")[2])
            return bool(self.pid)

        wait_until(status, "the server is ready", limit=10, every=0.1)

    def is_there(self) -> bool:
        return bool(self.pid) and Path(f"/proc/{self.pid}/stat").exists() and not self._is_zombie()

    def _is_zombie(self) -> bool:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return True

    def text_bytes(self) -> object:
        """The limit that holds, as clients are told."""
        with Wire("127.0.0.1", self.port) as wire:
            return wire.hello(f"guest{next(_NUMBERS)}").options["limits"]["text_bytes"]

    def reads_anew(self) -> None:
        """On SIGHUP; and it goes on."""
        before = self.text_bytes()
        self.config.write_text(f"[limits]\ntext_bytes = {next(_NUMBERS)}\n")
        os.kill(self.pid, signal.SIGHUP)
        wait_until(lambda: self.text_bytes() != before, "the limits are read anew", every=0.1)

    def stop(self) -> None:
        if self.is_there():
            os.kill(self.pid, signal.SIGTERM)
        wait_until(lambda: not self.is_there(), "the server has ended", limit=6)


@contextlib.contextmanager
def shell(home: Home, line: str) -> Iterator[Terminal]:
    """A shell in a window, in which a server was started with this line."""
    try:
        with terminal(["bash", "--norc", "--noprofile", "-i"]) as window:
            window.wait_for("$" if os.getuid() else "#")
            window.enter(line.format(home.command))
            home.wait_ready()
            yield window
    finally:
        home.stop()


@pytest.mark.parametrize("line", ["{}", "{} &", "{} | cat"], ids=["in front", "in the background", "before a pipe"])
def test_it_ends_with_its_terminal(line: str, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with shell(home, line) as window:
        group = os.getpgid(home.pid)
        window.hang_up()
        wait_until(lambda: not home.is_there(), "the server has ended", limit=6)
        wait_until(lambda: not members(group), "nobody is left of it")


def test_it_ends_with_its_pane_of_tmux(tmp_path: Path) -> None:
    tmux = [need("tmux"), "-S", str(tmp_path / "tmux.sock")]
    home = Home(tmp_path / "home")
    try:
        subprocess.run([*tmux, "new-session", "-d", "-s", "chat", home.command], check=True, timeout=seconds(5))
        home.wait_ready()
        home.reads_anew()
        subprocess.run([*tmux, "kill-pane", "-t", "chat"], check=True, timeout=seconds(5))
        wait_until(lambda: not home.is_there(), "the server has ended", limit=6)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, stderr=subprocess.DEVNULL, timeout=seconds(5))
        home.stop()


OUTLIVES = {
    "nohup": "nohup {} > out 2> err &",
    "setsid": "setsid {} &",
    "disowned": "{} & disown",
    "the shell ended": "{} &",
}


def test_where_it_outlives_its_terminal_it_reads_anew_on_sighup(tmp_path: Path) -> None:
    homes = {how: Home(tmp_path / how.replace(" ", "-")) for how in OUTLIVES}
    with contextlib.ExitStack() as stack:
        windows = {
            how: stack.enter_context(shell(home, f"cd {home.place.scratch}; {OUTLIVES[how]}")) for how, home in homes.items()
        }
        for home in homes.values():
            home.reads_anew()
        windows["the shell ended"].enter("exit")
        windows["the shell ended"].wait_exit()
        for window in windows.values():
            window.hang_up()
        time.sleep(BEATS)
        for how, home in homes.items():
            assert home.is_there(), how
            home.reads_anew()
