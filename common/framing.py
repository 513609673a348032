"""Frames: a 4-byte big-endian length, then that many bytes. Knows nothing of what is inside.

The same framing is used on the wire (limit `limits.FRAME_BYTES`) and on the pipes between the server's processes.
"""

from __future__ import annotations

import struct

HEADER = struct.Struct(">I")
_header = HEADER.pack


class FrameTooLarge(ValueError):
    """A header announces more than the limit; nothing after it can be read."""

    def __init__(self, announced: int, limit: int) -> None:
        super().__init__(f"a frame of {announced} bytes was announced, the limit is {limit}")


def frame(body: bytes) -> bytes:
    """The body with its length in front."""
    return _header(len(body)) + body


def ends(frames: bytes) -> list[int]:
    """Where each of several whole frames that stand one behind the other ends."""
    found, at = [], 0
    while at < len(frames):
        at += HEADER.size + HEADER.unpack_from(frames, at)[0]
        found.append(at)
    return found


class FrameDecoder:
    """Cuts a stream of bytes into frame bodies, whatever the pieces it arrives in."""

    __slots__ = ("_limit", "_rest")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> tuple[list[bytes], FrameTooLarge | None]:
        """The bodies that are complete with `data`, and what makes the stream unreadable from there on, if anything.

        After an error the stream is lost: feed nothing more.
        """
        stream: bytes | bytearray = data
        if self._rest:  # grown in place: a long frame comes in many pieces, and is not to be copied with each of them
            self._rest += data
            stream = self._rest
        bodies: list[bytes] = []
        at, end = 0, len(stream)
        while end - at >= HEADER.size:
            (length,) = HEADER.unpack_from(stream, at)
            if length > self._limit:
                self._rest.clear()
                return bodies, FrameTooLarge(length, self._limit)
            start = at + HEADER.size
            if end - start < length:
                break
            at = start + length
            bodies.append(bytes(stream[start:at]))
        if stream is self._rest:
            del self._rest[:at]
        else:
            self._rest += data[at:]
        return bodies, None

    @property
    def waiting(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._rest)
