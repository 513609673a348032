"""broker.cli: what holds from the first moment of the command on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common import __version__
from tests.support.processes import Run
from tests.support.timeouts import seconds

MAIN = "import sys; from broker.cli import main; sys.exit(main())"
WAITING = """
import os, signal, sys, types
from broker import cli
stub = types.ModuleType("broker.commands")
stub.run = lambda *_: print("running", flush=True) or signal.pause()
sys.modules["broker.commands"] = stub
sys.exit(cli.main())
"""
"""The command, caught where it has been entered and has begun nothing."""


@pytest.mark.parametrize(
    ("number", "arguments", "exit_status"),
    [
        *((number, arguments, 0) for number in (signal.SIGINT, signal.SIGTERM) for arguments in ([], ["--port", "1"])),
        *((number, [form], 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) for form in ("status", "check")),
    ],
)
def test_told_to_stop_before_anything_was_begun(
    number: signal.Signals, arguments: list[str], exit_status: int, tmp_path: Path
) -> None:
    with Run([sys.executable, "-c", WAITING, *arguments], tmp_path) as run:
        run.wait_for("running")
        run.send(number)
        assert run.end() == exit_status
        assert run.err == ""


def test_a_service_that_is_told_to_read_anew_before_it_has_read_goes_on(tmp_path: Path) -> None:
    script = WAITING.replace("signal.pause()", "signal.sigtimedwait([], 0.3) or print('still here', flush=True)")
    with Run([sys.executable, "-c", script], tmp_path) as run:
        run.wait_for("running")
        run.send(signal.SIGHUP)
        run.wait_for("still here")


def test_nothing_slow_is_imported_by_the_entry() -> None:
    script = "import sys; import broker.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"logging", "subprocess", "msgpack", "socket", "dataclasses", "json"} & set(loaded)


def test_what_the_server_does_not_need_is_not_loaded_by_the_supervisor() -> None:
    script = "import sys; from broker import commands, listening, supervisor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    unwanted = {"sqlite3", "asyncio", "urwid", "platformdirs", "multiprocessing", "tomllib", "difflib", "argparse"}
    assert not unwanted & set(loaded)


def test_closed_standard_descriptors_lead_nowhere() -> None:
    script = (
        "import os, sys\n"
        "from broker.cli import _open_standard_descriptors as f\n"
        "for fd in (0, 1, 2): os.close(fd)\n"
        "f()\n"
        "assert [os.readlink(f'/proc/self/fd/{fd}') for fd in (0, 1, 2)] == ['/dev/null'] * 3\n"
        "assert not os.path.exists('/proc/self/fd/3') or os.readlink('/proc/self/fd/3') != '/dev/null'\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_an_installation_that_lacks_something_says_so(tmp_path: Path) -> None:
    (tmp_path / "msgpack.py").write_text("raise ImportError(\"No module named 'msgpack'\")\n")
    ended = subprocess.run(
        [sys.executable, "-c", MAIN],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
        capture_output=True,
        check=False,
        text=True,
        timeout=seconds(5),
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "chat-broker: cannot be loaded (No module named 'msgpack'), install it again\n"


def test_the_exit_status_is_the_commands(capfd: pytest.CaptureFixture[str]) -> None:
    for arguments, exit_status in [(["--version"], 0), (["status", "--data-dir", "/nowhere"], 1), (["--wrong"], 2)]:
        assert subprocess.run([sys.executable, "-c", MAIN, *arguments], check=False).returncode == exit_status
    assert capfd.readouterr().out == f"chat-broker {__version__}\n"
