"""Measures a server: starts one on a fresh log for each run, has another process load it, and prints a table.

Every run is checked: each message was heard once and in order by everybody in its conversation, and the log holds as many as
were heard. What does not hold is said below the table, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import file_system
from bench.log import fill, logged
from bench.workloads import QUICK, WORKLOADS, Workload

_READY = re.compile(r"chat-broker ready on (?P<host>\S+):(?P<port>\d+)")
_STOP_SECONDS = 10.0
_LOAD_SECONDS = 120.0
"""Beside the run itself: to connect, to settle, and to hear the rest."""
_UNLIMITED = ("CONNECTIONS", "MEMBERS_PER_ROOM", "MESSAGES_PER_SECOND", "USER_MESSAGES_PER_SECOND")
ROOT = Path(__file__).parents[1]


class Server(NamedTuple):
    host: str
    port: int
    pids: list[int]
    """Of all its processes."""


@contextmanager
def serving(data_dir: Path, workers: int) -> Iterator[Server]:
    """A server on a free port, with the same code as this."""
    command = [sys.executable, "-m", "broker.cli", "--port", "0", "--workers", str(workers), "--data-dir", str(data_dir)]
    # The children find the code by the path alone. Nobody is asked for a sign of life in the middle of a run, or held back.
    limits = {"IDLE_SECONDS": 3_600} | dict.fromkeys(_UNLIMITED, 1_000_000)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)} | {f"CHAT_BROKER_LIMITS_{name}": str(most) for name, most in limits.items()}
    with (data_dir.parent / "server.log").open("a") as log:
        process = subprocess.Popen(
            [*command, "--log-level", "warning"], stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT, env=environ
        )
    try:
        assert process.stdout is not None
        ready = _READY.match(process.stdout.readline())
        if ready is None:
            raise SystemExit(f"the server did not start:\n{(data_dir.parent / 'server.log').read_text()}")
        yield Server(ready["host"], int(ready["port"]), [process.pid, *_children(process.pid)])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def run(workload: Workload, options: argparse.Namespace) -> dict[str, Any]:
    """One run on a log of its own: what the load told, and what the log holds."""
    with tempfile.TemporaryDirectory(dir=options.directory, prefix="bench-") as scratch:
        data_dir = Path(scratch).resolve() / "data"
        if options.history:
            fill(data_dir, options.history)
        with serving(data_dir, options.workers) as server:
            order = {
                "workload": workload.name,
                "host": server.host,
                "port": server.port,
                "pids": server.pids,
                "data_dir": str(data_dir),
                "seconds": options.seconds,
                "payload": options.payload,
            }
            command = [sys.executable, "-m", "bench.load", json.dumps(order)]
            try:
                limit = options.seconds + _LOAD_SECONDS
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, timeout=limit, check=False)
            except subprocess.TimeoutExpired:
                return {"faults": [f"the load did not end within {limit:.0f} s"]}
        if done.returncode:
            return {"faults": [f"the load ended with {done.returncode}"]}
        stored = logged(data_dir).messages - options.history
    told: dict[str, Any] = json.loads(done.stdout)
    if stored != told["messages"]:
        told["faults"].append(f"{told['messages']} messages were heard, the log holds {stored}")
    return told


# --- the table -----------------------------------------------------------------------------------------------------------


def figures_of(workload: Workload, told: dict[str, Any]) -> dict[str, float]:
    """What the table shows of one run, by heading."""
    took, cpu = told.get("seconds", 0.0), told.get("cpu_seconds", 0.0)
    match workload.kind:
        case "idle":
            return {"KiB/connection": told["kib_per_connection"], "idle cpu s": cpu}
        case "connect":
            return {"visits/s": told["visits"] / took, "cpu µs/visit": cpu * 1e6 / told["visits"]}
        case "crowd":
            return {"p50 ms": told["p50_ms"], "p99 ms": told["p99_ms"]}
        case "return":
            return {
                f"{what} {part}": wait
                for what, waits in told["waits"].items()
                for part, wait in zip(("p50", "p99"), waits, strict=True)
            }
    figures = {
        "messages/s": told["messages"] / took,
        "deliveries/s": told["deliveries"] / took,
        "cpu µs/delivery": cpu * 1e6 / told["deliveries"],
        "cpu µs/message": cpu * 1e6 / told["messages"],
        "messages/commit": told["messages"] / told["commits"],
        "load's cpu": told["load_cpu_share"],
    }
    if workload.rate is not None:
        figures |= {"p50 ms": told["p50_ms"], "p99 ms": told["p99_ms"]}
    return figures


def table(results: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Medians, one line for each workload; and below them what was wrong."""
    for name, runs in results.items():
        workload = WORKLOADS[name]
        columns: defaultdict[str, list[float]] = defaultdict(list)
        for told in runs:
            if not told["faults"]:
                for heading, figure in figures_of(workload, told).items():
                    columns[heading].append(figure)
        shown = ", ".join(f"{heading} {_short(statistics.median(column))}" for heading, column in columns.items())
        yield f"{name:<12} {workload.about}\n{'':<12} {shown}".rstrip()
        for fault in sorted({fault for told in runs for fault in told["faults"]}):
            yield f"{'':<12} WRONG: {fault}"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.3f}"


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"one run of 2 s of each of: {', '.join(QUICK)}")
    parser.add_argument("--workloads", help=f"some of: {', '.join(WORKLOADS)} (all)")
    parser.add_argument("--workers", type=int, default=1, help="of the server (1)")
    parser.add_argument("--rounds", type=int, help="runs of each, of which the median is shown (3)")
    parser.add_argument("--seconds", type=float, help="length of a run (4)")
    parser.add_argument("--payload", type=int, default=100, help="characters of a message (100)")
    parser.add_argument("--history", type=int, default=0, help="messages that are in the log before (0)")
    parser.add_argument("--directory", type=Path, default=Path(), help="where the logs go; a real disk (here)")
    options = parser.parse_args(words)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (2.0 if options.quick else 4.0)
    options.names = options.workloads.split(",") if options.workloads else list(QUICK if options.quick else WORKLOADS)
    if unknown := [name for name in options.names if name not in WORKLOADS]:
        parser.error(f"there is no workload {', '.join(unknown)}")
    return options


def main(words: Sequence[str]) -> int:
    options = arguments(words)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for the server and the load
    print(f"{os.cpu_count()} cores, {options.workers} workers, logs on {file_system(options.directory)}")
    print(
        f"{options.rounds} runs of {options.seconds:g} s, texts of {options.payload} characters, {options.history:,} in the log"
    )
    results: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in range(1, options.rounds + 1):
        for name in options.names:
            print(f"\r\x1b[Kround {number}: {name}", end="", file=sys.stderr, flush=True)
            results[name].append(run(WORKLOADS[name], options))
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    for line in table(results):
        print(line)
    return 1 if any(told["faults"] for runs in results.values() for told in runs) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
