"""TLS for the experiments: a server that has a certificate, and a client's socket that never blocks."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

from tests.support.certificates import make
from tests.support.wire import trusting

_CONTEXT = trusting()


def tls_options(folder: Path, tls: bool) -> list[str]:
    """Options for a server that offers TLS; none without `tls`."""
    if not tls:
        return []
    path = folder / "tls.pem"
    return ["--tls-cert", str(path if path.exists() else make().write(path))]


def client_hello() -> bytes:
    """How a client begins."""
    outgoing = ssl.MemoryBIO()
    tls = _CONTEXT.wrap_bio(ssl.MemoryBIO(), outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


class EncryptedSocket:
    """What a client does with a socket that is not connected yet, in TLS: the handshake is done on the way."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._tls: ssl.SSLSocket | None = None
        self._ready = False

    def fileno(self) -> int:
        return (self._tls or self._socket).fileno()

    def setblocking(self, flag: bool) -> None:
        self._socket.setblocking(flag)

    def connect_ex(self, address: tuple[str, int]) -> int:
        return self._socket.connect_ex(address)

    def setsockopt(self, level: int, name: int, value: int | bytes) -> None:
        (self._tls or self._socket).setsockopt(level, name, value)

    def getsockopt(self, level: int, name: int) -> int:
        return (self._tls or self._socket).getsockopt(level, name)

    def send(self, data: bytes) -> int:
        """Raises `BlockingIOError` and `ConnectionError`."""
        with _as_of_a_socket():
            return self._shaken_hands().send(data)

    def recv(self, size: int) -> bytes:
        """All there is, at most so much. Raises `BlockingIOError` and `ConnectionError`."""
        with _as_of_a_socket():
            data = self._shaken_hands().recv(size)
        while data and len(data) < size:
            try:
                more = self._shaken_hands().recv(size - len(data))
            except OSError:  # nothing now, or the end, which shows the next time
                break
            data += more
            if not more:
                break
        return data

    def close(self) -> None:
        (self._tls or self._socket).close()

    def _shaken_hands(self) -> ssl.SSLSocket:
        if self._tls is None:
            self._socket.getpeername()  # of one that was reset by now the library would leave a socket behind, still open
            self._tls = _CONTEXT.wrap_socket(self._socket, do_handshake_on_connect=False)
        if not self._ready:
            self._tls.do_handshake()
            self._ready = True
        return self._tls


@contextlib.contextmanager
def _as_of_a_socket() -> Iterator[None]:
    try:
        yield
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise BlockingIOError from None
    except (BlockingIOError, ConnectionError):
        raise
    except OSError as problem:  # an `SSLError` among others
        raise ConnectionAbortedError from problem
