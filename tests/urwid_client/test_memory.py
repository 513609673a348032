from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.urwid_client.talk import talk
from urwid_client.memory import FILE, Known, Memory, MemoryUnusable
from urwid_client.place import remember

PLACE = remember(talk().chat, [])


def test_the_last_server_comes_first(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    assert memory.servers() == []
    memory.keep("one:1", "ada", PLACE, {})
    memory.keep("two:2", "eve", PLACE, {})
    assert memory.servers() == [Known("two:2", "eve"), Known("one:1", "ada")]
    memory.keep("one:1", "bob", PLACE, {})
    assert Memory(tmp_path).servers() == [Known("one:1", "bob"), Known("two:2", "eve")]


def test_a_place_is_one_s_own(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep("one:1", "Ada", PLACE, {})
    memory.keep("one:1", "bob", {**PLACE, "identity": "idbob", "rooms": ["#dev"]}, {})
    assert memory.find("one:1", "ada") == PLACE
    assert memory.find("one:1", "bob")["rooms"] == ["#dev"]
    assert memory.find("two:2", "ada") == memory.find("one:1", "eve") == {}


def test_one_person_has_one_place_under_all_names(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep("one:1", "ada", PLACE, {})
    memory.keep("one:1", "eve", {**PLACE, "identity": "ideve"}, {})
    memory.keep("one:1", "lovelace", {**PLACE, "rooms": ["#dev"]}, {})
    assert [memory.find("one:1", name)["rooms"] for name in ("ada", "lovelace", "eve")] == [["#dev"], ["#dev"], []]


def test_what_was_kept_when_large_letters_made_another_server_is_found(tmp_path: Path) -> None:
    known = {"name": "ada", "places": {"ada": PLACE, "lovelace": PLACE, "eve": {**PLACE, "identity": "ideve"}}}
    (tmp_path / FILE).write_text(json.dumps({"One:1": known, "two:2": {"name": "bob", "places": {}}}))
    memory = Memory(tmp_path)
    assert memory.servers() == [Known("two:2", "bob", answered=False), Known("one:1", "ada")]
    assert memory.find("one:1", "ada") == PLACE
    memory.keep("one:1", "ada", {**PLACE, "rooms": ["#dev"]}, PLACE)
    assert memory.servers() == [Known("one:1", "ada"), Known("two:2", "bob", answered=False)]
    assert [memory.find("one:1", name)["rooms"] for name in ("ada", "lovelace", "eve")] == [["#dev"], ["#dev"], []]


def test_localhost_is_no_other_server(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep("127.0.0.1:1", "ada", PLACE, {})
    assert memory.find("localhost:1", "ada") == PLACE
    memory.keep("localhost:1", "ada", {**PLACE, "rooms": ["#dev"]}, PLACE)
    assert memory.servers() == [Known("localhost:1", "ada")]
    assert memory.find("127.0.0.1:1", "ada")["rooms"] == ["#dev"]


def test_the_servers_that_were_used_last_are_remembered(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    for number in (*range(1, 60), 12):
        memory.keep(f"host:{number}", "ada", PLACE, {})
    servers = [known.server for known in memory.servers()]
    assert servers == ["host:12", *(f"host:{number}" for number in range(59, 9, -1) if number != 12)]
    assert len(servers) == 50


def test_a_place_under_several_names_is_written_once(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep("one:1", "ada", PLACE, {})
    once = (tmp_path / FILE).stat().st_size
    for name in ("lovelace", "countess", "byron"):
        memory.keep("one:1", name, PLACE, {})
    assert (tmp_path / FILE).stat().st_size < once + 100
    assert all(memory.find("one:1", name) == PLACE for name in ("ada", "lovelace", "countess", "byron"))
    assert memory.servers() == [Known("one:1", "byron")]


def test_who_is_somebody_else_by_one_name_is_who_they_were_by_the_others(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    for name in ("ada", "lovelace", "countess"):
        memory.keep("one:1", name, PLACE, {})
    other = {**PLACE, "identity": "idother", "rooms": ["#dev"]}
    memory.keep("one:1", "ada", other, {})
    assert [memory.find("one:1", name) for name in ("ada", "lovelace", "countess")] == [other, PLACE, PLACE]


def test_a_file_with_a_copy_for_each_name_is_read_and_gets_small(tmp_path: Path) -> None:
    """As it was written once, with all that was ever sent."""
    much = {**PLACE, "sent": [str(number) + "x" * 10_000 for number in range(50)]}
    known = {"name": "ada", "places": {"ada": much, "lovelace": much}}
    (tmp_path / FILE).write_text(json.dumps({"one:1": known, "two:2": known}, indent=1))
    memory = Memory(tmp_path)
    assert memory.find("two:2", "lovelace") == much
    memory.keep("one:1", "ada", {**PLACE, "rooms": ["#dev"]}, {})
    assert (tmp_path / FILE).stat().st_size < 100_000
    assert memory.find("one:1", "lovelace")["rooms"] == ["#dev"]
    assert memory.find("two:2", "lovelace") == {**much, "sent": much["sent"][-4:]}


def test_what_another_client_stored_meanwhile_is_left_alone(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep("one:1", "ada", PLACE, {})
    memory.keep("one:1", "ada", {**PLACE, "sent": ["hello"]}, PLACE)
    memory.keep("one:1", "ada", {**PLACE, "cursor": 7}, PLACE)
    assert memory.find("one:1", "ada") == {**PLACE, "sent": ["hello"], "cursor": 7}


def test_what_did_not_change_is_not_written(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep("one:1", "ada", PLACE, {})
    before = (tmp_path / FILE).stat().st_ino
    memory.keep("one:1", "ada", dict(PLACE), {})
    assert (tmp_path / FILE).stat().st_ino == before
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_a_file_that_a_power_cut_left_empty_is_none(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    memory = Memory(tmp_path)
    assert memory.find("one:1", "ada") == {}
    memory.keep("one:1", "ada", PLACE, {})
    assert memory.find("one:1", "ada") == PLACE


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"one:1": 1}',
        '{"one:1": {"name": "ada", "places": {"ada": {}}}}',
        '{"one:1": {"name": "ada", "places": {"ada": "eve"}}}',
        '{"one:1": {"name": "ada", "places": {"ada": "ada"}}}',
        '{"no server": {"name": "ada", "places": {}}}',
    ],
)
def test_what_is_damaged_is_said_and_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(MemoryUnusable, match="is damaged: repair it, or move it away"):
        Memory(tmp_path).keep("one:1", "ada", PLACE, {})
    assert (tmp_path / FILE).read_text() == content
