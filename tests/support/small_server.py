"""The real supervisor over small children: `supervised` runs it, as `python -m tests.support.small_server DATA_DIR WORKERS`."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path

from broker.listening import listen, resolve
from broker.output import complain
from broker.supervisor import MODULES, Plan, Supervisor
from common import logs
from common.child import Boot
from common.limits import Limits
from tests.support.groups import TESTS
from tests.support.processes import Run


def main(data_dir: str, workers: str) -> int:
    logs.set_up("supervisor", "text", "info")
    listener = listen(resolve("127.0.0.1", 0))
    plan = Plan(
        boot=Boot(parent=os.getpid(), data_dir=data_dir, limits=Limits(), log_format="text", log_level="info"),
        workers=int(workers),
        address=resolve("127.0.0.1", listener.getsockname()[1]),
        beat_seconds=float(os.environ.get("SMALL_BEAT_SECONDS", "5")),
        modules=dict.fromkeys(MODULES, "tests.support.small_child"),
    )
    return Supervisor(plan, listener, complain).run()


def supervised(tmp_path: Path, workers: int = 2, beat_seconds: float = 5, **misdeeds: str) -> Run:
    """A server on `tmp_path`; `misdeeds` has what each role does wrong (see `small_child`)."""
    environ = {
        "PYTHONPATH": str(TESTS.parent),
        "SMALL_CHILDREN": json.dumps(misdeeds),
        "SMALL_BEAT_SECONDS": str(beat_seconds),
    }
    return Run([sys.executable, "-m", "tests.support.small_server", tmp_path, str(workers)], tmp_path, environ)


def orders(run: Run, child: str) -> list[str]:
    """What a child was told, in order; the generation is part of its name: `worker 1 g0`."""
    return re.findall(rf"  {child}: (.*)\n", run.err)


def stop(run: Run) -> None:
    run.send(signal.SIGTERM)
    assert run.end() == 0, run.err


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
