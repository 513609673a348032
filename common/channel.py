"""Batches of msgpack over a pipe between two of the server's processes, never blocking unless asked to.

The pipe is a `multiprocessing.Pipe`; its own `send` and `recv` are not used, since they block, and two processes that
send to each other lock up for good once both pipes are full. Here what cannot be written waits in a bounded buffer,
reading goes on all the while, and nothing is ever unpickled.
"""

from __future__ import annotations

import os
import select
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import msgpack

from common.framing import FrameDecoder, frame

BATCH_BYTES = 1024 * 1024 * 1024
"""Longer than any batch: an introduction of thousands who are in a hundred rooms each has a tenth of it. Two processes that
both live could not go on after one that is longer."""
_READ_BYTES = 64 * 1024
"""Room for more is taken from the system with each call and given back, which takes longer than reading what there mostly is."""


class ChannelClosed(Exception):
    """The other process is gone."""


class Channel:
    """One end of a pipe. The owner polls `fileno()` for reading, and for writing while `waiting` is not 0."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._fd = connection.fileno()
        os.set_blocking(self._fd, False)
        self._arrivals = select.poll()
        self._arrivals.register(self._fd, select.POLLIN)
        self._decoder = FrameDecoder(BATCH_BYTES)
        self._unsent = bytearray()

    def fileno(self) -> int:
        return self._fd

    @property
    def waiting(self) -> int:
        """Bytes that the pipe has not taken yet."""
        return len(self._unsent)

    def send(self, batch: Sequence[Any]) -> None:
        """Puts one batch on its way. The owner bounds `waiting`. Raises `ChannelClosed`."""
        self._unsent += frame(msgpack.packb(batch))
        self.flush()

    def flush(self) -> None:
        """Writes what the pipe takes. Raises `ChannelClosed`."""
        while self._unsent:
            try:
                written = os.write(self._fd, self._unsent)
            except BlockingIOError:
                return
            except OSError as problem:
                raise ChannelClosed from problem
            del self._unsent[:written]

    def await_some(self, milliseconds: int) -> None:
        """Waits until there is something to receive, for so long at most."""
        self._arrivals.poll(milliseconds)

    def receive(self, limit: int = 4 * 1024 * 1024) -> list[list[Any]]:
        """The batches that the pipe holds, after reading about `limit` bytes at most. Raises `ChannelClosed`."""
        batches: list[list[Any]] = []
        while limit > 0:
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                break
            except OSError as problem:
                raise ChannelClosed from problem
            if not data:
                if batches:
                    break  # the end is seen again by the next call
                raise ChannelClosed
            limit -= len(data)
            bodies, too_large = self._decoder.feed(data)
            if too_large is not None:
                raise ChannelClosed from too_large
            try:
                batches += (msgpack.unpackb(body) for body in bodies)
            except (ValueError, TypeError) as problem:
                raise ChannelClosed from problem  # a process that has gone mad is worth no more than a dead one
            if len(data) < _READ_BYTES:
                break
        return batches

    def close(self) -> None:
        self._connection.close()
