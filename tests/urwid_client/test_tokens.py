from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from common.client_protocol import TOKENS_SHOWN
from urwid_client import table_file
from urwid_client.tokens import FILE, Tokens, TokensUnusable

HERE = "127.0.0.1:65432"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "new" / "directory")
    tokens.keep(HERE, "Ada", "secret")
    again = Tokens(tmp_path / "new" / "directory")
    assert again.find(HERE, "ada") == "secret"
    assert again.find(HERE, "bob") is None
    assert again.find("elsewhere:1", "ada") is None


def test_a_directory_that_does_not_exist_is_not_made_by_looking(tmp_path: Path) -> None:
    assert Tokens(tmp_path / "none").find(HERE, "ada") is None
    assert not (tmp_path / "none").exists()


def test_a_later_token_replaces_the_earlier_one(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    for token in ("one", "two"):
        tokens.keep(HERE, "ada", token)
    assert tokens.find(HERE, "ada") == "two"


def test_all_names_of_one_person_have_the_latest_token(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    tokens.keep(HERE, "ada", "one")
    tokens.keep(HERE, "eve", "somebody else")
    tokens.keep(HERE, "lovelace", "two", shown="one")
    assert [tokens.find(HERE, name) for name in ("ada", "lovelace", "eve")] == ["two", "two", "somebody else"]


def test_a_token_that_another_server_did_not_know_stays_behind_the_new_one(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    tokens.keep(HERE, "ada", "one")
    tokens.keep(HERE, "lovelace", "one", shown="one")
    tokens.keep(HERE, "ada", "of another server")
    assert tokens.find_all(HERE, "ada") == ["of another server", "one"]
    assert tokens.find_all(HERE, "lovelace") == ["one"]
    tokens.keep(HERE, "ada", "two", shown="one")
    assert tokens.find_all(HERE, "ada") == ["two", "of another server"]
    assert tokens.find_all(HERE, "lovelace") == ["two"]
    for number in range(20):
        tokens.keep(HERE, "ada", str(number))
    assert tokens.find_all(HERE, "ada") == [str(number) for number in range(19, 19 - TOKENS_SHOWN, -1)]


def test_what_was_kept_when_large_letters_made_another_server_is_found(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"LOCALHOST:1": {"ada": "one", "lovelace": "one"}}))
    tokens = Tokens(tmp_path)
    assert tokens.find("localhost:1", "ada") == "one"
    tokens.keep("localhost:1", "ada", "two", shown="one")
    assert [tokens.find("localhost:1", name) for name in ("ada", "lovelace")] == ["two", "two"]


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Tokens(tmp_path / "data").keep(HERE, "ada", "secret")
    finally:
        os.umask(before)
    assert mode(tmp_path / "data") == 0o700
    assert [mode(path) for path in (tmp_path / "data").iterdir()] == [0o600, 0o600]


def test_a_half_written_file_of_a_killed_run_hurts_nobody(tmp_path: Path) -> None:
    (tmp_path / "tokens.new").write_text('{"127.')
    os.chmod(tmp_path / "tokens.new", 0o644)
    tokens = Tokens(tmp_path)
    tokens.keep(HERE, "ada", "secret")
    assert tokens.find(HERE, "ada") == "secret"
    assert mode(tmp_path / FILE) == 0o600


def test_a_link_in_the_way_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("mine")
    (tmp_path / "tokens.new").symlink_to(tmp_path / "other")
    tokens = Tokens(tmp_path)
    tokens.keep(HERE, "ada", "secret")
    assert (tmp_path / "other").read_text() == "mine"
    assert not (tmp_path / FILE).is_symlink()
    assert tokens.find(HERE, "ada") == "secret"


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(TokensUnusable, match="is damaged"):
        Tokens(tmp_path).find(HERE, "ada")


def test_another_client_that_was_stopped_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "_LOCK_SECONDS", 0.05)
    with (tmp_path / "tokens.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TokensUnusable, match="in use by another client"):
            Tokens(tmp_path).keep(HERE, "ada", "secret")
    Tokens(tmp_path).keep(HERE, "ada", "secret")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"a": 1}', b'{"a": {"b": 1}}', b'{"a": {"b": [1]}}', b"\xff\xfe", b"null", b"[" * 100_000, bytes(100)],
)
def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / FILE
    file.write_bytes(content)
    tokens = Tokens(tmp_path)
    with pytest.raises(TokensUnusable, match=r"tokens\.json is damaged: repair it, or move it away") as told:
        tokens.find(HERE, "ada")
    assert "\n" not in str(told.value)
    with pytest.raises(TokensUnusable):
        tokens.keep(HERE, "ada", "secret")
    assert file.read_bytes() == content


def test_a_place_where_nothing_can_be_kept_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TokensUnusable, match="file: this is not a directory; who you are cannot be remembered"):
        Tokens(tmp_path / "file").keep(HERE, "ada", "secret")
    (tmp_path / FILE).mkdir()
    with pytest.raises(TokensUnusable, match="Is a directory"):
        Tokens(tmp_path).find(HERE, "ada")


def test_several_clients_at_once_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from urwid_client.tokens import Tokens\n"
        "for n in range(20): Tokens(pathlib.Path(sys.argv[1])).keep('host:1', f'{sys.argv[2]}{n}', 'token')"
    )
    runs = [subprocess.Popen([sys.executable, "-c", script, tmp_path, name]) for name in ("a", "b")]
    assert [run.wait(30) for run in runs] == [0, 0]
    assert len(json.loads((tmp_path / FILE).read_text())["host:1"]) == 40
