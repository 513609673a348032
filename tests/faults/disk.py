"""What the server's processes do to the disk, traced; and from that the disk itself, as a power cut at any moment would leave it.

What was synced is on it, and of what was only written chance decides, sector by sector. After a sync that failed nothing that it
was about is safe for as long as it is not written anew, even if the next sync succeeds: that is how Linux has it.
"""

from __future__ import annotations

import os
import random
import re
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from broker.storage.sqlite import SqliteLog
from common.log_file import FILE_NAME, SELECT_RUNS, run_of
from tests.support.timeouts import seconds, wait_until
from tests.support.tools import need, skip_without

FILES = (FILE_NAME, f"{FILE_NAME}-wal")
SECTOR = 512

# --- the trace ---------------------------------------------------------------------------------------------------------

_CALLS = "pwrite64,write,ftruncate,fsync,fdatasync,sendto"
_TEXT = re.compile(rb"message \d+ of \d+")
_LINE = re.compile(r"(?P<pid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\(\d+<(?P<file>[^>]*)>)(?P<rest>.*)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Call(NamedTuple):
    name: str
    file: str
    data: bytes
    number: int
    """The offset of a write, the length of a truncated file."""
    failed: bool

    @property
    def texts(self) -> set[str]:
        """The messages that it tells somebody of."""
        return {text.decode() for text in _TEXT.findall(self.data)}

    @property
    def syncs(self) -> bool:
        return self.name in ("fsync", "fdatasync")


@contextmanager
def traced(pids: Sequence[int], output: Path, failing_syncs: str | None) -> Iterator[None]:
    """What these processes do while the block runs, into the file, in one order for all of them.

    `failing_syncs` says which of a process's syncs are to fail, as strace has it: 5+7 is the fifth, and each seventh from there.
    """
    command = [need("strace"), "-f", "-y", "-s", "200000", "-e", f"trace={_CALLS}", "-e", "signal=none", "-o", str(output)]
    if failing_syncs:
        command += ["-e", f"inject=fsync,fdatasync:error=EIO:when={failing_syncs}"]
    said = output.with_suffix(".err")
    with said.open("w") as err:
        process = subprocess.Popen([*command, *(part for pid in pids for part in ("-p", str(pid)))], stderr=err)
    try:
        wait_until(lambda: process.poll() or all(map(is_traced, pids)), "strace has attached to the processes")
        if process.poll():
            skip_without("strace", said.read_text())
        yield
    finally:
        process.terminate()
        process.wait(seconds(5))


def is_traced(pid: int) -> bool:
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()


def calls(trace: Path) -> Iterator[Call]:
    """A write at its beginning, for then its bytes may get out; a sync at its end, for only then they are safe."""
    unfinished: dict[str, Call] = {}
    for line in trace.read_text().splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        pid, resumed, name, file, rest = found.groups()
        failed = " = -1 " in rest
        if resumed:
            if pid in unfinished:
                yield unfinished.pop(pid)._replace(failed=failed)
            continue
        string = _STRING.search(rest)
        data = string[1].encode().decode("unicode_escape").encode("latin-1") if string else b""
        numbers = re.findall(r", (\d+)", rest[string.end() if string else 0 :])
        call = Call(name, os.path.basename(file), data, int(numbers[-1]) if numbers else 0, failed)
        if call.syncs and "<unfinished" in rest:
            unfinished[pid] = call
        else:
            yield call


# --- the disk ----------------------------------------------------------------------------------------------------------


class Disk:
    """The log's files as the disk has them: what is safe, and what was written since."""

    def __init__(self, directory: Path, chance: random.Random) -> None:
        """All that is in the directory now counts as safe."""
        self._safe = {name: bytearray((directory / name).read_bytes()) for name in FILES}
        self._written: dict[str, list[Call]] = {name: [] for name in FILES}
        self._chance = chance
        self.checkpoints = 0
        self.failures = 0

    def take(self, call: Call) -> None:
        if call.file not in FILES:
            return
        written = self._written[call.file]
        if not call.syncs:
            assert call.name != "write", "files are written at offsets"
            written.append(call)
            return
        self.failures += call.failed
        self.checkpoints += call.file == FILE_NAME and bool(written)
        for write in written:
            if not call.failed or self._chance.random() < 0.5:
                apply(write, self._safe[call.file])
        written.clear()

    def after_a_power_cut(self, directory: Path, synced_only: bool) -> set[str]:
        """The texts of the log as a server finds it that is started after it."""
        directory.mkdir(exist_ok=True)
        for name, safe in self._safe.items():
            image = bytearray(safe)
            for write in [] if synced_only else self._written[name]:
                for sector in sectors(write):
                    if self._chance.random() < 0.5:
                        apply(sector, image)
            (directory / name).write_bytes(image)
        for name in (f"{FILE_NAME}-shm", f"{FILE_NAME}.seal"):
            (directory / name).unlink(missing_ok=True)
        SqliteLog.open(directory, synchronous="OFF").close()
        return set(texts(directory / FILE_NAME))


def texts(path: Path) -> list[str]:
    """All that was said in the log, oldest first; the server that had it has stopped."""
    with closing(sqlite3.connect(path)) as db:
        return [text for run in map(run_of, db.execute(f"{SELECT_RUNS} ORDER BY last")) for text in run.texts]


def apply(write: Call, image: bytearray) -> None:
    if write.name == "ftruncate":
        del image[write.number :]
        image.extend(bytes(write.number - len(image)))
    else:
        image.extend(bytes(max(0, write.number - len(image))))
        image[write.number : write.number + len(write.data)] = write.data


def sectors(write: Call) -> Iterator[Call]:
    """What a disk may write of it, and leave the rest."""
    if write.name == "ftruncate":
        yield write
    for start in range(0, len(write.data), SECTOR):
        yield write._replace(data=write.data[start : start + SECTOR], number=write.number + start)
