"""The benchmark itself, in a short form: that it runs, that it checks, and what it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.log import fill, logged
from tests.support.groups import TESTS
from tests.support.timeouts import seconds


def bench(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "--directory", str(directory), "--rounds", "1", "--seconds", "0.3", *options]
    return subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False, timeout=seconds(30))


def test_each_kind_of_load_is_measured_and_checked(tmp_path: Path) -> None:
    done = bench(tmp_path, "--workloads", "closed10,open10")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stdout + done.stderr
    assert re.search(r"cores, 1 workers, logs on .+\n", done.stdout)
    assert re.search(r"\nclosed10 .*\n +messages/s [\d.,]+, deliveries/s .*, cpu µs/delivery [\d.]+, ", done.stdout)
    assert re.search(r"\nopen10 .*\n.* p50 ms [\d.]+, p99 ms [\d.]+\n", done.stdout)
    assert not [*tmp_path.iterdir()]


def test_who_comes_back_to_a_log_is_measured_and_checked(tmp_path: Path) -> None:
    done = bench(tmp_path, "--workloads", "return", "--history", "2000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\nreturn .*\n +resume p50 [\d.]+, resume p99 [\d.]+, join p50 .*, old page p99 .*, send p99 ", done.stdout)


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    done = bench(tmp_path, "--workloads", "closed11")
    assert done.returncode == 2
    assert "there is no workload closed11" in done.stderr


def test_what_the_deciding_parts_cost_is_told_step_by_step() -> None:
    command = [sys.executable, "-m", "bench.parts", "--people", "2", "--messages", "3"]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False, timeout=seconds(30))
    assert done.returncode == 0, done.stderr
    costs = [float(cost) for cost in re.findall(r"^ *([\d.]+)  \S", done.stdout, re.MULTILINE)]
    assert len(costs) == 7
    assert sum(costs[:-1]) == pytest.approx(costs[-1], abs=0.05)


def test_a_log_is_filled_as_the_broker_would(tmp_path: Path) -> None:
    fill(tmp_path / "data", 25_000)
    assert logged(tmp_path / "data").messages == 25_000
