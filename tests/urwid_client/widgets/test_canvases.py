from __future__ import annotations

import urwid

from urwid_client.widgets import canvases


def rows(canvas: urwid.Canvas) -> list[str]:
    return [row.decode() for row in canvas.text]


def test_text_is_cut_or_broken() -> None:
    assert rows(canvases.text([("text", "one two")], 5)) == ["one …"]
    assert rows(canvases.text([("text", "one two")], 5, wrap="space")) == ["one  ", "two  "]
    assert rows(canvases.text([], 3)) == ["   "]
    assert rows(canvases.text([("text", "")], 3)) == ["   "]
    assert rows(canvases.text([("a", "x"), ("b", "y")], 3, align="right")) == [" xy"]


def test_a_column_is_filled_or_cut() -> None:
    lines = [canvases.text([("text", word)], 3) for word in ("one", "two", "six")]
    assert rows(canvases.column(lines, 3, 2)) == ["one", "two"]
    assert rows(canvases.column(lines, 3, 4)) == ["one", "two", "six", "   "]
    assert rows(canvases.column(lines, 3, 4, bottom=True)) == ["   ", "one", "two", "six"]
    assert rows(canvases.column([], 2, 2)) == ["  ", "  "]


def test_things_stand_beside_each_other_and_have_one_style() -> None:
    left, right = canvases.text([("text", "ab")], 2), canvases.text([("text", "c")], 1)
    joined = canvases.beside([(left, 3), (right, 1)])
    assert rows(joined) == ["ab c"]
    border = canvases.styled(urwid.SolidCanvas("│", 1, 2), "border")
    assert [run for row in border.content() for run in row] == [("border", None, "│".encode())] * 2
