"""Nothing of a cleaned text can act on a terminal, and cleaning twice is cleaning once."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.text import clean, clean_line

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
