"""A checksum over the whole file of a log that is at rest, in a small file beside it.

SQLite keeps no checksums of its pages, so a change where a page has unused room cannot be seen in the file itself. A server
that stops seals its log, and one that starts breaks the seal before it writes.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from common.files import sync

BYTES_MAX = 256 * 1024 * 1024
"""A larger file stays without a seal: stopping must not take long."""
_BLOCK_BYTES = 1024 * 1024
_FORM = re.compile(rb"[0-9a-f]{8} [0-9]+\n")
"""A loss of power may leave a file of another form, which says nothing."""


def put(path: Path) -> None:
    """Seals the log at `path`, which nobody has open. Raises `OSError`."""
    if path.stat().st_size <= BYTES_MAX:
        _place(path).touch(0o600)
        _place(path).write_bytes(_sum(path))


def take_off(path: Path) -> None:
    """Breaks the seal, if there is one, before the first change; for good. Raises `OSError`."""
    if _place(path).exists():
        _place(path).unlink()
        sync(path.parent)


def is_broken(path: Path) -> bool:
    """Whether the log at `path` has a seal, but is not as it was when that was put on. Raises `OSError`."""
    if not _place(path).exists():
        return False
    sealed = _place(path).read_bytes()
    return bool(_FORM.fullmatch(sealed)) and sealed != _sum(path)


def _place(path: Path) -> Path:
    return path.with_name(f"{path.name}.seal")


def _sum(path: Path) -> bytes:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
        return b"%08x %d\n" % (crc, file.tell())
