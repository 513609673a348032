"""Real logs in files, quickly made; logs whose writer was killed; disks that fail; what a directory holds."""

from __future__ import annotations

import functools
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from broker.log import Log, Person, PersonUpdate
from broker.storage.sqlite import SqliteLog
from common.log import Entry, Run, direct
from common.log_file import FILE_NAME

TIME_MS = 1_767_225_600_000


def draft(number: int, conv: str = "#lobby", identity: str = "ada", text: str | None = None, topic: bool = False) -> Run:
    """The message `number` of this person: its ref is 2**32 + `number`."""
    body = f"message {number}" if text is None else text
    return Run(0, TIME_MS + number, conv, conv, identity.title(), identity, (1 << 32) + number, [body], topic)


def mixed_drafts(count: int, first: int = 1) -> list[Run]:
    """Messages of nine people in four rooms and nine direct conversations, short and long; some are topics."""
    drafts = []
    for number in range(first, first + count):
        me, other = f"id{number % 9}", f"id{(number + 1) % 9}"
        conv = direct(me, other) if number % 5 == 0 else f"#room{number % 4}"
        long = "x" * 6000 if number % 97 == 0 else "ü" * (number % 40)
        ref = (number << 57 | number) % 2**64
        topic = conv.startswith("#") and number % 11 == 0
        drafts.append(Run(0, TIME_MS + number, conv, conv, me.upper(), me, ref, [f"{number} {long}"], topic))
    return drafts


def runs_drafts(lengths: Sequence[int], first: int = 1) -> list[Run]:
    """The same in runs of so many messages, each of which is of the person, and for the place, of its first one."""
    drafts = []
    for length in lengths:
        (draft,) = mixed_drafts(1, first)
        drafts.append(draft._replace(ref=first << 32, texts=[f"{first + n} {'x' * (first % 40)}" for n in range(length)]))
        first += length
    return drafts


def appended(log: Log, drafts: Sequence[Run], people: Sequence[PersonUpdate] = ()) -> list[Entry]:
    """Appends the drafts; the messages, one by one."""
    return [entry for run in log.append(drafts, people) for entry in run.entries()]


def people(count: int) -> list[PersonUpdate]:
    """The first of the nine, half of them connected."""
    return [Person(f"id{n}", f"Name{n}", f"name{n}", None if n % 2 else TIME_MS + n) for n in range(count)]


@functools.cache
def _template() -> tuple[bytes, str]:
    with tempfile.TemporaryDirectory() as directory:
        log = SqliteLog.open(Path(directory))
        log.close()
        return Path(directory, FILE_NAME).read_bytes(), log.uuid


def usual_uuid() -> str:
    """That of the logs that `open_log` makes: making a file takes long, so all are copies of one."""
    return _template()[1]


def open_log(directory: Path) -> SqliteLog:
    """The log in the directory, without waiting for the disk; an empty one where there is none."""
    path = directory / FILE_NAME
    if not path.exists():
        directory.mkdir(exist_ok=True)
        path.write_bytes(_template()[0])
        path.chmod(0o600)
    return SqliteLog.open(directory, synchronous="OFF")


@contextmanager
def opened(directory: Path) -> Iterator[SqliteLog]:
    log = open_log(directory)
    try:
        yield log
    finally:
        log.close()


def closed_log(directory: Path, count: int) -> Path:
    """The file of a log with so many messages, whose server was stopped in good order."""
    with opened(directory) as log:
        append_in_batches(log, mixed_drafts(count))
    return directory / FILE_NAME


def killed_log(directory: Path, checkpointed: int, waiting: int) -> Path:
    """The file of a log whose writer was killed with so many messages in the file, and more in the write-ahead log."""
    with opened(directory) as log:
        append_in_batches(log, mixed_drafts(checkpointed))
    child = os.fork()
    if child == 0:
        try:
            append_in_batches(open_log(directory), mixed_drafts(waiting, checkpointed + 1))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    return directory / FILE_NAME


def append_in_batches(log: SqliteLog, drafts: Sequence[Run], size: int = 10) -> None:
    for start in range(0, len(drafts), size):
        log.append(drafts[start : start + size], people(3))


def contents(directory: Path, leave_out: Iterable[str] = ()) -> dict[str, bytes]:
    """Every file of the directory, byte by byte."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.name not in leave_out}


def copy(source: Path, target: Path) -> Path:
    """A copy of the data directory."""
    shutil.copytree(source, target)
    return target


@contextmanager
def failing_writes(size: int) -> Iterator[None]:
    """No file may be written beyond `size` bytes: real errors of writing, in the middle of whatever goes on."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, before)


@contextmanager
def few_descriptors(left: int) -> Iterator[None]:
    """This process can open so many files more."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as next_one:
        lowest = next_one.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + left, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
