"""broker.output: lines to the user, whoever reads them."""

from __future__ import annotations

import os
import threading

import pytest

from broker.output import complain, say


def test_an_answer_may_have_lines(capfd: pytest.CaptureFixture[str]) -> None:
    say("one\ntwo é")
    assert capfd.readouterr() == ("one\ntwo é\n", "")


def test_a_complaint_is_one_line_that_does_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    complain("cannot read \x1b[2J\nthat \udcff file")
    assert capfd.readouterr() == ("", "chat-broker: cannot read [2J that file\n")


def test_paths_are_said_as_they_are(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    say(f"the log in {os.fsdecode(bytes([47, 255]))} is whole")
    assert capfdbinary.readouterr().out == b"the log in /\xff is whole\n"


def test_nobody_reads_it() -> None:
    read, write = os.pipe()
    os.close(read)
    kept = os.dup(1)
    os.dup2(write, 1)
    try:
        say("into the void")
        os.close(1)
        say("into a descriptor that is closed")
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(write)


def test_a_long_answer_is_whole() -> None:
    read, write = os.pipe()
    kept = os.dup(1)
    os.dup2(write, 1)
    os.close(write)
    received = bytearray()

    def receive() -> None:
        while data := os.read(read, 4096):
            received.extend(data)

    reader = threading.Thread(target=receive)
    reader.start()
    try:
        say("x" * 300_000)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    reader.join()
    os.close(read)
    assert bytes(received) == b"x" * 300_000 + b"\n"
