"""Which names are valid, and which count as the same."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import confusables
from common.errors import Code, Refused
from common.limits import NAME_CHARS, ROOM_CHARS
from common.names import _ASCII_PROTOTYPES, RESERVED, _prototypes, _skeleton, check_name, check_room, differ_enough, fold, looks
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


# --- PRECIS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Ⅷ", id="a compatibility form"),
        pytest.param("ﬁn", id="a ligature"),
        pytest.param("aא", id="two directions of writing"),
        pytest.param("x\u0378", id="a code point that is not assigned"),
        pytest.param("a\u1100", id="an old Hangul letter"),
    ],
)
def test_what_precis_does_not_take(name: str) -> None:
    assert refusal(name) == Code.BAD_NAME


LETTERS = st.text(st.characters(categories=("Lu", "Ll", "Lo", "Lm", "Nd", "Mn", "Mc")), min_size=1, max_size=6)


@given(LETTERS | ANY)
def test_names_that_are_the_same_by_precis_are_the_same_here(name: str) -> None:
    from precis_i18n import get_profile

    if refusal(name) is None:
        assert fold(get_profile("UsernameCaseMapped").enforce(name)) == fold(name)


# --- what looks alike ----------------------------------------------------------------------------------------------------

ALIKE = [
    ("admin", "аdmin"),
    ("root", "rοοt"),
    ("Bob", "Βob"),
    ("bob", "Βob"),
    ("ivan", "Іvan"),
    ("Ivan", "Іvan"),
    ("lvan", "Іvan"),
    ("coco", "сосо"),
    ("mike", "mіke"),
    ("rnike", "mіke"),
    ("scope", "ѕсоре"),
    ("paul", "раul"),
    ("straße", "straβe"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_that_look_alike(one: str, other: str) -> None:
    assert fold(one) != fold(other)
    assert looks(one) & looks(other)
    assert not differ_enough(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("mike", "rnike"), ("Ilse", "lise"), ("a1", "al"), ("a0", "aO"), ("I", "l"), ("1", "l")]
)
def test_names_of_ascii_may_look_alike(one: str, other: str) -> None:
    assert differ_enough(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("jose", "josé"), ("мария", "марія"), ("山田", "山口"), ("Łukasz", "Lukasz"), ("naïve", "naive"), ("ωmega", "omega")],
)
def test_names_that_do_not_look_alike(one: str, other: str) -> None:
    assert not looks(one) & looks(other)


@pytest.mark.parametrize("name", ["аdmin", "rοοt", "ЅERVER", "systеm"])
def test_what_looks_like_a_reserved_name(name: str) -> None:
    assert refusal(name) == Code.NAME_CONFUSABLE


ALPHABET = st.text(st.sampled_from("abIl10Ommrnß βΒοоОІіӏａ|`é\u0301"), max_size=5)


@given(ANY | ALPHABET | LETTERS)
def test_a_skeleton_stays_as_it_is(name: str) -> None:
    """So having the same one is an equivalence: it is a function, and its values stand for themselves."""
    skeleton = _skeleton(name, _prototypes())
    assert _skeleton(skeleton, _prototypes()) == skeleton


@given(ALPHABET | LETTERS)
def test_the_same_name_has_a_look_in_common_however_it_is_written(name: str) -> None:
    assert looks(name) & looks(fold(name))
    assert _skeleton(fold(name), _prototypes()) in looks(name)


@given(st.text(st.characters(max_codepoint=127), max_size=8))
def test_ascii_looks_the_same_without_the_whole_table(name: str) -> None:
    assert _skeleton(name, _ASCII_PROTOTYPES) == _skeleton(name, _prototypes())


def test_the_table_has_what_can_stand_in_a_name() -> None:
    table = _prototypes()
    assert len(table) > 1_500
    assert confusables.VERSION
    for code, shown in table.items():
        assert code in _ASCII_PROTOTYPES or unicodedata.category(chr(code))[0] in "LNM"
        assert _skeleton(shown, table) == _skeleton(chr(code), table)


def test_who_has_an_ascii_name_loads_no_tables() -> None:
    code = "import sys; from common.names import *; check_name('Mike_2'); check_room('#dev'); looks('mike'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"common.confusables", "precis_i18n"} & set(loaded)
