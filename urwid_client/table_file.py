"""A small table in one JSON file of the data directory that only its owner can read: tokens, keys of servers, one's places.

Several clients may use a file at once. One that cannot be understood is never written to: somebody may want to repair it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from common import addresses
from common.files import sync, without_waiting
from urwid_client.errors import Failed

_LOCK_SECONDS = 1.0
"""How long another client may hold the file."""


class Words(NamedTuple):
    """How to speak of a file that is of no use."""

    problem: type[Failed]
    """What is raised."""
    consequence: str
    """What cannot be done then."""
    loss: str
    """What moving a damaged one away leads to."""


class TableFile:
    """Each call looks at the file: another client may have changed it."""

    def __init__(self, path: Path, is_table: Callable[[object], bool], words: Words, *, durable: bool = True) -> None:
        """With `durable` a change waits for the disk, which takes long enough to be felt at the keys.

        Without, there may be nothing in the file after a power cut: that is no damage then.
        """
        self._path = path
        self._is_table = is_table
        self._words = words
        self._durable = durable

    def read(self) -> dict[str, Any]:
        """The whole table. Raises what the words say."""
        with self._in_words():
            return self._read()[0]

    @contextlib.contextmanager
    def changing(self, *, patient: bool = True) -> Iterator[dict[str, Any]]:
        """Gives the table to be changed; it is in the file when this is left. Raises what the words say.

        Unless one is `patient`, that another client has the file is a reason not to.
        """
        with self._in_words(), self._locked(_LOCK_SECONDS if patient else 0.0):
            table, before = self._read()
            yield table
            if (after := _text(table)) != before:
                self._write(after)

    def _read(self) -> tuple[dict[str, Any], bytes]:
        """The table, and how it stands in the file."""
        try:
            with open(self._path, "rb", opener=without_waiting) as file:
                text = file.read()
            table = json.loads(text) if text or self._durable else {}
            if not text.isascii() or rb"\ud" in text.lower():
                json.dumps(table, ensure_ascii=False).encode()  # where half a character stands alone, this is a ValueError
        except FileNotFoundError:
            return {}, b""
        except (ValueError, RecursionError):
            raise self._damaged() from None
        if not self._is_table(table):
            raise self._damaged()
        return table, text

    def _damaged(self) -> Failed:
        return self._words.problem(f"{self._path} is damaged: repair it, or move it away ({self._words.loss})")

    def _write(self, text: bytes) -> None:
        """Replaces the file as a whole, so that nobody ever finds half of it."""
        beside = self._path.with_suffix(".new")
        beside.unlink(missing_ok=True)  # whatever it is: a link is not to be written through
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            if self._durable:
                os.fsync(file.fileno())
        beside.replace(self._path)
        if self._durable:
            sync(self._path.parent)

    @contextlib.contextmanager
    def _locked(self, wait: float) -> Iterator[None]:
        """Alone with the file among all clients, after so many seconds at most."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(lock, wait)
            yield
        finally:
            os.close(lock)

    def _wait_for(self, lock: int, seconds: float) -> None:
        """Others hold it for a moment only, unless they were stopped in it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    words = f"{self._path} is in use by another client; {self._words.consequence}"
                    raise self._words.problem(words) from None
            time.sleep(_LOCK_SECONDS / 100)

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            reason = "this is not a directory" if isinstance(problem, FileExistsError) else problem.strerror
            where = problem.filename or self._path
            raise self._words.problem(f"{where}: {reason}; {self._words.consequence}") from None


def of_server(table: dict[str, Any], server: str) -> list[Any]:
    """What a table of servers has of this one: first by its address as it is written now, then by others of it."""
    spellings = [known for known in table if known != server and addresses.is_same(known, server)]
    return [table[known] for known in (server, *spellings) if known in table]


def _text(table: dict[str, Any]) -> bytes:
    """As it stands in the file, an entry on each line; their order belongs to it.

    Indented deeper, it would be written by Python instead of C, which takes several times as long.
    """
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in table.items())
    return f"{{\n{lines}\n}}\n".encode()
