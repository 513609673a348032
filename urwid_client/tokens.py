"""The tokens: secrets that prove who one is, by server and name. How they are kept is `table_file`'s business."""

from __future__ import annotations

from pathlib import Path

from common.names import fold
from urwid_client.errors import Failed
from urwid_client.table_file import TableFile, Words, of_server

FILE = "tokens.json"
"""Server, then folded name, to token."""


class TokensUnusable(Failed):
    """The file cannot be read or written."""


_WORDS = Words(TokensUnusable, "who you are cannot be remembered", "you are then somebody new to your servers")


class Tokens:
    """The tokens of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._file = TableFile(data_dir / FILE, _is_table, _WORDS)

    def find(self, server: str, name: str) -> str | None:
        """The token for a name on a server (`host:port`). Raises `TokensUnusable`."""
        kept = (names.get(fold(name)) for names in of_server(self._file.read(), server))
        return next(filter(None, kept), None)

    def keep(self, server: str, name: str, token: str, shown: str | None = None) -> None:
        """Stores a token; it is on the disk when this returns. Raises `TokensUnusable`.

        It came for the one that was `shown`, and replaces that under all names: by equal tokens they are names of one person.
        """
        with self._file.changing() as table:
            table.setdefault(server, {})[fold(name)] = token
            for names in of_server(table, server):
                names |= dict.fromkeys([other for other, kept in names.items() if kept == shown], token)


def _is_table(table: object) -> bool:
    return isinstance(table, dict) and all(
        isinstance(names, dict) and all(isinstance(token, str) for token in names.values()) for names in table.values()
    )
