"""The tokens: secrets that prove who one is, by server and name. How they are kept is `table_file`'s business."""

from __future__ import annotations

import itertools
from pathlib import Path

from common.client_protocol import TOKENS_SHOWN
from common.names import fold
from urwid_client.errors import Failed
from urwid_client.table_file import TableFile, Words, of_server

FILE = "tokens.json"
"""Server, then folded name, to token; to several, if other servers had the same address: the one that was known last first."""


class TokensUnusable(Failed):
    """The file cannot be read or written."""


_WORDS = Words(TokensUnusable, "who you are cannot be remembered", "you are then somebody new to your servers")


class Tokens:
    """The tokens of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._file = TableFile(data_dir / FILE, _is_table, _WORDS)

    def find(self, server: str, name: str) -> str | None:
        """The token for a name on a server (`host:port`). Raises `TokensUnusable`."""
        return next(iter(self.find_all(server, name)), None)

    def find_all(self, server: str, name: str) -> list[str]:
        """The same with those by which one was not known any more, later. Raises `TokensUnusable`."""
        kept = (_several(names.get(fold(name), [])) for names in of_server(self._file.read(), server))
        return [*dict.fromkeys(itertools.chain.from_iterable(kept))]

    def keep(self, server: str, name: str, token: str, shown: str | None = None) -> None:
        """Stores a token; it is on the disk when this returns. Raises `TokensUnusable`.

        It came for the one that was `shown`, and replaces that under all names: by equal tokens they are names of one person.
        Those that the server did not know stay behind it: it may not be the one that gave them.
        """
        with self._file.changing() as table:
            table.setdefault(server, {}).setdefault(fold(name), [])
            for names in of_server(table, server):
                for other, kept in names.items():
                    if shown in _several(kept) or (names is table[server] and other == fold(name)):
                        earlier = [one for one in _several(kept) if one not in (token, shown)][: TOKENS_SHOWN - 1]
                        names[other] = [token, *earlier] if earlier else token


def _several(kept: str | list[str]) -> list[str]:
    return [kept] if isinstance(kept, str) else kept


def _is_table(table: object) -> bool:
    return isinstance(table, dict) and all(
        isinstance(names, dict) and all(map(_is_token_or_several, names.values())) for names in table.values()
    )


def _is_token_or_several(kept: object) -> bool:
    return isinstance(kept, str) or (isinstance(kept, list) and all(isinstance(token, str) for token in kept))
