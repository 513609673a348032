"""Figures of running processes, and of what people wait: for the benchmark, and for experiments of the tests."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path


def p99(times: Sequence[float], of_hundred: int = 99) -> float:
    """What 99 of 100 (or so many) do not exceed."""
    return sorted(times)[-(-len(times) * of_hundred // 100) - 1]


def memory(pids: Iterable[int]) -> int:
    """The sum of what the processes have in memory (bytes), each page that several share divided among them (PSS)."""
    return sum(_pss(pid) for pid in pids)


def _pss(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:")]
    return int(line.split()[1]) * 1024


def processor_seconds(pid: int) -> float:
    """How long it has been working."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> set[int]:
    """The numbers of those that it has open."""
    return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


def file_system(path: Path) -> str:
    """The kind of file system that the path is on, and its device, as the kernel names them."""
    path = path.resolve()
    found = ("", "an unknown file system")  # in a chroot, say
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, rest = line.partition(" - ")
        point = mount.split()[4]
        if path.is_relative_to(point) and len(point) >= len(found[0]):
            kind, device = rest.split()[:2]
            found = (point, f"{kind} ({device})")
    return found[1]
