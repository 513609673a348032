"""The socket in the data directory over which `chat-broker status` asks a running server. One question, one answer.

It is the supervisor's. Only the owner of the data directory gets to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = "status.sock"
_PATH_BYTES = 100
"""A socket's address has room for 107 bytes of path on Linux, and a few less elsewhere."""
_WRITE_SECONDS = 0.2
_ANSWER_SECONDS = 3.0


class NotRunning(Exception):
    """There is nobody to ask. One line for the user."""


class StatusSocket:
    """The supervisor's end. It polls `fileno()`, and then takes a connection, which it answers later on."""

    def __init__(self, data_dir: Path) -> None:
        """Takes the place of one that a killed server left behind: the caller is the only server of this directory.

        Raises `OSError`.
        """
        self._path = data_dir / NAME
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _short(data_dir) as path:
            self._socket.bind(path)
        self._path.chmod(0o600)
        self._socket.listen()  # nobody could connect before the mode was set
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def accept(self) -> socket.socket | None:
        try:
            return self._socket.accept()[0]
        except OSError:
            return None  # whoever asked is gone, or no descriptor is left

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()


def answer(asker: socket.socket, status: dict[str, Any]) -> None:
    """Tells one who asked, and closes the connection."""
    with asker, contextlib.suppress(OSError):
        asker.settimeout(_WRITE_SECONDS)
        asker.sendall(json.dumps(status).encode())


def ask(data_dir: Path) -> dict[str, Any]:
    """What the server on this data directory says about itself. Raises `NotRunning`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_ANSWER_SECONDS)
        try:
            with _short(data_dir) as path:
                asking.connect(path)
            data = b"".join(iter(lambda: asking.recv(65536), b""))
        except TimeoutError:
            raise NotRunning(f"the server on {data_dir} does not answer, it may be stopped or overloaded") from None
        except PermissionError:
            raise NotRunning(f"{data_dir} belongs to somebody else, only they may ask their server") from None
        except OSError:
            data = b""
    if not data:
        raise NotRunning(f"no server runs on {data_dir}, start one or name its directory with --data-dir")
    status: dict[str, Any] = json.loads(data)
    return status


@contextlib.contextmanager
def _short(data_dir: Path) -> Iterator[str]:
    """The path of the socket, or another one for the same file that fits into a socket's address."""
    path = str(data_dir / NAME)
    if len(os.fsencode(path)) <= _PATH_BYTES:
        yield path
        return
    directory = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{NAME}"
    finally:
        os.close(directory)
