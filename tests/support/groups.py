"""The groups of tests, the time that each may take, and how much of each is run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.support.timeouts import seconds

BUDGETS: dict[str, float] = {
    "unit": 75,
    "integration": 90,
    "faults": 240,
    "terminal": 170,
    "simulation": 30,
    "fuzz": 30,
    "files": 30,
}
"""Seconds for each group. Unit and integration run on every interpreter, the others on the newest one only."""

LONG = os.environ.get("CHAT_BROKER_TEST_LONG") == "1"
"""The full numbers are asked for, however long they take; budgets do not hold then."""

TESTS = Path(__file__).parents[1]


def group_of(path: Path) -> str:
    """The group of a test file: the folder of `tests/` that it is in, if that is a group's; else unit."""
    folder = path.relative_to(TESTS).parts[0]
    return folder if folder in BUDGETS else "unit"


def rounds(usual: int, full: int) -> int:
    """How often something is tried: `usual` in an everyday run, `full` in a long one."""
    return full if LONG else usual


def over_budget(spent: Mapping[str, float]) -> list[str]:
    """A sentence for each group that took longer than it may."""
    if LONG:
        return []
    return [
        f"{group} took {time:.1f} s, its budget is {seconds(BUDGETS[group]):g} s"
        for group, time in spent.items()
        if time > seconds(BUDGETS[group])
    ]
