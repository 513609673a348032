"""The tokens: secrets that prove who one is, by server and name, in one file of the data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common.names import fold
from urwid_client.kept_file import FileUnusable, KeptFile

FILE = "tokens.json"


class TokensUnusable(FileUnusable):
    """The file cannot be read or written."""


class Tokens:
    """The tokens of one data directory: a table of servers, each one of folded names and their tokens."""

    def __init__(self, data_dir: Path) -> None:
        self._file = KeptFile(
            data_dir / FILE,
            _is_table,
            damaged="repair it, or move it away (you are then somebody new to your servers)",
            lost="who you are cannot be remembered",
            error=TokensUnusable,
        )

    def find(self, server: str, name: str) -> str | None:
        """The token for a name on a server (`host:port`). Raises `TokensUnusable`."""
        token: str | None = self._file.read().get(server, {}).get(fold(name))
        return token

    def keep(self, server: str, name: str, token: str) -> None:
        """Stores a token; it is on the disk when this returns. Raises `TokensUnusable`."""

        def change(table: dict[str, Any]) -> bool:
            if table.get(server, {}).get(fold(name)) == token:
                return False
            table.setdefault(server, {})[fold(name)] = token
            return True

        self._file.change(change)


def _is_table(table: object) -> bool:
    return isinstance(table, dict) and all(
        isinstance(names, dict) and all(isinstance(token, str) for token in names.values()) for names in table.values()
    )
