"""A JSON file of the data directory that several clients may use at once, and that only its owner can read."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from urwid_client.errors import Failed

_LOCK_SECONDS = 1.0
"""How long another client may hold the file."""


class FileUnusable(Failed):
    """The file cannot be read or written."""


class KeptFile:
    """One file. Each call looks at it: another client may have changed it. What cannot be understood is never written to."""

    def __init__(
        self,
        path: Path,
        is_valid: Callable[[object], bool],
        *,
        damaged: str,
        lost: str,
        error: type[FileUnusable],
        durable: bool = True,
    ) -> None:
        """`is_valid` tells whether the file's content, a map, is what it should be.

        `damaged` completes "… is damaged: ", `lost` says what does not work without the file. Problems are raised as `error`.
        With `durable` a change waits for the disk, which takes long enough to be felt at the keys.
        """
        self._path = path
        self._is_valid = is_valid
        self._damaged = damaged
        self._lost = lost
        self._error = error
        self._durable = durable

    def read(self) -> dict[str, Any]:
        """The content; empty if there is no file yet."""
        with self._in_words():
            return self._read()

    def change(self, change: Callable[[dict[str, Any]], bool]) -> None:
        """Lets `change` alter the content, which is in the file when this returns. Nothing is written if it returns False."""
        with self._in_words(), self._locked():
            content = self._read()
            if change(content):
                self._write(content)

    def _read(self) -> dict[str, Any]:
        try:
            with open(self._path, "rb", opener=_without_waiting) as file:
                content = json.load(file)
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            raise self._error(f"{self._path} is damaged: {self._damaged}") from None
        if not isinstance(content, dict) or not self._is_valid(content):
            raise self._error(f"{self._path} is damaged: {self._damaged}")
        return content

    def _write(self, content: dict[str, Any]) -> None:
        """Replaces the file as a whole, so that nobody ever finds half of it."""
        beside = self._path.with_suffix(".new")
        beside.unlink(missing_ok=True)  # whatever it is: a link is not to be written through
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            if self._durable:
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
        """Others hold it for a moment only, unless they were stopped in it."""
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise self._error(f"{self._path} is in use by another client; {self._lost}") from None
            time.sleep(_LOCK_SECONDS / 100)

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            reason = "this is not a directory" if isinstance(problem, FileExistsError) else problem.strerror
            where = problem.filename or self._path
            raise self._error(f"{where}: {reason}; {self._lost}") from None


def _without_waiting(path: str, flags: int) -> int:
    """Opens a file; a pipe has nothing in it, instead of waiting for somebody who writes."""
    return os.open(path, flags | os.O_NONBLOCK)
