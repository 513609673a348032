"""Measures the client with its screen: a real one, on a pseudo-terminal, on a real server.

    python -m bench.client [--quick]

How long a key takes until it is on the screen, with a long conversation loaded and while many messages come in; what a message
costs in memory, and what 1,000 of them a second cost in processor time; how soon the first screen is there.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import re
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.__main__ import ROOT, serving
from bench.figures import memory, p99, processor_seconds
from bench.log import fill
from common import messages as m

COLS, ROWS = 120, 40
RATE = 1_000
"""Messages that come in, in a second."""
_LETTERS = "jkqvwxyz"


class Window:
    """A terminal with a client in it, of which only the bytes are looked at."""

    def __init__(self, port: int, data_dir: Path, name: str) -> None:
        """What is compiled of the program is kept beside its data: an installed program is compiled already."""
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (ROWS, COLS))
        command = [sys.executable, "-m", "urwid_client.cli", "--port", str(port), "--data-dir", str(data_dir), "--name", name]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(data_dir.parent / "compiled")}
        self._typed = ""
        self.began = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True)
        os.close(slave)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, words: bytes, limit: float = 30.0) -> float:
        """Reads until the words have been written; when that was."""
        seen, deadline = b"", time.perf_counter() + limit
        while words not in seen:
            if not select.select([self._master], [], [], max(deadline - time.perf_counter(), 0))[0]:
                raise SystemExit(f"the client did not write {words!r} within {limit:g} s")
            seen = seen[-200:] + os.read(self._master, 65536)
        return time.perf_counter()

    def drain(self, quiet: float) -> bytes:
        """Reads until nothing has been written for so many seconds; what it was."""
        read = b""
        while select.select([self._master], [], [], quiet)[0]:
            read += os.read(self._master, 65536)
        return read

    def key_times(self, count: int, pause: float) -> list[float]:
        """For each of `count` keys the seconds until it is on the screen, at the end of what was typed before it."""
        times = []
        for _ in range(count):
            if self._typed == _LETTERS:
                self.type("\x15")
                self._typed = ""
                time.sleep(0.05)
            self._typed += _LETTERS[len(self._typed)]
            began = time.perf_counter()
            self.type(self._typed[-1])
            times.append(self.wait_for(self._typed.encode()) - began)
            time.sleep(pause)
        return times

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@contextlib.contextmanager
def window(port: int, data_dir: Path, name: str) -> Iterator[Window]:
    opened = Window(port, data_dir, name)
    try:
        yield opened
    finally:
        opened.close()


def load_earlier(client: Window, messages: int) -> None:
    """Scrolls up until all of so many messages are loaded."""
    for _ in range(messages // 10):
        client.type("\x1b[1;3H")
        if re.search(rb"number 0\D", client.drain(0.02)):
            return
    raise SystemExit(f"not all of {messages:,} messages could be loaded")


class Flood(threading.Thread):
    """Somebody who says a thousand things a second."""

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._seconds = seconds
        self.sent = 0

    def run(self) -> None:
        self._socket.sendall(m.encode(m.Hello(1, m.VERSION, "flood", {})))
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < self._seconds:
            due = int(elapsed * RATE)
            texts = (f"message {number} of a talk that does not end, with *emphasis* here" for number in range(self.sent, due))
            sends = [m.Send(m.make_ref(7, self.sent + n + 1), m.LOBBY, text, {}) for n, text in enumerate(texts)]
            self._socket.sendall(b"".join(map(m.encode, sends)))
            self.sent = due
            while select.select([self._socket], [], [], 0.01)[0]:
                if not self._socket.recv(1 << 20):
                    return


def first_screen(port: int, directory: Path, rounds: int) -> list[float]:
    """Seconds from the start of the program to its first screen. The first start, which compiles it, does not count."""
    times = []
    for _ in range(1 + rounds):
        with window(port, directory / "first", "first") as client:
            times.append(client.wait_for(b"F1 help") - client.began)
    return times[1:]


def measure(directory: Path, messages: int, keys: int, seconds: float, rounds: int) -> None:
    fill(directory / "data", messages, m.LOBBY)
    with serving(directory / "data", 1) as server:
        times = first_screen(server.port, directory, rounds)
        print(f"first screen: {statistics.median(times) * 1000:.0f} ms (median of {rounds})")
        with window(server.port, directory / "ada", "ada") as client:
            client.wait_for(b"ada")
            client.drain(1.0)
            client.key_times(16, 0.01)
            before = memory([client.process.pid])
            load_earlier(client, messages)
            after = memory([client.process.pid])
            print(
                f"memory: {(after - before) / messages:,.0f} bytes a message ({messages:,} in a buffer, {after / 2**20:.0f} MiB)"
            )
            spent = processor_seconds(client.process.pid)
            times = client.key_times(keys, 0.005)
            each = (processor_seconds(client.process.pid) - spent) / keys
            print(f"key to screen, {messages:,} messages loaded: {_told(times)}; {each * 1000:.1f} ms of the processor each")
        with window(server.port, directory / "eve", "eve") as client:
            client.wait_for(b"eve")
            client.drain(1.0)
            flood = Flood(server.port, seconds)
            flood.start()
            time.sleep(0.5)
            began, spent = time.perf_counter(), processor_seconds(client.process.pid)
            times = []
            while flood.is_alive():
                times += client.key_times(1, 0.02)
            share = (processor_seconds(client.process.pid) - spent) / (time.perf_counter() - began)
            print(f"{RATE:,} messages/s coming in: {share:.0%} of a core; key to screen meanwhile: {_told(times)}")


def _told(times: list[float]) -> str:
    return f"p50 {statistics.median(times) * 1000:.1f} ms, p99 {p99(times) * 1000:.1f} ms ({len(times)} keys)"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.client", description="Measures the client with its screen.")
    parser.add_argument("--quick", action="store_true", help="with fewer messages, in a moment")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as directory:
        measure(Path(directory), *((500, 16, 1.5, 1) if quick else (100_000, 500, 10.0, 7)))


if __name__ == "__main__":
    main()
