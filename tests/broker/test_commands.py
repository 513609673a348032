"""broker.commands: what is said, and returned, when nothing is to be served. Serving is tested in tests/integration."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker import commands, settings
from broker.commands import run
from common import __version__


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Questions set the handlers of signals; this process keeps its own."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "80x"], "--port must be a whole number from 0 to 65535, not '80x'"),
        (["--workers", "0"], "--workers must be a whole number from 1 to 1024, not '0'"),
        (["--host", ""], "--host must be a text, not empty, without control characters, not ''"),
        (["--log-level", "loud"], "--log-level must be one of debug, info, warning, error, not 'loud'"),
        (["chekc"], "there is no 'chekc', did you mean chat-broker check?"),
        (["statsu", "--json"], "there is no 'statsu', did you mean chat-broker status?"),
        (["serve"], "'serve' is not understood here, --help shows what is"),
        (["--port", "1", "status"], "'status' stands in front of the options: chat-broker status …"),
        (["--"], "a command is missing after --, write for example: chat-broker -- chat-client"),
        (["status", "--jsno"], "there is no option '--jsno', did you mean --json?"),
        (["status", "here", "there"], "'there' is not understood here, --help shows what is"),
        (["check", "here", "--data-dir", "there"], "'here' is not understood here, --help shows what is"),
        (["check", "--json"], "there is no option '--json', --help lists what there is"),
        (["--config", "/nowhere.toml"], "/nowhere.toml cannot be read: No such file or directory"),
        (["check", "--config", "/nowhere.toml"], "/nowhere.toml cannot be read: No such file or directory"),
        (["--tls-key", "key"], "a key is no use without its certificate, name that as well, with --tls-cert"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(arguments, {}) == 2
    assert capfd.readouterr() == ("", f"chat-broker: {said}\n")


def test_what_cannot_be_done(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    for arguments, said in [
        (["--host", "192.0.2.1", "--insecure", "--data-dir", str(tmp_path / "new")], "cannot listen on 192.0.2.1:65432: "),
        (["--host", "no.such.host.invalid"], "there is no host 'no.such.host.invalid' "),
        (["--port", "0", "--data-dir", str(file)], f"cannot keep data in {file} (it is no directory), name another "),
        (["--port", "0", "--data-dir", str(file / "in")], f"cannot keep data in {file}/in (Not a directory), name "),
        (["status", "--data-dir", str(tmp_path)], f"no server runs on {tmp_path}, start one or "),
        (["status", str(tmp_path)], f"no server runs on {tmp_path}, start one or "),
    ]:
        assert run(arguments, {}) == 1
        out, err = capfd.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith(f"chat-broker: {said}")


def test_a_log_file_that_is_a_directory(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "server.log").mkdir()
    assert run(["--port", "0", "--data-dir", str(tmp_path), "--", "true"], {}) == 1
    assert capfd.readouterr().err == (
        f"chat-broker: cannot write {tmp_path}/server.log (Is a directory), move it out of the way\n"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["-h", "--port", "1"], ["status", "--help"], ["check", "-h"]])
def test_help(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(arguments, {"CHAT_BROKER_PORT": "nonsense"}) == 0
    out, err = capfd.readouterr()
    assert err == ""
    for setting in settings.SERVE:
        assert (setting.name if setting.section else setting.option) in out
        assert setting.help in out


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"], {"CHAT_BROKER_PORT": "nonsense"}) == 0
    assert capfd.readouterr() == (f"chat-broker {__version__}\n", "")


def test_a_log_that_is_whole_and_one_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from broker.storage.sqlite import SqliteLog

    assert run(["check", "--data-dir", str(tmp_path)], {}) == 1
    assert capfd.readouterr().err.startswith("chat-broker: ")
    SqliteLog.open(tmp_path).close()
    for where in (["--data-dir", str(tmp_path)], [str(tmp_path)]):
        assert run(["check", *where], {"CHAT_BROKER_DATA_DIR": "/elsewhere"}) == 0
        assert capfd.readouterr() == (f"the log in {tmp_path} is whole\n", "")


@pytest.mark.parametrize(
    ("told", "exit_status"),
    [({}, 0), ({"trouble": "the disk is full: make room"}, 1), ({"silent": ["worker 1"]}, 1), ({"silent": ["broker"]}, 1)],
)
def test_a_server_that_is_not_well_shows_in_the_exit_status(
    told: dict[str, Any], exit_status: int, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What watches it may have no more than that."""
    monkeypatch.setattr("broker.status_socket.ask", lambda directory: {"trouble": None, "silent": [], **told})
    assert run(["status", "--json", "--data-dir", str(tmp_path)], {}) == exit_status
    out, err = capfd.readouterr()
    assert (json.loads(out), err) == ({"trouble": None, "silent": [], **told}, "")


def test_a_log_with_faults(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.storage.check.check", lambda directory: ["one is wrong", "another is missing"])
    assert run(["check", "--data-dir", str(tmp_path)], {}) == 1
    assert capfd.readouterr().out == "one is wrong\nanother is missing\n"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (ZeroDivisionError("division\nby zero"), "unexpected: ZeroDivisionError: division by zero"),
        (KeyboardInterrupt(), "interrupted before it was done"),
    ],
)
def test_whatever_happens_is_one_line(
    problem: BaseException, said: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr(commands, "_check", fail)
    assert run(["check"], {}) == 1
    assert capfd.readouterr() == ("", f"chat-broker: {said}\n")


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o700, None),
        (0o711, None),
        (0o777, "others on this machine can write in {0}: chmod 700 '{0}'"),
        (0o720, "others on this machine can write in {0}: chmod 700 '{0}'"),
        (0o755, "others on this machine can look in {0}: chmod 700 '{0}'"),
        (0o1777, "others on this machine can write in {0}: name another directory with --data-dir"),
    ],
)
def test_a_data_directory_that_is_open_to_others(
    mode: int, said: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "my data"
    directory.mkdir()
    directory.chmod(mode)
    commands._warn_of_bystanders(directory)
    assert caplog.messages == ([said.format(directory)] if said else [])


def test_the_data_directory_is_its_owners_alone_and_nothing_stays_of_the_probe(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    commands._prepare(directory)
    commands._prepare(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert os.listdir(directory) == []
