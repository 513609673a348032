"""A connection that speaks the protocol frame by frame, for tests that look at the wire itself."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType
from typing import Any, Self, TypeVar

from common import messages as m
from common.framing import FrameDecoder
from common.limits import FRAME_BYTES
from tests.support.timeouts import seconds

R = TypeVar("R", bound=m.Reply)


def trusting() -> ssl.SSLContext:
    """A client's context that takes any certificate: whose it is, is not what these tests are about."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Wire:
    """A blocking connection. Replies that a test does not ask for (presence, say) are passed over by `expect`."""

    def __init__(
        self, host: str, port: int, limit: float = 5, tls: ssl.SSLContext | None = None, source: str | None = None
    ) -> None:
        """With `tls` it is encrypted; `source` is the address of this machine that it comes from."""
        self.socket = socket.create_connection((host, port), seconds(limit), source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket)
        self._decoder = FrameDecoder(FRAME_BYTES)
        self._waiting: list[m.Reply] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, *messages: m.Request) -> None:
        self.socket.sendall(b"".join(m.encode(message) for message in messages))

    def send_bytes(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> m.Reply | None:
        """The next reply; None when the server has closed. Raises `TimeoutError`."""
        while not self._waiting:
            data = self.socket.recv(65536)
            if not data:
                return None
            bodies, problem = self._decoder.feed(data)
            assert problem is None, problem
            self._waiting += [reply for body in bodies if (reply := m.parse_reply(body)) is not None]
        return self._waiting.pop(0)

    def expect(self, kind: type[R]) -> R:
        """The next reply of this kind; fails on an error that is not asked for, and at the end of the connection."""
        while True:
            reply = self.receive()
            if isinstance(reply, kind):
                return reply
            assert reply is not None, f"the server closed instead of sending {kind.__name__}"
            assert not isinstance(reply, m.Error | m.Goodbye), reply

    def hello(self, name: str, ref: int = 1, **options: Any) -> m.Welcome:
        """Says hello, and waits until one is in every room asked for (the replay may still be coming)."""
        self.send(m.Hello(ref, m.VERSION, name, options))
        welcome = self.expect(m.Welcome)
        refused = welcome.options.get("refused", {})
        for _ in {m.LOBBY, *options.get("rooms", ())} - set(refused):
            self.expect(m.Joined)
        return welcome

    def say(self, ref: int, to: str, text: str, **options: Any) -> m.Msg:
        """Sends a message, and waits for its acknowledgement: the message that comes back with this ref."""
        self.send(m.Send(ref, to, text, options))
        while (msg := self.expect(m.Msg)).ref != ref:
            pass
        return msg
