"""Clients that page through a room's history, in a process of their own: the port, how many there are, and each one's pause.

Each second they say how many pages they got. They are not in the room: what is said there costs only what reading it costs.
"""

from __future__ import annotations

import os
import random
import selectors
import socket
import sys
import time

from common import messages as m
from common.framing import FrameDecoder
from common.limits import FRAME_BYTES

ROOM = "#room0"
_WITH_MESSAGES = 1_000
"""A page that is longer has some (bytes); others do not count."""


class Pager:
    """One client. Some time after it has got a page it asks for another, anywhere."""

    def __init__(self, port: int, number: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.pages = 0
        self.newest = 1
        self.ask_at: float | None = None
        self._decoder = FrameDecoder(FRAME_BYTES)
        self.socket.sendall(m.encode(m.Hello(1, m.VERSION, f"pager{number}", {})))

    def read(self, pause: float) -> None:
        bodies, problem = self._decoder.feed(self.socket.recv(256 * 1024))
        assert problem is None
        for body in bodies:
            tag = body[2 : 2 + (body[1] & 31)]
            if tag == b"welcome":
                welcome = m.parse_reply(body)
                assert isinstance(welcome, m.Welcome)
                self.newest = welcome.options["last"]
            if tag in (b"welcome", b"page"):
                self.pages += tag == b"page" and len(body) > _WITH_MESSAGES
                self.ask_at = time.monotonic() + pause * random.uniform(0.5, 1.5)

    def ask(self) -> None:
        self.ask_at = None
        before = random.randrange(1, self.newest + 2)
        self.socket.sendall(m.encode(m.History(2, ROOM, {"before": before, "limit": 50})))


def main(port: int, count: int, pause: float) -> None:
    os.nice(10)  # a thousand people have machines of their own: theirs take no time from the server's
    selector = selectors.DefaultSelector()
    pagers = [Pager(port, number) for number in range(count)]
    for pager in pagers:
        selector.register(pager.socket, selectors.EVENT_READ, pager)
    tell_at = time.monotonic() + 0.2
    while True:
        for key, _ in selector.select(0.02):
            key.data.read(pause)
        now = time.monotonic()
        for pager in pagers:
            if pager.ask_at is not None and pager.ask_at <= now:
                pager.ask()
        if now >= tell_at:
            tell_at += 1
            print(sum(pager.pages for pager in pagers), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
