from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urwid_client.markup import Piece, links, pieces


def looks(text: str) -> list[tuple[str, str]]:
    return [(piece.style, piece.text) for piece in pieces(text) if piece.style != "text"]


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("*bold* and _italic_", [("strong", "*bold*"), ("emphasis", "_italic_")]),
        ("(*two words*)", [("strong", "*two words*")]),
        ("2*3*4 and snake_case_name", []),
        ("* a list * of", []),
        ("** and __ and *", []),
        ("`x*y*z` *b*", [("code", "`x*y*z`"), ("strong", "*b*")]),
        ("_*both*_", [("emphasis", "_*both*_")]),
        ("*not\nover lines*", []),
        ("/etc/_hidden_/x", [("emphasis", "_hidden_")]),
    ],
)
def test_marks(text: str, marked: list[tuple[str, str]]) -> None:
    assert looks(text) == marked


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://a.example/b?c=d#e, please", ["https://a.example/b?c=d#e"]),
        ("(http://a.example/b_(c))", ["http://a.example/b_(c)"]),
        ("<https://a.example>", ["https://a.example"]),
        ("https://a.example/*b*_c_", ["https://a.example/*b*_c_"]),
        ("`https://a.example`", []),
        ("ftp://a.example javascript:alert(1)", []),
        ("https://ü.example", []),
        ("https://" + "x" * 3_000, []),
        ("https://one https://two", ["https://one", "https://two"]),
    ],
)
def test_links(text: str, found: list[str]) -> None:
    assert links(text) == found


def test_fences_are_code_without_their_lines() -> None:
    assert [*pieces("so:\n```python\nx = *1*\ny\n```\nthere")] == [
        Piece("text", "so:"),
        Piece("code block", "\nx = *1*\ny\n"),
        Piece("text", "there"),
    ]
    assert [*pieces("```\nalone\n```")] == [Piece("code block", "alone")]
    assert [*pieces("```\nnever closed")] == [Piece("code block", "never closed")]


@given(st.text(alphabet="ab *_`/:.\n(" + "h", max_size=60))
def test_nothing_is_lost(text: str) -> None:
    if "```" not in text:
        assert "".join(piece.text for piece in pieces(text)) == text


def test_long_texts_are_no_trouble() -> None:
    for text in ("*a" * 8_000, "_" * 16_000, "`" * 16_000, "https://" * 2_000, "```\n" * 4_000):
        assert [*pieces(text)]
