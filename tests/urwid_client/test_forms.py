from __future__ import annotations

import re
from pathlib import Path

import pytest

from common import __version__
from urwid_client import app, forms, headless
from urwid_client.errors import Failed, OutputClosed
from urwid_client.settings import COMMON, SEND, TAIL, ClientSettings


def told(capsys: pytest.CaptureFixture[str], *arguments: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    """The exit status, and what was said on the standard output and error."""
    status = forms.run(arguments, environ or {})
    output = capsys.readouterr()
    return status, output.out, output.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--port", "0"), "--port"),
        (("--port", "١٢"), "--port"),
        (("--port",), "--port needs a value"),
        (("--nmae", "x"), "did you mean --name?"),
        (("--name", "a b"), "--name: "),
        (("--room", "a b"), "--room: "),
        (("hello",), "nothing to be done with 'hello'"),
        (("sned", "--to", "#dev", "hello"), "there is no 'sned', did you mean chat-client send?"),
        (("--name", "x", "send"), "send stands in front of the options"),
        (("send", "hello"), "send needs --to"),
        (("send", "--to", "#", "hello"), "--to: "),
        (("send", "--to", "#x", " "), "nothing in this text to send"),
        (("send", "--to", "#x", "--json"), "--json"),
        (("tail", "hello"), "nothing to be done with 'hello'"),
        (("tail", "--count", "0"), "--count"),
        (("tail", "--after", "-1"), "--after"),
        (("tail", "--after", "1", "--history", "2"), "--after and --history"),
        (("--config", "/nowhere/at/all.toml"), "/nowhere/at/all.toml"),
        (("chat://host:0/",), "'chat://host:0/' is no invitation: no server has port 0"),
        (("send", "chat://host/?fp=x", "--to", "#x"), "is no invitation: the invitation's fp is no fingerprint"),
        (("send", "chat:/dev?/fp=x", "--to", "#x", "hello"), "is no invitation: an invitation is written chat://HOST:PORT/ROOM"),
        (("chat://host/", "hello"), "nothing to be done with 'hello'"),
        (("--insecure", f"chat://host/?fp=SHA256:{'A' * 43}"), "--insecure does not go together"),
        (("x\x1b[2J",), "nothing to be done"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str) -> None:
    status, output, error = told(capsys, *arguments)
    assert (status, output) == (2, "")
    form = f"{arguments[0]} " if arguments[0] in ("send", "tail") else ""
    assert re.fullmatch(rf"chat-client: [^\n\x1b]*\(see chat-client {form}--help\)\n", error)
    assert words in error


def test_a_wrong_variable_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, error = told(capsys, environ={"CHAT_CLIENT_PORT": "many"})
    assert status == 2
    assert "CHAT_CLIENT_PORT" in error


@pytest.mark.parametrize(("form", "settings"), [((), COMMON), (("send",), SEND), (("tail",), TAIL)])
def test_the_help_names_every_option(
    capsys: pytest.CaptureFixture[str], form: tuple[str, ...], settings: tuple[object, ...]
) -> None:
    status, output, error = told(capsys, *form, "--help")
    assert (status, error) == (0, "")
    assert output.startswith("usage: chat-client")
    assert all(setting.option in output for setting in settings)  # type: ignore[attr-defined]
    assert max(map(len, output.splitlines())) < 130


@pytest.mark.parametrize("form", [(), ("send",)])
def test_an_invitation_with_a_room_is_enough_for_send(capsys: pytest.CaptureFixture[str], form: tuple[str, ...]) -> None:
    assert "send [URL] [--to #ROOM|NAME] [OPTION …]" in told(capsys, *form, "--help")[1]


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--version") == (0, f"chat-client {__version__}\n", "")


def test_without_a_terminal_it_says_what_else_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, error = told(capsys, environ={"TERM": "xterm"})
    assert status == 1
    assert error == "chat-client: this needs a terminal; without one use chat-client send or chat-client tail\n"


def test_what_is_asked_for_reaches_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(headless, "send", lambda settings, to, text: asked.append((settings.name, to, text)))
    monkeypatch.setattr(headless, "tail", lambda settings, wanted: asked.append((settings.room, *wanted)))
    forms.run(["send", "--to", "#dev", "--name=ada", "hello", "there"], {})
    forms.run(["send", "--to", "bob", "--name", "ada"], {})
    forms.run(["tail", "--room", "#dev", "--json", "--history", "3", "--count", "2"], {})
    assert asked == [("ada", "#dev", "hello there"), ("ada", "bob", None), ("#dev", True, None, 3, 2)]


def test_an_invitation_stands_for_options_and_options_count_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def note(settings: ClientSettings, what: object, *text: object) -> None:
        asked.append((settings.server, settings.room, settings.wishes.fingerprint, what, *text))

    key = "SHA256:" + "A" * 43
    url = f"chat://[::1]:7/dev?fp={key}"
    monkeypatch.setattr(headless, "send", note)
    monkeypatch.setattr(headless, "tail", lambda settings, wanted: note(settings, wanted.most))
    for arguments in (
        ["send", url, "hello"],
        ["send", url, "--to", "bob", "hello"],
        ["send", "--to", "bob", url],
        ["send", "--to", "bob", "chat: hello"],
        ["tail", url, "--count", "2"],
        ["tail", "--count", "2", "--port", "8", "--room", "ops", url],
    ):
        forms.run(arguments, {"CHAT_CLIENT_PORT": "9"})
    assert asked == [
        ("[::1]:7", "#dev", key, "#dev", "hello"),
        ("[::1]:7", "#dev", key, "bob", "hello"),
        ("127.0.0.1:9", None, None, "bob", url),  # a text like any other
        ("127.0.0.1:9", None, None, "bob", "chat: hello"),
        ("[::1]:7", "#dev", key, 2),
        ("[::1]:8", "#ops", key, 2),
    ]


def test_a_screen_is_shown_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[ClientSettings] = []
    monkeypatch.setattr("os.isatty", lambda fd: True)
    monkeypatch.setattr(app, "run", lambda settings, preferences: shown.append(settings))
    forms.run(["--name", "ada"], {"TERM": "xterm", "CHAT_CLIENT_PORT": "7"})
    assert [(settings.name, settings.port) for settings in shown] == [("ada", 7)]


def fail_with(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def failing(*arguments: object) -> int:
        raise problem

    monkeypatch.setattr(headless, "tail", failing)


def test_what_failed_is_one_line_and_status_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fail_with(monkeypatch, Failed("the server\nis \x1b[2Jaway"))
    assert told(capsys, "tail") == (1, "", "chat-client: the server is [2Jaway\n")


def test_an_error_of_the_program_is_kept_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fail_with(monkeypatch, KeyError("by design"))
    status, _, error = told(capsys, "tail", "--data-dir", str(tmp_path / "new"))
    assert status == 1
    file = tmp_path / "new" / "crash.txt"
    assert error == (
        "chat-client: something went wrong that should not (KeyError: 'by design'); "
        f"please report it with the details in {file}\n"
    )
    assert "Traceback" in file.read_text()


def test_an_error_whose_details_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fail_with(monkeypatch, KeyError("by design"))
    (tmp_path / "file").write_text("")
    _, _, error = told(capsys, "tail", "--data-dir", str(tmp_path / "file"))
    assert "the details could not be written" in error
    assert error.count("\n") == 1


def test_output_that_nobody_reads_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, OutputClosed())
    assert forms.run(["tail"], {}) == 0
