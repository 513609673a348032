"""A server on a real socket that says what a test likes, in a thread: what clients make of one that means no good."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeAlias

import msgpack

from common import messages as m
from common.framing import FrameDecoder, frame
from common.limits import FRAME_BYTES
from tests.support.frames import request_of

Script: TypeAlias = Callable[[m.Request], Iterable[bytes]]
"""What is sent for each request."""


def packed(*message: Any) -> bytes:
    """A frame with any array in it."""
    return frame(msgpack.packb(message))


def welcome(hello: m.Hello, **options: Any) -> bytes:
    """What a good server says, with other options where the test wants some."""
    told = {"from": "gme", "last": 10, "log": "log", "token": "token", "server": "x", "limits": {}, "refused": {}} | options
    joined = packed("joined", hello.ref, m.LOBBY, {"last": 10, "count": 1, "members": [hello.name], "conv": m.LOBBY})
    return packed("welcome", hello.ref, hello.name, told) + joined


class HostileServer:
    """Serves until the `with` is left, and answers pings. A script that raises `OSError` hangs up."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.visits = 0
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        for sock in (self._listener, *self._clients):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.visits += 1
                self._clients.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        decoder = FrameDecoder(FRAME_BYTES)
        with client, contextlib.suppress(OSError):
            while data := client.recv(65536):
                for body in decoder.feed(data)[0]:
                    request = request_of(body)
                    for said in self._script(request):
                        client.sendall(said)
                    if isinstance(request, m.Ping):
                        client.sendall(m.encode(m.Pong(request.ref)))
                    if isinstance(request, m.Bye):
                        client.sendall(m.encode(m.Goodbye("bye", "")))
                        client.shutdown(socket.SHUT_RDWR)
