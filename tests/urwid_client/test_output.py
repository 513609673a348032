from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from urwid_client.errors import Failed, OutputClosed
from urwid_client.output import complain, say


@contextlib.contextmanager
def standard_output(descriptor: int) -> Iterator[None]:
    """This descriptor as the standard output."""
    with os.fdopen(descriptor, "w") as stream, contextlib.redirect_stdout(stream):
        yield


def test_a_line_is_there_at_once() -> None:
    read, write = os.pipe()
    with standard_output(write):
        say("one")
        assert os.read(read, 100) == b"one\n"
    os.close(read)


def test_nobody_reads_any_more() -> None:
    read, write = os.pipe()
    os.close(read)
    with standard_output(write), pytest.raises(OutputClosed):
        say("one")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_it_cannot_be_written() -> None:
    with standard_output(os.open("/dev/full", os.O_WRONLY)), pytest.raises(Failed, match="cannot be written: No space left"):
        say("one")


def test_a_complaint_is_one_clean_line(capfd: pytest.CaptureFixture[str]) -> None:
    complain("what\x1b[31m\nhappened")
    assert capfd.readouterr().err.count("\n") == 1
    sys.stderr, kept = None, sys.stderr
    complain("said to nobody")
    sys.stderr = kept
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_discarded_output_fails_nobody() -> None:
    script = "import os; from urwid_client.output import discard_output; print('held'); discard_output()"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-Ec", script], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_complaint_that_cannot_be_written_does_not_change_how_the_program_ends() -> None:
    """The terminal was closed, say: Python would end with a status of its own for what it could not write."""
    script = "import sys; from urwid_client.output import complain; complain('said to nobody'); sys.exit(1)"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-Ec", script], stdout=subprocess.DEVNULL, stderr=full, check=False)
    assert done.returncode == 1
