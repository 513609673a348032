"""Which names are valid, and which count as the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Code, Refused
from common.limits import NAME_CHARS, ROOM_CHARS
from common.names import RESERVED, check_name, check_room, fold
from common.text import BLANKS, clean_line

ANY = st.text(st.characters() | st.sampled_from("adminADMIN-_.\u200b\u0301\u0345ſßİ"), max_size=8)


def refusal(name: str) -> Code | None:
    try:
        check_name(name)
    except Refused as refused:
        return refused.code
    return None


@given(ANY)
def test_folding_twice_is_folding_once(name: str) -> None:
    assert fold(fold(name)) == fold(name)


@given(ANY)
def test_case_is_no_difference(name: str) -> None:
    assert fold(name.lower()) == fold(name.casefold())


@given(ANY)
def test_a_valid_name_is_clean_and_cannot_be_taken_for_anything_else(name: str) -> None:
    if refusal(name) is None:
        assert clean_line(name) == name
        assert not name.startswith(("#", "/", "@", "*", "-"))
        assert fold(name) not in RESERVED
        assert refusal(fold(name)) is None or len(fold(name)) > NAME_CHARS


@given(ANY)
def test_rooms_are_valid_where_names_are(name: str) -> None:
    if refusal(name) == Code.BAD_NAME:
        with pytest.raises(Refused) as refused:
            check_room("#" + name)
        assert refused.value.code == Code.BAD_ROOM
    else:
        assert check_room("#" + name) == "#" + name


LATIN = ["ada", "Ada", "x", "7of9", "_", "mike-2", "O`Neil", "bot]", "josé", "Łukasz", "ẹ́kọ́", "a" * NAME_CHARS]
OTHER_SCRIPTS = ["Ωmega", "мария", "山田", "हिन्दी", "สมชาย์", "عَلِي"]


@pytest.mark.parametrize("name", LATIN + OTHER_SCRIPTS)
def test_valid_names(name: str) -> None:
    assert check_name(name) == name


BLANK = ["", " ", " ada", "ada ", "a da", "a\tb", "a\nb", "ada\n", "a\0b", "a\u00a0b"]
OF_A_COMMAND = ["*", "#room", "@everyone", "/quit", "-rf", ".", "..", "a~b", "a,b", "a:b"]
INVISIBLE = [*BLANKS, "adm\u200bin", "\u202eada", "ada\ufe0f", "a\u115fb", "a\U00013441b", "ada\u034f"]
ELSE = ["a" * (NAME_CHARS + 1), "jose\u0301", "\u0301x", "\ud800", "\U0001f600", "a\u20dd"]


@pytest.mark.parametrize("name", BLANK + OF_A_COMMAND + INVISIBLE + ELSE)
def test_bad_names(name: str) -> None:
    assert refusal(name) == Code.BAD_NAME


@pytest.mark.parametrize("name", ["admin", "ADMIN", "Admin", "ａｄｍｉｎ", "server", "broker", "System", "rooT"])
def test_reserved_names(name: str) -> None:
    assert refusal(name) == Code.RESERVED_NAME


@pytest.mark.parametrize(("one", "other"), [("ada", "ADA"), ("ada", "ａｄａ"), ("straße", "STRASSE"), ("ſam", "sam")])
def test_the_same_name(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize("room", ["dev", "#", "# dev", "##dev", "#a b", "#\n", "#" + "a" * ROOM_CHARS, "#a~b", "a#b"])
def test_bad_rooms(room: str) -> None:
    with pytest.raises(Refused) as refused:
        check_room(room)
    assert refused.value.code == Code.BAD_ROOM


def test_the_longest_room() -> None:
    room = "#" + "a" * (ROOM_CHARS - 1)
    assert check_room(room) == room
