from __future__ import annotations

import json
from pathlib import Path

import pytest

from urwid_client.pins import FILE, Pins, PinsUnusable
from urwid_client.trust import AUTHORITY

ONE, OTHER = "SHA256:" + "A" * 43, "SHA256:" + "E" * 43


def test_a_server_is_known_by_what_was_kept_last_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    pins = Pins(tmp_path / "new")
    assert pins.find("host:1") is None
    pins.keep("Host:1", ONE)
    pins.keep("host:2", AUTHORITY)
    assert (pins.find("host:1"), pins.find("HOST:2"), pins.find("host:3")) == (ONE, AUTHORITY, None)
    Pins(tmp_path / "new").keep("host:1", OTHER)
    assert pins.find("host:1") == OTHER
    assert (tmp_path / "new" / FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_key_that_was_replaced_is_believed_by_no_other_spelling_of_the_address(tmp_path: Path) -> None:
    """It may have been stolen."""
    (tmp_path / FILE).write_text(json.dumps(dict.fromkeys(("localhost:1", "127.0.0.1:1", "LOCALHOST:1", "localhost:2"), ONE)))
    pins = Pins(tmp_path)
    pins.keep("127.0.0.1:1", OTHER)
    assert [pins.find(server) for server in ("localhost:1", "127.0.0.1:1", "LOCALHOST:1")] == [OTHER] * 3
    assert pins.find("localhost:2") == ONE


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"host:1": 1}', '{"host:1": ""}', '{"host:1": "SHA256:short"}', "[" * 10_000]
)
def test_a_file_that_cannot_be_understood_is_believed_in_nothing_and_kept(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(PinsUnusable, match="is damaged: repair it, or move it away"):
        Pins(tmp_path).find("host:1")
    with pytest.raises(PinsUnusable, match="is damaged: repair it, or move it away"):
        Pins(tmp_path).keep("host:1", ONE)
    assert (tmp_path / FILE).read_text() == content


def test_what_is_known_already_is_not_written_again(tmp_path: Path) -> None:
    """A directory that cannot be written is good enough for servers that are known."""
    Pins(tmp_path).keep("host:1", ONE)
    (tmp_path / FILE).with_suffix(".lock").unlink()
    Pins(tmp_path).keep("host:1", ONE)
    assert not (tmp_path / FILE).with_suffix(".lock").exists()
