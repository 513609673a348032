from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from urwid_client.editing import Draft
from urwid_client.widgets.input_line import InputLine

PROMPT = ("prompt", "> ")


def shown(draft: Draft, cols: int = 10, most: int = 3) -> tuple[list[str], tuple[int, int] | None]:
    line = InputLine()
    line.show(PROMPT, draft)
    canvas = line.draw(cols, most)
    return [row.decode().rstrip() for row in canvas.text], canvas.cursor


def test_the_cursor_stands_where_one_writes() -> None:
    assert shown(Draft("hello", 5)) == (["> hello"], (7, 0))
    assert shown(Draft("hello", 0)) == (["> hello"], (2, 0))
    assert shown(Draft("", 0)) == ([">"], (2, 0))
    assert shown(Draft("漢字", 1)) == (["> 漢字"], (4, 0))


def test_it_grows_and_then_shows_the_rows_around_the_cursor() -> None:
    assert shown(Draft("one\ntwo", 7)) == (["> one", "two"], (3, 1))
    text = "\n".join("abcdefg")
    assert shown(Draft(text, len(text)))[0] == ["e", "f", "g"]
    assert shown(Draft(text, 0)) == (["> a", "b", "c"], (2, 0))
    rows, cursor = shown(Draft(text, 8))
    assert cursor is not None
    assert rows[cursor[1]] == "e"


def test_emoji_are_drawn_as_the_terminal_can() -> None:
    line = InputLine()
    line.show(PROMPT, Draft("👍🏽", 2))
    assert line.draw(10, 1).text[0].decode().rstrip() == "> 👍"
    line.full_emoji = True
    line.show(PROMPT, Draft("👍🏽", 2))
    assert line.draw(10, 1).text[0].decode().rstrip() == "> 👍🏽"


def test_what_was_pasted_cannot_act() -> None:
    assert shown(Draft("a\x1b[2Jb\tc", 8), cols=30)[0] == ["> a[2Jb    c"]


@given(st.integers(1, 40), st.integers(1, 6), st.text(max_size=60), st.integers(0, 60))
def test_the_cursor_is_in_view(cols: int, most: int, text: str, at: int) -> None:
    rows, cursor = shown(Draft(text, min(at, len(text))), cols, most)
    assert 1 <= len(rows) <= most
    assert cursor is not None
    assert 0 <= cursor[0] < cols
    assert 0 <= cursor[1] < len(rows)
