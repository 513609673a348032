"""Tools and abilities of the machine that a test needs. Without them the test is skipped, loudly.

Where continuous integration runs (CI=true), only what `allowed_skips.toml` lists may be skipped.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytest

ALLOWED = Path(__file__).with_name("allowed_skips.toml")


def need(tool: str) -> str:
    """The path of a program of this machine; skips the test if it has none of that name."""
    return shutil.which(tool) or skip_without(tool, "no such program on this machine")


def skip_without(what: str, why: str) -> NoReturn:
    """Skips the test for want of `what` (a short name, as in the list of what may be skipped)."""
    pytest.skip(f"needs {what}: {why}")


def unlisted(reasons: Iterable[str]) -> list[str]:
    """Those reasons of skipped tests that are not on the list."""
    allowed = tuple(f"needs {what}: " for what in tomllib.loads(ALLOWED.read_text())["needs"])
    return [reason for reason in reasons if not reason.startswith(allowed)]
