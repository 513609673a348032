"""What stands in a write-ahead log of SQLite: read here byte by byte, because SQLite itself would write while it looks.

SQLite puts whatever write-ahead log it finds beside a database into it, also another database's. The format is the
one of https://www.sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_MAGIC = 0x377F0682
"""The lowest bit tells the byte order of the checksums."""
_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")

INDEX_BYTES = 100
_FRAMES = struct.Struct("=I")
_FRAMES_AT, _DONE_AT = 16, 96
"""Where it stands how many frames there are (mxFrame), and of how many the pages have been put into the database (nBackfill)."""


class Frame(NamedTuple):
    """One page as a transaction left it."""

    page: bytes
    commits: bool
    """The transaction ends with this frame."""
    valid: bool
    """This frame and all before it are as they were written. SQLite reads no further than the last valid commit."""


def frames(data: bytes) -> Iterator[Frame]:
    """The frames since the file was last begun anew, those behind damage included. None if its header is not whole."""
    if not _header_is_whole(data):
        return
    order, page_bytes, salts, sums = _read_header(data)
    valid = True
    for at in range(_HEADER.size, len(data) - _FRAME.size - page_bytes + 1, _FRAME.size + page_bytes):
        _, pages_after, *frame_salts, sum_1, sum_2 = _FRAME.unpack_from(data, at)
        page = data[at + _FRAME.size : at + _FRAME.size + page_bytes]
        if valid:
            sums = _checksum(order, page, _checksum(order, data[at : at + 8], sums))
            valid = sums == (sum_1, sum_2) and frame_salts == salts
        if frame_salts == salts:  # else it is left over from an earlier use of the file
            yield Frame(page, pages_after > 0, valid)


def pages_waiting(index: bytes) -> int:
    """How many pages are not in the database yet, by the first `INDEX_BYTES` of the file (`-shm`) with which SQLite finds pages.

    The format is the one of https://www.sqlite.org/walformat.html#walidxfmt, in the byte order of this machine.
    """
    (frames,), (done,) = _FRAMES.unpack_from(index, _FRAMES_AT), _FRAMES.unpack_from(index, _DONE_AT)
    return int(frames) - int(done)


def first_commit(data: bytes) -> list[bytes]:
    """The pages of the first transaction; empty if there is none, and SQLite therefore ignores the file."""
    pages = []
    for frame in frames(data):
        if not frame.valid:
            break
        pages.append(frame.page)
        if frame.commits:
            return pages
    return []


def lost_commits(data: bytes) -> bool:
    """Whether something that was complete on the disk cannot be read any more, so that SQLite leaves it out in silence.

    A transaction is begun only after the one before it is safe on the disk. So damage with two ends of transactions
    behind it is no write that a crash cut short. Damage of the very last transaction cannot be told from that.
    """
    if len(data) > _HEADER.size and not _header_is_whole(data):
        return True
    return sum(frame.commits for frame in frames(data) if not frame.valid) >= 2


def _read_header(data: bytes) -> tuple[str, int, list[int], tuple[int, int]]:
    """The byte order of the checksums, the size of a page, the salts of the frames, and the header's own checksum."""
    magic, _, page_bytes, _, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack_from(data)
    return ">" if magic & 1 else "<", page_bytes, [salt_1, salt_2], (sum_1, sum_2)


def _header_is_whole(data: bytes) -> bool:
    if len(data) < _HEADER.size:
        return False
    order, page_bytes, _, sums = _read_header(data)
    magic_is_right = int.from_bytes(data[:4]) & ~1 == _MAGIC
    return magic_is_right and 512 <= page_bytes <= 65536 and _checksum(order, data[:24], (0, 0)) == sums


def _checksum(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return one, two
