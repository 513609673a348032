"""One client that asks for something as fast as it can, in a process of its own: the port, and what it asks for.

It reads all answers. It ends when its input does, and says how many requests were taken from it.
"""

from __future__ import annotations

import selectors
import socket
import sys
from collections.abc import Callable

from common import messages as m
from common.framing import frame

AT_ONCE = 500


def name_of(kind: str) -> str:
    """Whose flood it is: each has another name, since that of the one before is kept for a while."""
    return f"floods-{kind.replace(' ', '-')}"


REQUESTS: dict[str, Callable[[int], bytes]] = {
    "messages": lambda n: m.encode(m.Send(m.make_ref(7, n), "#flood", "x" * 200, {})),
    "pages": lambda n: m.encode(m.History(n, m.LOBBY, {"limit": 200})),
    "pings": lambda n: m.encode(m.Ping(n)),
    "joins": lambda n: m.encode(m.Join(n, "#here", {}) if n % 2 else m.Part(n, "#here", {})),
    "being away": lambda n: m.encode(m.Away(n, "lunch" if n % 2 else "", {})),
    "who somebody is": lambda n: m.encode(m.Whois(n, name_of("who somebody is") if n % 2 else f"nobody{n}", {})),
    "typing": lambda n: m.encode(m.Typing(n, "#flood" if n % 2 else m.LOBBY, {})),
    "members": lambda n: m.encode(m.Members(n, m.LOBBY, {})),
    "people who are not there": lambda n: m.encode(m.History(n, f"nobody{n}", {})),
    "nonsense": lambda n: frame(b"\x92\xa1?\x01"),
}


def main(port: int, kind: str) -> None:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(m.encode(m.Hello(1, m.VERSION, name_of(kind), {"rooms": ["#flood"]})))
    assert b"welcome" in sock.recv(1000), "one that is not let in would ask in vain"
    sock.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
    selector.register(sys.stdin, selectors.EVENT_READ)
    number = 1
    unsent = requests = b"".join(map(REQUESTS[kind], range(2, 2 + AT_ONCE)))
    print("flooding", flush=True)
    while True:
        for key, events in selector.select():
            if key.fileobj is sys.stdin:
                print(number)
                return
            if events & selectors.EVENT_READ:
                sock.recv(1 << 20)
            if events & selectors.EVENT_WRITE:
                unsent = unsent[sock.send(unsent) :]
                if not unsent:
                    number += AT_ONCE
                    if kind == "messages":  # the same again would be no new ones
                        requests = b"".join(map(REQUESTS[kind], range(number + 1, number + 1 + AT_ONCE)))
                    unsent = requests


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
