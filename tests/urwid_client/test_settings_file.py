from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urwid_client.settings_file import SettingsNotKept, change, changed

FILE = """\
# my settings
theme = "dark"  # for the night

[keys]
undo = ["f5"]

[alerts]
"#dev" = "all"
"""


def test_one_value_changes_and_everything_else_stays() -> None:
    after = changed(FILE, "theme", "light")
    assert after == FILE.replace('theme = "dark"  # for the night', 'theme = "light"')
    assert changed(FILE, "alerts.#dev", "none") == FILE.replace('"all"', '"none"')


def test_a_new_value_stands_where_it_belongs() -> None:
    assert "night\nmouse = false\n\n[keys]" in changed(FILE, "mouse", False)
    assert '["f5"]\nsend = ["enter"]\n\n[alerts]' in changed(FILE, "keys.send", ["enter"])
    assert changed("", "keys.send", ["enter"]) == '[keys]\nsend = ["enter"]\n'
    assert changed("", "theme", "dark") == 'theme = "dark"\n'


def test_a_value_is_taken_out() -> None:
    assert tomllib.loads(changed(FILE, "alerts.#dev", None))["alerts"] == {}
    assert changed(FILE, "bell", None) == FILE


@pytest.mark.parametrize("text", ["keys = {undo = ['f5']}\n", "keys.undo = 'f5'\n", "[keys]\nundo = [\n'f5',\n]\n"])
def test_what_is_written_in_another_way_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsNotKept, match="edit it yourself"):
        change(file, "keys.undo", ["f6"])
    assert file.read_text() == text


def test_a_link_to_a_file_that_is_kept_elsewhere_stays_one(tmp_path: Path) -> None:
    there, link = tmp_path / "dotfiles.toml", tmp_path / "settings.toml"
    there.write_text(FILE)
    link.symlink_to(there)
    change(link, "theme", "light")
    assert link.is_symlink()
    assert 'theme = "light"' in there.read_text()


@given(st.sampled_from(["theme", "keys.undo", "alerts.#dev", "alerts.ünï"]), st.text(max_size=10))
def test_whatever_is_set_is_what_the_file_says(key: str, value: str) -> None:
    section, _, name = key.rpartition(".")
    table = tomllib.loads(changed(FILE, key, value))
    assert (table[section] if section else table)[name] == value
