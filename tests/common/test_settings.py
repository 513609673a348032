"""common.settings: what each source gives, which one decides, and what is said about what is wrong."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.settings import (
    CONFIG,
    HELP,
    Choice,
    Flag,
    Location,
    Number,
    Setting,
    Switch,
    Text,
    UsageError,
    describe,
    load,
    read_environment,
    read_file,
    read_options,
)

PORT = Setting("port", Number(0, 65535), "port to listen on", 65432)
TABLE = [
    PORT,
    Setting("host", Text("ADDRESS"), "address to listen on", "127.0.0.1"),
    Setting("log_format", Choice("text", "json"), "how it is logged", "text"),
    Setting("data_dir", Location("DIR"), "where the data is", default_text="somewhere"),
    Setting("insecure", Flag(), "do not encrypt", False),
    Setting("count", Number(1, 9), "how many", option_only=True),
    Setting("max_connections", Number(1, 100), "how many may come", 10, section="limits"),
    CONFIG,
    HELP,
]


def options(*arguments: str) -> dict[str, Any]:
    values, others = read_options(TABLE, arguments)
    assert others == []
    return values


def refused(*arguments: str) -> str:
    with pytest.raises(UsageError) as problem:
        read_options(TABLE, arguments)
    return str(problem.value)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "chat.toml"


def refused_file(config: Path, text: str | bytes) -> str:
    config.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UsageError) as problem:
        read_file(TABLE, config)
    assert str(problem.value).startswith(str(config))
    assert "\n" not in str(problem.value)
    return str(problem.value).removeprefix(str(config))


# --- the command line -------------------------------------------------------------------------------------------------


def test_options_with_their_values() -> None:
    assert options("--port", "80", "--host=::1", "--data-dir", "~/x", "--insecure") == {
        "port": 80,
        "host": "::1",
        "data_dir": Path.home() / "x",
        "insecure": True,
    }


def test_the_last_of_several_counts() -> None:
    assert options("--port", "1", "--port=2") == {"port": 2}


def test_what_is_no_option() -> None:
    assert read_options(TABLE, ["a", "--port", "1", "-", "b", "--", "--port", "--"]) == (
        {"port": 1},
        ["a", "-", "b", "--port", "--"],
    )


@pytest.mark.parametrize("name", ["-h", "--help"])
def test_help_is_an_option(name: str) -> None:
    assert options(name) == {"help": True}


def test_a_value_may_hold_anything() -> None:
    assert options("--host", "-x") == {"host": "-x"}
    assert options("--host=a=b") == {"host": "a=b"}


@pytest.mark.parametrize(
    "value", ["-1", "65536", "abc", "80x", "", "1e3", "８０", "٣", " 80", "80 ", "+80", "0x50", "8_0", "9" * 5000, "80\n"]
)
def test_numbers_are_ascii_digits_in_their_range(value: str) -> None:
    assert refused(f"--port={value}").startswith("--port must be a whole number from 0 to 65535, not '")
    assert len(refused(f"--port={value}")) < 150


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prot", "1"], "there is no option '--prot', did you mean --port?"),
        (["--xyzzy"], "there is no option '--xyzzy', --help lists what there is"),
        (["-x"], "there is no option '-x', --help lists what there is"),
        (["--max-connections", "3"], "there is no option '--max-connections', --help lists what there is"),
        (["--port"], "--port needs a value: a whole number from 0 to 65535"),
        (["--host", "--port", "1"], "--host needs a value: a text, not empty, without control characters"),
        (["--insecure=yes"], "--insecure takes no value"),
        (["--host", ""], "--host must be a text, not empty, without control characters, not ''"),
        (["--host", "a\x1b[2J"], "--host must be a text, not empty, without control characters, not 'a\\x1b[2J'"),
        (["--log-format", "yaml"], "--log-format must be one of text, json, not 'yaml'"),
        (["--data-dir", ""], "--data-dir must be a path, not ''"),
        (["--data-dir", "~nobody-of-that-name/x"], "--data-dir must be a path, not '~nobody-of-that-name/x'"),
    ],
)
def test_what_is_said_about_a_wrong_option(arguments: list[str], said: str) -> None:
    assert refused(*arguments) == said


@given(st.lists(st.text(max_size=12) | st.sampled_from(["--port", "--host", "--", "-h", "--insecure", "--port=1"])))
def test_any_command_line_is_understood_or_refused(arguments: list[str]) -> None:
    said = ""
    try:
        values, others = read_options(TABLE, arguments)
    except UsageError as problem:
        said = str(problem)
    else:
        assert set(values) <= {setting.key for setting in TABLE if not setting.section}
        assert set(others) <= set(arguments)
    assert said.isprintable()


def test_the_help_has_a_line_for_each_option() -> None:
    lines = describe(TABLE).splitlines()
    assert lines[0] == "  --port N                port to listen on (default: 65432)"
    assert lines[3] == "  --data-dir DIR          where the data is (default: somewhere)"
    assert lines[4] == "  --insecure              do not encrypt"
    assert describe([Setting("bell", Switch(), "ring", True)]) == "  --bell on|off  ring (default: on)"
    assert len(lines) == len([setting for setting in TABLE if not setting.section])


# --- the environment --------------------------------------------------------------------------------------------------


def test_the_environment() -> None:
    environ = {"X_PORT": "80", "X_INSECURE": "true", "X_LIMITS_MAX_CONNECTIONS": "7", "X_HOST": "", "Y_HOST": "h"}
    assert read_environment(TABLE, environ, "X") == {"port": 80, "insecure": True, "limits.max_connections": 7}


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("0", False), ("false", False)])
def test_flags_in_the_environment(text: str, value: bool) -> None:
    assert read_environment(TABLE, {"X_INSECURE": text}, "X") == {"insecure": value}


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(UsageError, match=r"^X_PORT must be a whole number from 0 to 65535, not 'tcp://10\.0\.0\.1:80'$"):
        read_environment(TABLE, {"X_PORT": "tcp://10.0.0.1:80"}, "X")
    with pytest.raises(UsageError, match=r"^X_INSECURE must be true or false, not 'maybe'$"):
        read_environment(TABLE, {"X_INSECURE": "maybe"}, "X")


def test_a_misspelled_limit_in_the_environment_is_refused_and_other_variables_are_somebody_else_s() -> None:
    with pytest.raises(UsageError) as problem:
        read_environment(TABLE, {"X_LIMITS_MAX_CONECTIONS": "7"}, "X")
    said = "there is no variable 'X_LIMITS_MAX_CONECTIONS', did you mean X_LIMITS_MAX_CONNECTIONS?"
    assert str(problem.value) == said
    assert read_environment(TABLE, {"X_PROT": "7", "LIMITS_MAX_CONECTIONS": "7", "X_LIMITS": "1"}, "X") == {}


def test_what_is_for_the_command_line_alone_is_no_variable() -> None:
    assert read_environment(TABLE, {"X_COUNT": "5", "X_HELP": "1"}, "X") == {}


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_file(config: Path) -> None:
    config.write_text('port = 80\ninsecure = true\ndata_dir = "/x"\n[limits]\nmax_connections = 7\n')
    assert read_file(TABLE, config) == {
        "port": 80,
        "insecure": True,
        "data_dir": Path("/x"),
        "limits.max_connections": 7,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 1\nprot = 2\n", ", line 2: there is no setting 'prot', did you mean port?"),
        (
            "[limits]\n\nmax_conections = 2\n",
            ", line 3: there is no setting 'limits.max_conections', did you mean limits.max_connections?",
        ),
        ("xyzzy = 2\n", ", line 1: there is no setting 'xyzzy', --help lists what there is"),
        ("[limit]\nmax_connections = 2\n", ", line 1: there is no setting 'limit', --help lists what there is"),
        ("limits = 3\n", ", line 1: there is no setting 'limits', --help lists what there is"),
        ("count = 3\n", ", line 1: there is no setting 'count', --help lists what there is"),
        ('config = "x"\n', ", line 1: there is no setting 'config', --help lists what there is"),
        ("# port\nport = 70000\n", ", line 2: port must be a whole number from 0 to 65535"),
        ('port = "80"\n', ", line 1: port must be a whole number from 0 to 65535, not '80'"),
        ("port = true\n", ", line 1: port must be a whole number from 0 to 65535"),
        ("port = 80.0\n", ", line 1: port must be a whole number from 0 to 65535"),
        ("port.x = 1\n", ", line 1: port must be a whole number from 0 to 65535"),
        ('insecure = "yes"\n', ", line 1: insecure must be true or false, not 'yes'"),
        ("host = 1\n", ", line 1: host must be a text, not empty, without control characters"),
        ('log_format = ["text"]\n', ", line 1: log_format must be one of text, json"),
        ('data_dir = "a\\u0000b"\n', ", line 1: data_dir must be a path, not 'a\\x00b'"),
        ("[limits]\nmax_connections = 0\n", ", line 2: limits.max_connections must be a whole number from 1 to 100"),
        ("port = \n", " is not TOML: Invalid value (at line 1, column 8)"),
        ("port = 1\nport = 2\n", " is not TOML: Cannot overwrite a value (at line 2, column 9)"),
        (b"port = 1\n# \xff\n", ", line 2: not UTF-8, save the file in that encoding"),
    ],
)
def test_what_is_said_about_a_wrong_file(config: Path, text: str | bytes, said: str) -> None:
    assert refused_file(config, text) == said


@pytest.mark.parametrize("text", ["port = 0x" + "f" * 9_000, "x = " + "[" * 5_000, "port = " + "9" * 9_000])
def test_monstrous_files_are_refused(config: Path, text: str) -> None:
    assert refused_file(config, text)


def test_a_file_that_is_too_large(config: Path) -> None:
    assert "too large" in refused_file(config, "#" * 1_100_000)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read: No such file or directory$"):
        read_file(TABLE, tmp_path / "none.toml")
    with pytest.raises(UsageError, match=r"cannot be read: Is a directory$"):
        read_file(TABLE, tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=r"is a pipe, which cannot be read again when it is to be: give a file$"):
        read_file(TABLE, tmp_path / "pipe")
    assert read_file(TABLE, Path(os.devnull)) == {}


@given(st.binary(max_size=60) | st.text(alphabet="port = [limits]\n\"'#.80x", max_size=60).map(str.encode))
def test_any_file_is_understood_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    config = tmp_path_factory.getbasetemp() / "any.toml"
    config.write_bytes(data)
    with contextlib.suppress(UsageError):  # and nothing else
        read_file(TABLE, config)


# --- all together -----------------------------------------------------------------------------------------------------


def test_command_line_before_environment_before_file_before_default(config: Path) -> None:
    config.write_text('port = 3\nhost = "file"\nlog_format = "json"\n[limits]\nmax_connections = 3\n')
    environ = {"X_PORT": "2", "X_HOST": "variable", "X_CONFIG": str(config)}
    assert load(TABLE, options("--port", "1"), environ, "X") == {
        "port": 1,
        "host": "variable",
        "log_format": "json",
        "limits.max_connections": 3,
        "insecure": False,
        "data_dir": None,
        "count": None,
        "help": None,
        "config": config,
    }


def test_an_option_names_another_file_than_the_environment(config: Path) -> None:
    config.write_text("port = 3\n")
    environ = {"X_CONFIG": "/nowhere/at/all"}
    assert load(TABLE, options("--config", str(config)), environ, "X")["port"] == 3


def test_without_a_file_none_is_read() -> None:
    assert load(TABLE, {}, {}, "X")["port"] == 65432
