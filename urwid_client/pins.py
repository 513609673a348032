"""The servers that were spoken to in TLS, and what they are known by. How that is kept is `table_file`'s business."""

from __future__ import annotations

from pathlib import Path

from common import addresses
from common.fingerprints import as_fingerprint
from urwid_client.table_file import TableFile, Words, of_server
from urwid_client.trust import AUTHORITY, Unsafe

FILE = "servers.json"
"""Server to the fingerprint of its key, or to `AUTHORITY`."""


class PinsUnusable(Unsafe):
    """The file cannot be read or written: who is spoken to cannot be known."""


_WORDS = Words(PinsUnusable, "which servers to trust cannot be remembered", "the keys of your servers are then not known")


class Pins:
    """The known servers of one data directory. Each call looks at the file: another client may have changed it."""

    def __init__(self, data_dir: Path) -> None:
        self._file = TableFile(data_dir / FILE, _is_table, _WORDS)

    def find(self, server: str) -> str | None:
        """What a server (`host:port`) is known by; None if it never spoke TLS. Raises `PinsUnusable`."""
        return next(iter(of_server(self._file.read(), server)), None)

    def keep(self, server: str, known_by: str) -> None:
        """Stores that; it is on the disk when this returns. Raises `PinsUnusable`.

        A key that was replaced is not to be believed where the same address is written in another way.
        """
        if {*of_server(self._file.read(), server)} != {known_by}:
            with self._file.changing() as table:
                spellings = [known for known in table if addresses.is_same(known, server)]
                table.update(dict.fromkeys([server, *spellings], known_by))


def _is_table(table: object) -> bool:
    return isinstance(table, dict) and all(_is_known_by(entry) for entry in table.values())


def _is_known_by(entry: object) -> bool:
    try:
        return isinstance(entry, str) and (entry == AUTHORITY or as_fingerprint(entry) == entry)
    except ValueError:
        return False
