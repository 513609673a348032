"""The server's log: one line per record, as text or as JSON, without anything that could act on a terminal.

Loggers are named `chat_broker.…`. Their lines go to a descriptor directly: a log that nobody reads any more must
stop nothing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import time
import traceback
from collections.abc import Iterable, Sequence
from functools import lru_cache

from common.text import clean, clean_line

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")
_SHORT_NAMES = {logging.WARNING: "WARN", logging.CRITICAL: "FATAL"}
_COLOURS = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31"}


def set_up(process: str, log_format: str, level: str, fd: int = 2) -> None:
    """Sends the records of all `chat_broker` loggers to `fd`, as lines that name this process."""
    for unused in ("logThreads", "logMultiprocessing", "logProcesses", "logAsyncioTasks"):
        setattr(logging, unused, False)  # no line shows them, and finding them out takes half of a record's time
    traced = level == "debug"
    coloured = os.isatty(fd) and not os.environ.get("NO_COLOR")
    handler = _Lines(fd)
    handler.setFormatter(JsonLines(process) if log_format == "json" else TextLines(process, coloured, traced))
    logger = logging.getLogger("chat_broker")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())


def infos(logger: logging.Logger, texts: Sequence[str]) -> None:
    """Logs each of the texts as `logger.info` would, in half the time: they are one record that changes, and written together."""
    if not texts or not logger.isEnabledFor(logging.INFO):
        return
    record = logger.makeRecord(logger.name, logging.INFO, "", 0, "", (), None)
    for handler in logging.getLogger("chat_broker").handlers:
        if isinstance(handler, _Lines):
            handler.emit_texts(record, texts)


def unexpected(logger: logging.Logger, problem: BaseException) -> None:
    """Logs an exception that nobody thought of in one line. Its traceback shows at level debug, and in JSON."""
    logger.error("unexpected: %s: %s", type(problem).__name__, problem, exc_info=problem)


@lru_cache(1)
def _local_time(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


class TextLines(logging.Formatter):
    """`2026-11-22 10:24:22 INFO  worker 1    ada came`; a traceback, where it is wanted, as more lines of this kind."""

    def __init__(self, process: str, coloured: bool = False, traced: bool = False) -> None:
        super().__init__()
        self._process = process
        self._coloured = coloured
        self._traced = traced

    def format(self, record: logging.LogRecord) -> str:
        texts = [clean_line(record.getMessage())]
        if self._traced:
            texts += (clean(line) for line in _trace(record).splitlines())
        beginning = self._beginning(record)
        return "\n".join(beginning + text for text in texts)

    def _beginning(self, record: logging.LogRecord) -> str:
        moment = _local_time(int(record.created))
        level = f"{_SHORT_NAMES.get(record.levelno, record.levelname):<5}"
        if self._coloured and (colour := _COLOURS.get(record.levelno)):
            level = f"\x1b[{colour}m{level}\x1b[0m"
        return f"{moment} {level} {self._process:<10}  "


class JsonLines(logging.Formatter):
    """An object per line: `time` (UTC), `level`, `process`, `pid`, `logger`, `message`, and perhaps `traceback`."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, object] = {
            "time": f"{seconds}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": os.getpid(),
            "logger": record.name,
            "message": clean_line(record.getMessage()),
        }
        if trace := _trace(record):
            fields["traceback"] = trace
        return json.dumps(fields)


def _trace(record: logging.LogRecord) -> str:
    return "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""


class _Lines(logging.Handler):
    """Writes each record at once and whole, so that the lines of several processes do not mix."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd

    def emit(self, record: logging.LogRecord) -> None:
        self._write(self._line(record))

    def emit_texts(self, record: logging.LogRecord, texts: Iterable[str]) -> None:
        """Each text as the message of the same record."""
        block = b""
        for text in texts:
            record.msg = text
            line = self._line(record)
            if len(block) + len(line) > select.PIPE_BUF:  # more of it may be torn apart on its way
                self._write(block)
                block = b""
            block += line
        self._write(block)

    def _line(self, record: logging.LogRecord) -> bytes:
        return (self.format(record) + "\n").encode("utf-8", "backslashreplace")

    def _write(self, block: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody reads the log, or its disk is full: the server goes on
            os.write(self._fd, block)
