"""common.logs: what stands on a line, and what never does."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import logs

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO |WARN |ERROR) worker 1    (?P<text>.*)")


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger of the server; what `set_up` does to it is undone."""
    root = logging.getLogger("chat_broker")
    before = root.handlers, root.propagate, root.level
    yield logging.getLogger("chat_broker.test")
    root.handlers, root.propagate, root.level = before


class Reader:
    """A pipe to log to."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        os.set_blocking(self._read, False)

    def lines(self) -> list[str]:
        try:
            return os.read(self._read, 100_000).decode().splitlines()
        except BlockingIOError:
            return []

    def stop_reading(self) -> None:
        os.close(self._read)


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    for fd in (reader._read, reader.write):
        try:
            os.close(fd)
        except OSError:
            pass


def record(text: str, level: int = logging.INFO, problem: BaseException | None = None) -> logging.LogRecord:
    trace = (type(problem), problem, problem.__traceback__) if problem else None
    return logging.LogRecord("chat_broker.test", level, __file__, 1, text, (), trace)


def raised() -> Exception:
    try:
        raise ValueError("two\nlines, \x1b[2J and a bell \x07")
    except ValueError as problem:
        return problem


def test_a_line_of_text(log: logging.Logger, reader: Reader) -> None:
    logs.set_up("worker 1", "text", "info", reader.write)
    log.info("%s came", "ada")
    log.debug("not shown")
    [line] = reader.lines()
    assert (found := LINE.fullmatch(line))
    assert found["text"] == "ada came"


def test_many_lines_are_those_that_each_would_be(log: logging.Logger, reader: Reader) -> None:
    texts = [f"{number} came, 100 %s \x1b[2J" for number in range(300)]
    logs.set_up("worker 1", "text", "info", reader.write)
    for text in texts:
        log.info("%s", text)
    each = [line[20:] for line in reader.lines()]
    logs.infos(log, texts)
    assert [line[20:] for line in reader.lines()] == each
    logs.infos(log, [])
    logs.set_up("worker 1", "text", "warning", reader.write)
    logs.infos(log, texts)
    assert reader.lines() == []


def test_lines_that_are_written_together_are_not_torn_apart(log: logging.Logger) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # what one write wrote is one packet
    with ours, theirs:
        logs.set_up("worker 1", "text", "info", ours.fileno())
        logs.infos(log, ["a line " * 100] * 20)
        ours.shutdown(socket.SHUT_WR)
        blocks = [*iter(lambda: theirs.recv(100_000), b"")]
    assert sum(block.count(b"\n") for block in blocks) == 20
    assert all(len(block) <= 4096 and block.endswith(b"\n") for block in blocks)
    assert len(blocks) == 4


def test_a_line_of_json(log: logging.Logger, reader: Reader) -> None:
    logs.set_up("worker 1", "json", "debug", reader.write)
    log.warning("%s came", "ada")
    [line] = reader.lines()
    fields = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields.pop("time"))
    assert fields == {
        "level": "warning",
        "process": "worker 1",
        "pid": os.getpid(),
        "logger": "chat_broker.test",
        "message": "ada came",
    }


@given(st.text(), st.sampled_from(["text", "json"]))
def test_whatever_is_logged_is_one_line_that_does_nothing(text: str, log_format: str) -> None:
    formatter = logs.JsonLines("worker 1") if log_format == "json" else logs.TextLines("worker 1")
    line = formatter.format(record(text.replace("%", "%%")))
    assert len(line.splitlines()) == 1
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", line)


@pytest.mark.parametrize("level", ["debug", "info"])
def test_the_unexpected_is_one_line_and_shows_its_trace_at_debug_alone(level: str, log: logging.Logger, reader: Reader) -> None:
    logs.set_up("worker 1", "text", level, reader.write)
    logs.unexpected(log, raised())
    first, *trace = reader.lines()
    assert first.endswith("unexpected: ValueError: two lines, [2J and a bell")
    if level == "info":
        assert trace == []
    else:
        assert all(LINE.fullmatch(line) for line in trace)
        assert trace[0].endswith("Traceback (most recent call last):")
        assert any(line.endswith('raise ValueError("two\\nlines, \\x1b[2J and a bell \\x07")') for line in trace)


def test_the_unexpected_has_its_trace_in_a_field_of_json(log: logging.Logger, reader: Reader) -> None:
    logs.set_up("worker 1", "json", "info", reader.write)
    logs.unexpected(log, raised())
    [line] = reader.lines()
    assert json.loads(line)["traceback"].startswith("Traceback (most recent call last):\n")


def test_a_log_that_nobody_reads_stops_nothing(log: logging.Logger, reader: Reader, capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up("worker 1", "text", "info", reader.write)
    reader.stop_reading()
    for _ in range(3):
        log.info("into the void")
    os.close(reader.write)
    log.info("into a descriptor that is closed")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_on_a_terminal_unless_unwanted(
    no_color: str, coloured: bool, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    screen, terminal = os.openpty()
    logs.set_up("worker 1", "text", "info", terminal)
    log.error("on fire")
    shown = os.read(screen, 1000).decode()
    assert ("\x1b[31mERROR\x1b[0m" in shown) is coloured
    os.close(screen)
    os.close(terminal)


def test_no_colours_in_a_pipe(log: logging.Logger, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    logs.set_up("worker 1", "text", "info", reader.write)
    log.error("on fire")
    assert "\x1b" not in reader.lines()[0]


def test_names_that_are_no_unicode_are_logged_all_the_same(log: logging.Logger, reader: Reader) -> None:
    logs.set_up("worker 1", "text", "info", reader.write)
    log.info("data in %s", os.fsdecode(b"/tmp/\xff"))
    assert reader.lines()[0].endswith("data in /tmp/")
