"""urwid_client.table_file: what is not seen through `Tokens` and `Pins`, whose tests cover the rest."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from urwid_client.errors import Failed
from urwid_client.table_file import TableFile, Words


class Unusable(Failed):
    pass


def table(directory: Path) -> TableFile:
    return TableFile(directory / "table.json", lambda found: isinstance(found, dict), Words(Unusable, "so what", "too bad"))


def test_what_is_changed_is_there_for_others_and_what_is_not_is_not_written(tmp_path: Path) -> None:
    with table(tmp_path).changing() as entries:
        entries["a"] = {"b": 1}
    written = (tmp_path / "table.json").stat()
    assert written.st_mode & 0o777 == 0o600
    with table(tmp_path).changing() as entries:
        assert entries == {"a": {"b": 1}}
    assert (tmp_path / "table.json").stat().st_ino == written.st_ino
    with table(tmp_path).changing() as entries:
        entries["a"]["b"] = 2
    assert table(tmp_path).read() == {"a": {"b": 2}}


def test_the_order_of_entries_is_kept_and_changing_it_is_a_change(tmp_path: Path) -> None:
    with table(tmp_path).changing() as entries:
        entries.update(a=1, b=2)
    with table(tmp_path).changing() as entries:
        entries["a"] = entries.pop("a")
    assert list(table(tmp_path).read()) == ["b", "a"]


def test_an_entry_is_a_line_and_one_that_was_written_otherwise_is_read(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text('{\n "a": {\n  "b": "ä"\n }\n}')
    with table(tmp_path).changing() as entries:
        assert entries == {"a": {"b": "ä"}}
        entries["c"] = []
    assert (tmp_path / "table.json").read_text() == '{\n"a": {"b": "\\u00e4"},\n"c": []\n}\n'


@pytest.mark.parametrize("text", [rb'{"a": {"b": ["\uD83D"]}}', rb'{"\ude00": 1}', b'{"a": "\xed\xa0\x80"}'])
def test_half_a_character_is_damage(text: bytes, tmp_path: Path) -> None:
    """It could not be said to a server."""
    (tmp_path / "table.json").write_bytes(text)
    with pytest.raises(Unusable, match="is damaged"):
        table(tmp_path).read()


def test_a_character_in_two_halves_is_one(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text(r'{"a": "\ud83d\ude00", "b": "\\ud83d"}')
    assert table(tmp_path).read() == {"a": "😀", "b": r"\ud83d"}


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError), table(tmp_path).changing() as entries:
        entries["a"] = b"no JSON"
    assert table(tmp_path).read() == {}


def test_a_change_that_is_to_last_waits_for_its_content_and_then_for_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, bool]] = []

    def sync(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), (tmp_path / "table.json").exists()))

    monkeypatch.setattr(os, "fsync", sync)
    with table(tmp_path).changing() as entries:
        entries["a"] = 1
    assert synced == [(False, False), (True, True)]


def test_problems_are_told_in_the_owner_s_words(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text("[]")
    with pytest.raises(Unusable, match=r"table.json is damaged: repair it, or move it away \(too bad\)$"):
        table(tmp_path).read()
    (tmp_path / "file").touch()
    with pytest.raises(Unusable, match=r"file: this is not a directory; so what$"), table(tmp_path / "file").changing():
        pass
