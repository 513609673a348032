"""broker.settings: the server's table, complete and consistent, and what comes of it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from broker.settings import CHECK, SERVE, STATUS, data_dir, only_at_start, server_settings
from common.limits import Limits
from common.settings import Setting, UsageError, read_options


def test_the_defaults() -> None:
    settings = server_settings({}, {})
    assert (settings.host, settings.port, settings.log_format, settings.log_level) == ("127.0.0.1", 65432, "text", "info")
    assert settings.workers == min(os.cpu_count() or 1, 1024)
    assert settings.data_dir.name == "chat-broker"
    assert settings.data_dir.is_absolute()
    assert not settings.insecure
    assert settings.limits == Limits()


def test_every_limit_is_a_setting_whose_default_is_allowed() -> None:
    for field in dataclasses.fields(Limits):
        given = {f"CHAT_BROKER_LIMITS_{field.name.upper()}": str(field.default)}
        assert server_settings({}, given).limits == Limits()
        assert server_settings({}, dict.fromkeys(given, "1")).limits == dataclasses.replace(Limits(), **{field.name: 1})
        with pytest.raises(UsageError, match=f"must be a whole number from 1 to {field.metadata['most']}, "):
            server_settings({}, {key: str(field.metadata["most"] + 1) for key in given})


VALUES = {
    "host": "localhost",
    "port": "1",
    "workers": "3",
    "data_dir": "/somewhere",
    "log_format": "json",
    "log_level": "debug",
    "insecure": "true",
    "tls_cert": "/cert",
    "tls_key": "/key",
}


@pytest.mark.parametrize("setting", [one for one in SERVE if not one.option_only and one.name != "config" and not one.section])
def test_every_option_is_a_variable_and_a_key_of_the_file(setting: Setting, tmp_path: Path) -> None:
    value = VALUES[setting.name]
    usual = {"tls_cert": Path("/usual")} if setting.name == "tls_key" else {}  # it makes no sense without
    option = [setting.option] if value == "true" else [setting.option, value]
    by_option = server_settings(usual | read_options(SERVE, option)[0], {})
    by_variable = server_settings(usual, {setting.variable("CHAT_BROKER"): value})
    config = tmp_path / "chat.toml"
    config.write_text(f"{setting.name} = {value if value.isdigit() or value == 'true' else repr(value)}\n")
    by_file = server_settings(usual | {"config": config}, {})
    assert by_option == by_variable == by_file != server_settings(usual, {})


def test_what_cannot_be_changed_while_it_runs() -> None:
    before = server_settings({"port": 1, "workers": 2}, {})
    after = server_settings({"port": 2, "workers": 3, "limits.text_bytes": 7}, {})
    assert only_at_start(before, after) == ["port 1 -> 2", "workers 2 -> 3"]
    assert only_at_start(before, before) == []


def test_a_key_without_a_certificate() -> None:
    with pytest.raises(UsageError, match=r"^a key is no use without its certificate, "):
        server_settings({"tls_key": Path("key")}, {})


@pytest.mark.parametrize("workers", ["0", "-1", "1000000", "auto "])
def test_impossible_numbers_of_workers(workers: str) -> None:
    with pytest.raises(UsageError, match=r"^--workers must be a whole number from 1 to 1024, not "):
        read_options(SERVE, ["--workers", workers])


def test_a_relative_directory_is_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert server_settings(read_options(SERVE, ["--data-dir", "here"])[0], {}).data_dir == tmp_path / "here"


@pytest.mark.parametrize("table", [STATUS, CHECK])
def test_questions_find_the_directory_in_all_the_places(table: list[Setting], tmp_path: Path) -> None:
    config = tmp_path / "chat.toml"
    config.write_text('port = 1\ndata_dir = "/of/file"\n')
    given, _ = read_options(table, ["--config", str(config)])
    assert data_dir(given, {}) == Path("/of/file")
    assert data_dir(given, {"CHAT_BROKER_DATA_DIR": "/of/variable"}) == Path("/of/variable")
    given, _ = read_options(table, ["--data-dir", "/of/option"])
    assert data_dir(given, {"CHAT_BROKER_DATA_DIR": "/of/variable"}) == Path("/of/option")
