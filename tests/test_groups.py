"""The account that a run of tests gives at its end: over budget, or skipped without leave, is failed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.groups import TESTS, group_of
from tests.support.timeouts import seconds

TEST = """
import time
from tests.support.tools import need

def test_passes():
    time.sleep(0.1)

def test_skipped():
    need("no-such-tool")
"""


def run_tests(directory: Path, budget: float = 60, **environ: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest on that module, in a tree of its own with our support."""
    shutil.copytree(TESTS / "support", directory / "tests" / "support")
    for name in ("conftest.py", "__init__.py"):
        shutil.copy(TESTS / name, directory / "tests")
    with (directory / "tests" / "support" / "groups.py").open("a") as groups:
        groups.write(f'BUDGETS["unit"] = {budget}\n')
    (directory / "tests" / "test_one.py").write_text(TEST)
    environment = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("CHAT_BROKER_TEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests"],
        cwd=directory,
        env={**environment, **environ},
        capture_output=True,
        text=True,
        timeout=seconds(20),
        check=False,
    )


def test_the_folder_decides_the_group() -> None:
    assert group_of(TESTS / "faults" / "test_x.py") == "faults"
    assert group_of(TESTS / "broker" / "core" / "test_x.py") == "unit"
    assert group_of(TESTS / "test_x.py") == "unit"


def test_a_run_within_its_budget_passes_and_tells_the_time_and_the_skips(tmp_path: Path) -> None:
    done = run_tests(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "s of 60 s" in done.stdout
    assert "SKIPPED tests/test_one.py::test_skipped: needs no-such-tool: " in done.stdout


def test_a_group_over_its_budget_and_a_skip_without_leave_fail_a_run_that_passed(tmp_path: Path) -> None:
    done = run_tests(tmp_path, budget=0.05, CI="true")
    assert "1 passed, 1 skipped" in done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert re.search(r"FAILED unit took \d+\.\d s, its budget is 0\.05 s", done.stdout), done.stdout
    assert "FAILED skipped, and not on the list of what may be: needs no-such-tool: " in done.stdout
