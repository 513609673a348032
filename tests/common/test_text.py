"""Nothing of a cleaned text can act on a terminal, and cleaning twice is cleaning once."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.text import BLANKS, clean, clean_line, is_blank

ANY = st.text(st.characters() | st.sampled_from("\x1b\x07\x08\r\n\t\x9b\x85\u200b\u200d\u202e\u2028\u2066\ufeff\ud800\ufe0f"))


@given(ANY)
@example("\r\r\n\n")
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert clean_line(clean_line(text)) == clean_line(text)


@given(ANY)
def test_no_control_character_is_left(text: str) -> None:
    assert not [char for char in clean(text) if unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n"]
    assert not [char for char in clean_line(text) if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")]


@given(ANY)
def test_nothing_that_reorders_a_line_is_left(text: str) -> None:
    overriding = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not [char for char in clean(text) if unicodedata.bidirectional(char) in overriding]


@given(ANY)
def test_cleaning_takes_away_and_adds_nothing_but_line_ends(text: str) -> None:
    rest = iter(text)
    assert all(char == "\n" or char in rest for char in clean(text))


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]) | st.sampled_from("\n\t")))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@given(ANY)
def test_a_line_is_one_line_without_spaces_at_its_ends(text: str) -> None:
    line = clean_line(text)
    assert line == " ".join(line.split())


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b]0;pwn\x07", "]0;pwn"),
        ("\x1b[2J", "[2J"),
        ("\x1b]52;c;cHdu\x07", "]52;c;cHdu"),
        ("\x9b31m", "31m"),
        ("good\rEVIL", "good\nEVIL"),
        ("one\r\ntwo\x85three\u2028four\u2029five\x0bsix\x0cseven", "one\ntwo\nthree\nfour\nfive\nsix\nseven"),
        ("abc\b\b\bxyz\x7f", "abcxyz"),
        ("nul\0", "nul"),
        ("user\u202egpj.exe", "usergpj.exe"),
        ("a\u200bd\u00adm\u2060in\ufeff", "admin"),
        ("tag\U000e0041\U000e007f", "tag"),
        ("half \ud83d emoji", "half  emoji"),
        ("family \U0001f468\u200d\U0001f469\u200d\U0001f467 and heart \u2764\ufe0f", None),
        ("می\u200cخواهم", None),
        ("tab\tand\nline", None),
    ],
)
def test_examples(text: str, cleaned: str | None) -> None:
    assert clean(text) == (text if cleaned is None else cleaned)


def test_a_line_of_many() -> None:
    assert clean_line(" one\r\n\ttwo \u2028 three\x1b ") == "one two three"


UNSEEN = {
    "white space": ["", " ", "\n\t ", "\xa0\u2003\u3000"],
    "blank letters": ["\u3164", "\u115f\u1160", "\uffa0 \n", "\U00013441\U00013442"],
    "blank symbols": ["\u2800\u2800", "\U0001d159"],
    "marks on nothing": ["\u0301", "\u0301\u20e3", "\u093e", "\ufe0f", "\u034f", "\u17b4", "\U000e0100"],
    "controls": ["\u200d", "\u180e", "\u200b\u2060\x00\x1b"],
    "all of these": [" \u3164\u0301\u2800\ufe0f\u200d\n" * 100],
}
SEEN = {
    "ascii": ["a", " . ", "0"],
    "beside what is not": ["\u3164x", "\u2800\n\u2801", "\u200d."],
    "with marks": ["e\u0301", "\u0915\u093e", "\u1100\u1161"],
    "emoji": ["\u2764\ufe0f", "1\ufe0f\u20e3", "\U0001f468\u200d\U0001f469"],
    "not known": ["\ue000", "\U0001fbff"],
}


@pytest.mark.parametrize("texts", UNSEEN.values(), ids=UNSEEN)
def test_of_some_texts_nothing_is_seen(texts: list[str]) -> None:
    for text in texts:
        assert is_blank(text)
        assert is_blank(clean(text))


@pytest.mark.parametrize("texts", SEEN.values(), ids=SEEN)
def test_of_others_something_is(texts: list[str]) -> None:
    for text in texts:
        assert not is_blank(text)


def test_the_list_has_only_what_the_categories_do_not_tell() -> None:
    assert {unicodedata.category(char) for char in BLANKS} <= {"Lo", "So", "Cn"}  # Cn: newer than this Python


@given(st.characters(categories=["L", "N", "P", "S"], exclude_characters=BLANKS), st.text(), st.text())
def test_any_letter_or_sign_is_seen_wherever_it_stands(char: str, before: str, behind: str) -> None:
    assert not is_blank(before + char + behind)
