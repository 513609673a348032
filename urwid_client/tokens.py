"""The tokens: secrets that prove who one is, by server and name, in one file of the data directory that only its owner can read.

Several clients may use the file at once. One that cannot be understood is never written to: somebody may want to repair it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from common.names import fold
from urwid_client.errors import Failed

FILE = "tokens.json"
_LOCK_SECONDS = 1.0
"""How long another client may hold the file."""

_Table: TypeAlias = dict[str, dict[str, str]]
"""Server, then folded name, to token."""


class TokensUnusable(Failed):
    """The file cannot be read or written."""


class Tokens:
    """The tokens of one data directory. Each call looks at the file: another client may have changed it."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE

    def find(self, server: str, name: str) -> str | None:
        """The token for a name on a server (`host:port`). Raises `TokensUnusable`."""
        with self._in_words():
            return self._read().get(server, {}).get(fold(name))

    def keep(self, server: str, name: str, token: str) -> None:
        """Stores a token; it is on the disk when this returns. Raises `TokensUnusable`."""
        with self._in_words(), self._locked():
            table = self._read()
            if table.get(server, {}).get(fold(name)) != token:
                table.setdefault(server, {})[fold(name)] = token
                self._write(table)

    def _read(self) -> _Table:
        try:
            with open(self._path, "rb", opener=_without_waiting) as file:
                table = json.load(file)
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            raise self._damaged() from None
        if not _is_table(table):
            raise self._damaged()
        return table  # type: ignore[no-any-return]

    def _damaged(self) -> TokensUnusable:
        return TokensUnusable(f"{self._path} is damaged: repair it, or move it away (you are then somebody new to your servers)")

    def _write(self, table: _Table) -> None:
        """Replaces the file as a whole, so that nobody ever finds half of it."""
        beside = self._path.with_suffix(".new")
        beside.unlink(missing_ok=True)  # whatever it is: a link is not to be written through
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump(table, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the file among all clients."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(lock)
            yield
        finally:
            os.close(lock)

    def _wait_for(self, lock: int) -> None:
        """Others hold it for a moment only, unless they were stopped in it. Raises `TokensUnusable`."""
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TokensUnusable(f"{self._path} is in use by another client; who you are cannot be remembered") from None
            time.sleep(_LOCK_SECONDS / 100)

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            reason = "this is not a directory" if isinstance(problem, FileExistsError) else problem.strerror
            where = problem.filename or self._path
            raise TokensUnusable(f"{where}: {reason}; who you are cannot be remembered") from None


def _without_waiting(path: str, flags: int) -> int:
    """Opens a file; a pipe has nothing in it, instead of waiting for somebody who writes."""
    return os.open(path, flags | os.O_NONBLOCK)


def _is_table(table: object) -> bool:
    return isinstance(table, dict) and all(
        isinstance(names, dict) and all(isinstance(token, str) for token in names.values()) for names in table.values()
    )
