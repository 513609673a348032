"""Clients that ask for something as fast as they can, in a process of their own: the port, what they ask for, and how many.

They read all answers. They end when their input does, and say how many requests were taken from them.
"""

from __future__ import annotations

import selectors
import socket
import sys
from collections.abc import Callable

from common import messages as m
from common.framing import frame

AT_ONCE = 500

REQUESTS: dict[str, Callable[[int], bytes]] = {
    "messages": lambda n: m.encode(m.Send(m.make_ref(7, n), "#flood", "x" * 200, {})),
    "pages": lambda n: m.encode(m.History(n, m.LOBBY, {"limit": 200})),
    "pings": lambda n: m.encode(m.Ping(n)),
    "joins": lambda n: m.encode(m.Join(n, "#here", {}) if n % 2 else m.Part(n, "#here", {})),
    "members": lambda n: m.encode(m.Members(n, m.LOBBY, {})),
    "people who are not there": lambda n: m.encode(m.History(n, f"nobody{n}", {})),
    "nonsense": lambda n: frame(b"\x92\xa1?\x01"),
}


class Flooder:
    """One of them."""

    def __init__(self, port: int, kind: str, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(m.encode(m.Hello(1, m.VERSION, name, {"rooms": ["#flood"]})))
        self.socket.recv(1000)
        self.socket.setblocking(False)
        self.number = 1
        self._kind = kind
        self._unsent = self._requests = self._new_requests()

    def _new_requests(self) -> bytes:
        return b"".join(map(REQUESTS[self._kind], range(self.number + 1, self.number + 1 + AT_ONCE)))

    def flood(self, events: int) -> None:
        if events & selectors.EVENT_READ:
            self.socket.recv(1 << 20)
        if events & selectors.EVENT_WRITE:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
            if not self._unsent:
                self.number += AT_ONCE
                if self._kind == "messages":  # the same again would be no new ones
                    self._requests = self._new_requests()
                self._unsent = self._requests


def main(port: int, kind: str, count: int) -> None:
    flooders = [Flooder(port, kind, f"flooder{number}") for number in range(count)]
    selector = selectors.DefaultSelector()
    for flooder in flooders:
        selector.register(flooder.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, flooder)
    selector.register(sys.stdin, selectors.EVENT_READ)
    print("flooding", flush=True)
    while True:
        for key, events in selector.select():
            if key.fileobj is sys.stdin:
                print(sum(flooder.number for flooder in flooders))
                return
            key.data.flood(events)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
