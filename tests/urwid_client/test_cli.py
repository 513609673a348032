from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.groups import rounds
from tests.support.timeouts import seconds

COMMAND = [sys.executable, "-m", "urwid_client.cli"]


def test_it_runs_and_its_status_is_the_form_s() -> None:
    assert subprocess.run([*COMMAND, "--version"], capture_output=True, check=False).returncode == 0
    assert subprocess.run([*COMMAND, "--nonsense"], capture_output=True, check=False).returncode == 2


def redirected(redirections: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirections}', "sh", *COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_closed_standard_streams_are_no_excuse_for_a_traceback(tmp_path: Path) -> None:
    for redirections in ("<&- >&-", "<&- >&- 2>&-"):
        done = redirected(redirections, "tail", "--port", 1, "--data-dir", tmp_path)
        assert done.returncode == 1, redirections
        assert re.fullmatch(r"(chat-client: the standard output is closed[^\n]*\n)?", done.stderr)
    assert not [*tmp_path.iterdir()]


def test_a_help_that_nobody_reads_to_its_end() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*COMMAND, "--help"], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_help_in_an_encoding_that_lacks_some_of_its_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    done = redirected("", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: chat-client [URL] [OPTION \\u2026]" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_help_that_cannot_be_written() -> None:
    done = redirected("> /dev/full", "--help")
    assert done.returncode == 1
    assert re.fullmatch(r"chat-client: the output cannot be written: [^\n]+\n", done.stderr)


@pytest.mark.parametrize("form", [("tail",), ("send", "--to", "#lobby"), ()])
def test_ctrl_c_at_any_moment_of_the_start_ends_it_quietly(tmp_path: Path, form: tuple[str, ...]) -> None:
    """Behind the interpreter's own start, which is not ours."""
    moments = random.Random(7)
    for _ in range(rounds(2, 30)):
        read, write = os.pipe()
        ready = f"import os, signal; os.write({write}, b'.'); import urwid_client.cli as c, sys; sys.exit(c.main())"
        process = subprocess.Popen(
            [sys.executable, "-c", ready, *form, "--name", "ada", "--port", "1", "--data-dir", tmp_path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[write],
            text=True,
        )
        os.close(write)
        os.read(read, 1)
        os.close(read)
        time.sleep(moments.uniform(0.02, 0.25))
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=seconds(5))
        assert process.returncode in (0, 1, -signal.SIGINT)  # the last, if it was done already and Python took itself down
        assert "Traceback" not in output + error
        assert error.count("\n") <= 1
