"""How bytes get to a client and back: as they are, or through TLS. Both ways have one interface, and neither ever blocks.

TLS is done in memory (`ssl.MemoryBIO`) and not by an `SSLSocket`, so that everything that may wait is in plain sight: what is
encrypted and the socket has not taken is `waiting`, what was read and is not handed out is `buffered`. An `SSLSocket` that
could not write has to be called again with the very same bytes, and a lagging session throws away what was not taken.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import ssl
from typing import Protocol

_RECORD_BYTES = 8 * 1024
"""So much is encrypted at once. The library's buffer keeps the size of the longest record (it may have 16 KiB) for as long as the
connection lives, and what one has taken must be sent, however slow its client is."""
_TLS_BEGINS = 0x16
"""The first byte of a TLS connection: a record of the handshake (RFC 8446, section 5.1). In a frame it would announce 352 MiB."""


class Opening(enum.Enum):
    """What a client's first byte asks for, and what it gets."""

    PLAIN = "plain"
    TLS = "TLS"
    TLS_REQUIRED = "refused: it has to begin with TLS"


def opening(first: int, *, offered: bool, required: bool) -> Opening:
    """What to do with a connection by its first byte. `offered`: there is a certificate; `required`: plain text is not taken.

    Where TLS is not offered, one who asks for it announces a frame that is too long, and hears that.
    """
    if first == _TLS_BEGINS and offered:
        return Opening.TLS
    return Opening.TLS_REQUIRED if required else Opening.PLAIN


class Transport(Protocol):
    """One client's connection, as its worker moves bytes over it."""

    @property
    def handshaking(self) -> bool:
        """Nothing can be said yet; `receive` goes on with that, which costs about a millisecond in all."""

    @property
    def waiting(self) -> bool:
        """Some of what was taken has not gone out: `send`, be it of nothing, goes on with it."""

    @property
    def buffered(self) -> bool:
        """`receive` may give something though the socket has nothing to read."""

    def receive(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end. Raises `BlockingIOError` when there are none now, and `OSError`."""

    def send(self, data: bytes, /) -> int:
        """How many bytes were taken, from the beginning. May raise `BlockingIOError` instead of taking none; and `OSError`."""

    def end(self) -> None:
        """Nothing is sent any more; what comes is read, and means nothing. Raises `OSError`."""


class Plain:
    """Bytes as they are."""

    __slots__ = ("_socket", "receive", "send")

    handshaking = waiting = buffered = False

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.receive = sock.recv
        self.send = sock.send

    def end(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)


class Tls:
    """TLS, at the server's end of a non-blocking socket."""

    __slots__ = ("_ended", "_in", "_out", "_socket", "_tls", "_unsent", "handshaking")

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, first: bytes) -> None:
        """`first` are the bytes that were read already; `receive` goes on from there."""
        self._socket = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._in.write(first)
        self._unsent = b""
        """What is encrypted, and was not taken by the socket."""
        self._ended = False
        self.handshaking = True

    @property
    def waiting(self) -> bool:
        return bool(self._unsent)

    @property
    def buffered(self) -> bool:
        return not self._ended and bool(self._in.pending or self._tls.pending())

    def receive(self, size: int) -> bytes:
        """Reads from the socket at most once, and at most so many bytes, which is a little more than what they hold."""
        if self._ended:
            return self._socket.recv(size)  # not decrypted: after our own end the library may refuse to
        if not self.buffered:
            data = self._socket.recv(size)
            if not data:
                return b""
            self._in.write(data)
        try:
            if self.handshaking:
                self._tls.do_handshake()
                self.handshaking = False
            return self._tls.read(size)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        finally:
            self._push()  # its side of the handshake, or the alert that says why there is none

    def send(self, data: bytes) -> int:
        """Encrypts a record after the other, each once the one before is out. Before the handshake is done nobody hears it."""
        if self.handshaking:
            self._push()
            return len(data)
        taken = 0
        while self._push() and taken < len(data):
            taken += self._tls.write(memoryview(data)[taken : taken + _RECORD_BYTES])
        return taken

    def end(self) -> None:
        self._ended = True
        if not self.handshaking:
            with contextlib.suppress(ssl.SSLError):  # it wants to hear their end, or has something else to say: ours is made
                self._tls.unwrap()
            self._push()
            self._unsent = b""
        self._socket.shutdown(socket.SHUT_WR)

    def _push(self) -> bool:
        """Whether the socket has taken all that is encrypted."""
        if self._out.pending:
            self._unsent += self._out.read()
        if self._unsent:
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            except BlockingIOError:
                return False
            except OSError:
                self._unsent = b""  # nobody is there who could take it, so it waits for nobody
                raise
        return not self._unsent
