from __future__ import annotations

from pathlib import Path

import pytest

from common.settings import UsageError, load, read_options
from urwid_client.settings import (
    COMMON,
    FILE,
    PREFIX,
    SCREEN,
    SEND,
    TAIL,
    ClientSettings,
    client_settings,
    find_data_dir,
    find_file,
    recipient,
)
from urwid_client.trust import Wishes


def given(*arguments: str, environ: dict[str, str] | None = None) -> ClientSettings:
    options, _ = read_options(COMMON, arguments)
    return client_settings(load(COMMON, options, environ or {}, PREFIX))


def test_what_is_not_given_has_a_default() -> None:
    assert given() == ClientSettings("127.0.0.1", 65432, None, None, None, server_given=False)
    assert given().server == "127.0.0.1:65432"


def test_everything_can_be_given() -> None:
    settings = given("--host", "example.org", "--port", "7", "--name", "ada", "--room", "#dev", "--data-dir", "/data")
    assert settings == ClientSettings("example.org", 7, "ada", "#dev", Path("/data"))


ONE = "SHA256:" + "A" * 43


@pytest.mark.parametrize(
    ("arguments", "wishes"),
    [
        ((), Wishes()),
        (("--tls",), Wishes(tls=True)),
        (("--insecure",), Wishes(tls=False)),
        (("--accept-new", "--fingerprint", ONE + "="), Wishes(fingerprint=ONE, accept_new=True)),
    ],
)
def test_what_is_wished_of_encryption(arguments: tuple[str, ...], wishes: Wishes) -> None:
    assert given(*arguments).wishes == wishes


@pytest.mark.parametrize("other", [("--tls",), ("--fingerprint", ONE)])
def test_wishes_that_contradict_each_other(other: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--insecure does not go together with --tls"):
        given("--insecure", *other)


def test_the_environment_and_the_file_come_after_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "client.toml"
    file.write_text('host = "from.file"\nport = 1\nname = "fred"\n')
    environ = {"CHAT_CLIENT_HOST": "from.environment", "CHAT_CLIENT_PORT": "2", "CHAT_CLIENT_CONFIG": str(file)}
    settings = given("--host", "from.command.line", environ=environ)
    assert (settings.host, settings.port, settings.name) == ("from.command.line", 2, "fred")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--port", "0"), "--port must be a whole number from 1 to 65535"),
        (("--port", "65536"), "--port"),
        (("--port", "80x"), "--port"),
        (("--host", "two words"), "--host must be the name or the address of a host, not 'two words'"),
        (("--host", "["), "--host"),
        (("--name", "two words"), "--name: "),
        (("--name", "x" * 33), "--name: a name has at most 32 characters"),
        (("--name", "server"), "--name: the name server is reserved"),
        (("--room", "##dev"), "--room: a room's name is #"),
        (("--fingerprint", "SHA256:short"), "--fingerprint must be a fingerprint as the server prints it"),
        (("--nmae", "x"), "did you mean --name"),
    ],
)
def test_what_is_wrong_is_named(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError) as told:
        given(*arguments)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_room_may_come_without_its_sign() -> None:
    assert given("--room", "dev") == given("--room", "#dev")


def test_somebody_to_write_to() -> None:
    assert recipient("#dev") == "#dev"
    assert recipient("bob") == "bob"
    for wrong, words in ((None, "send needs --to"), ("#", "--to: a room"), ("a b", "--to: a name")):
        with pytest.raises(UsageError, match=words):
            recipient(wrong)


def test_the_forms_have_options_of_their_own() -> None:
    assert read_options(SEND, ["--to", "#dev", "hello", "there"]) == ({"to": "#dev"}, ["hello", "there"])
    options, _ = read_options(TAIL, ["--json", "--after", "7", "--count", "2"])
    assert options == {"json": True, "after": 7, "count": 2}
    for form in (SEND, TAIL):
        assert {setting.name for setting in COMMON} < {setting.name for setting in form}


def test_the_data_directory() -> None:
    assert find_data_dir(given("--data-dir", "relative")) == Path("relative").absolute()
    assert find_data_dir(given()).name == "chat-client"


def test_the_file_of_settings() -> None:
    environ = {"XDG_CONFIG_HOME": "/config", "HOME": "/home/ada"}
    assert find_file({}, environ) == Path("/config/chat-client") / FILE
    assert find_file({"data_dir": Path("/data")}, environ) == Path("/data") / FILE
    assert find_file({}, environ | {"CHAT_CLIENT_DATA_DIR": "/other"}) == Path("/other") / FILE
    assert find_file({"config": Path("/my.toml"), "data_dir": Path("/data")}, environ) == Path("/my.toml")
    assert find_file({}, environ | {"CHAT_CLIENT_CONFIG": "/my.toml"}) == Path("/my.toml")


def test_what_only_the_screen_knows_may_stand_in_a_file_for_all_forms(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.write_text('name = "fred"\ntheme = "dark"\nmouse = false\n[keys]\nundo = "ctrl z"\n[alerts]\n"#dev" = "all"\n')
    values = load(SEND, {"config": file}, {}, PREFIX, others=SCREEN)
    assert values["name"] == "fred"
    assert "theme" not in values
    values = load(SCREEN, {"config": file}, {}, PREFIX)
    assert (values["theme"], values["mouse"], values["keys.undo"], values["alerts.#dev"]) == ("dark", False, ["ctrl z"], "all")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('theme = "pink"', "theme must be one of auto, dark"),
        ('[keys]\nundo = "x"', "keys.undo must be a key like Ctrl+X"),
        ('[keys]\nundoo = "f5"', "did you mean keys.undo?"),
        ('[alerts]\n"#dev" = "loud"', "alerts.#dev must be one of mentions, all, none"),
        ('alerts = "none"', "did you mean alert?"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / FILE
    file.write_text(line)
    with pytest.raises(UsageError) as told:
        load(SCREEN, {"config": file}, {}, PREFIX)
    assert words in str(told.value)
