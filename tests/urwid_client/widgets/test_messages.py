from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.groups import rounds
from tests.support.timeouts import seconds
from urwid_client import rendering
from urwid_client.buffers import Buffer, Kind, Said
from urwid_client.widgets.messages import MessageList, columns

NOON = 1_782_907_200_000


def said(number: int, text: str = "", sender: str = "bob") -> Said:
    return Said((number, 0), NOON + number * 60_000, sender, text or f"text {number}", own=False)


def room(count: int, first: int = 1) -> Buffer:
    buffer = Buffer(Kind.ROOM, "#dev")
    for number in range(first, first + count):
        buffer.add(said(number))
    return buffer


def rows(view: MessageList, cols: int = 60, height: int = 5) -> list[str]:
    return [row.decode().rstrip() for row in view.draw(cols, height).text]


def texts(view: MessageList, height: int = 5) -> list[str]:
    """What the rows of messages say, without the time and the name."""
    return [row[row.find("text") :] if "text" in row else row.strip() for row in rows(view, height=height)]


def test_of_what_was_drawn_the_oldest_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urwid_client.widgets.messages._CANVASES_KEPT", 7)
    view = MessageList(room(50))
    for _ in range(10):
        rows(view)
        view.page(1)
    assert len(view._kept) == 7
    assert texts(view) == [f"text {number}" for number in range(16, 21)]
    kept = list(view._kept)
    view.scroll(1)
    rows(view)
    assert list(view._kept)[:6] == kept[1:]


def test_a_line_of_code_without_room_is_marked_where_it_goes_on() -> None:
    code = "\n".join(["if ready:", "    " + "x" * 60, "漢" * 30, "", "done()"])
    buffer = Buffer(Kind.ROOM, "#dev")
    buffer.add(said(1, f"look:\n```\n{code}\n```\nand {'text ' * 20}"))
    shown = [row[15:] for row in rows(MessageList(buffer), cols=60, height=14)]
    shown = shown[shown.index("look:") :]
    assert shown[:8] == ["look:", "if ready:", "    " + "x" * 41, "↳ " + "x" * 19, "漢" * 22, "↳ " + "漢" * 8, "", "done()"]
    assert not [row for row in shown[8:] if "↳" in row], "text is not code"


def test_a_line_of_code_stands_behind_a_name_that_has_no_column() -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    buffer.add(said(1, f"```\n{'x' * 40}\n```"))
    assert rows(MessageList(buffer), cols=30, height=3)[1:] == ["12:01 bob " + "x" * 20, "      ↳ " + "x" * 20]


def test_time_name_and_text_have_their_columns() -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    buffer.add(said(1, "a text that is too long for one row of this list, and goes on below itself"))
    day, first, second = (row for row in rows(MessageList(buffer), cols=60, height=3))
    assert day.strip().startswith("── ")
    assert first[5] == " "
    assert first[6:14].strip() == "bob"
    assert first[15:].startswith("a text")
    assert second[:15].strip() == ""


def test_narrow_lists_put_the_name_before_the_text() -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    buffer.add(said(1, "hello"))
    assert rows(MessageList(buffer), cols=30, height=1)[0][6:] == "bob hello"
    assert rows(MessageList(buffer), cols=12, height=1) == ["bob hello"]
    assert columns(10) == (0, 0)
    assert columns(200).name == 16


def test_few_messages_stand_at_the_bottom() -> None:
    view = MessageList(room(1))
    assert rows(view)[:3] == ["", "", ""]
    assert texts(view)[-1] == "text 1"


def test_the_end_is_followed_until_one_scrolls_up() -> None:
    buffer = room(50)
    view = MessageList(buffer)
    assert "text 50" in rows(view)[-1]
    view.page(1)
    before = rows(view)
    for number in range(51, 54):
        buffer.add(said(number))
    assert rows(view) == before
    assert (view.at_end, view.newer()) == (False, 3)
    view.to_end()
    assert "text 53" in rows(view)[-1]
    assert (view.at_end, view.newer()) == (True, 0)


def test_what_was_seen_and_what_one_said_oneself_is_not_new() -> None:
    buffer = room(50, first=100)
    view = MessageList(buffer)
    rows(view)
    view.page(1)
    for number in range(1, 20):
        buffer.add(said(number))
    buffer.add(said(150)._replace(own=True))
    assert view.newer() == 0
    buffer.add(said(151))
    assert view.newer() == 1
    view.page(-1)
    view.page(-1)
    assert view.at_end
    rows(view)
    view.page(1)
    assert (view.at_end, view.newer()) == (False, 0)


def monologue(count: int = 40) -> Buffer:
    """One person, who says so much within a minute that the list groups it under one name."""
    buffer = Buffer(Kind.ROOM, "#dev")
    for number in range(1, count + 1):
        buffer.add(Said((number, 0), NOON, "bob", f"text {number}\nand its second row {number}", own=False))
    return buffer


@pytest.mark.parametrize("up", [0, 1, 2, 3, 4, 5])
def test_the_top_of_the_view_says_who_speaks_and_when(up: int) -> None:
    view = MessageList(monologue())
    rows(view)
    view.scroll(up)
    shown = rows(view)
    at = f"{rendering.local(NOON):%H:%M}"
    assert shown[0][:14].split() == [at, "bob"]
    assert shown[0][15:].startswith(("text", "and its second row"))
    assert [row[:14].strip() for row in shown[1:]] == [""] * 4


def test_without_a_column_for_names_a_row_is_given_to_it() -> None:
    view = MessageList(monologue())
    before = rows(view, cols=30)
    assert before[0].endswith("bob …")
    view.page(1)
    assert before[1] in rows(view, cols=30)[-2:]  # what the name stood on is seen when one scrolls


def test_one_goes_from_mention_to_mention() -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    for number in range(1, 61):
        buffer.add(said(number)._replace(mentioned="ada" if number in (10, 30, 58) else ""))
    view = MessageList(buffer)
    rows(view)
    found = []
    for by in (-1, -1, -1, -1, 1, 1, 1):
        view.to_mention(by)
        found.append(texts(view)[2])
    assert found == [f"text {number}" for number in (58, 30, 10, 10, 30, 58, 58)]
    view.to_end()
    rows(view)
    view.to_mention(1)
    assert view.at_end


def styles(view: MessageList, word: str) -> set[object]:
    """The styles in which a word stands in the rows."""
    found = set()
    for row in view.draw(60, 5).content():
        found |= {style for style, _, text in row if word in text.decode()}
    return found


def test_one_goes_from_hit_to_hit_and_sees_where_they_are() -> None:
    view = MessageList(room(60))
    rows(view)
    found = []
    for query, by in (("5", 0), ("55", 0), ("TEXT 5", -1), ("5", 1), ("text 5", 1), ("7", -1), ("nothing", -1)):
        assert view.seek(query, by) == (query != "nothing")
        assert view._pointed is not None
        found.append(view._pointed[0])
        assert f"text {found[-1]}" in texts(view)
    assert found == [59, 55, 54, 55, 56, 47, 47]
    view.mark("text")
    assert styles(view, "text") == {"found", "hit"}
    assert styles(view, " 47") == styles(view, " 48") == {"text"}
    view.mark("47")
    assert styles(view, "47") == {"hit"}
    view.mark("")
    assert styles(view, "text") == {"text"}


def test_another_search_begins_at_what_is_in_view() -> None:
    view = MessageList(room(60))
    rows(view)
    assert view.seek("text 10", 0)
    view.mark("")
    view.scroll(-1_000)
    rows(view)
    assert view.seek("text", 0)
    assert "text 60" in texts(view)


def test_one_goes_to_the_first_unread() -> None:
    buffer = room(60)
    view = MessageList(buffer)
    rows(view)
    view.to_unread()
    assert view.at_end
    buffer.unread_from = (20, -1)
    view.to_unread()
    shown = rows(view)
    assert shown[0].strip() == "── new ──"
    assert "text 20" in shown[1]


def test_emoji_are_drawn_as_the_terminal_can() -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    buffer.add(said(1, "👍🏽"))
    view = MessageList(buffer)
    assert rows(view)[-1].endswith("👍")
    view.full_emoji = True
    assert rows(view)[-1].endswith("👍🏽")


def test_two_rows_stay_in_view_from_page_to_page() -> None:
    view = MessageList(room(50))
    lower = texts(view)
    view.page(1)
    assert texts(view)[-2:] == lower[:2]
    view.page(-1)
    assert texts(view) == lower


def test_earlier_messages_are_wanted_near_the_top_and_do_not_move_the_view() -> None:
    buffer = room(60, first=100)
    view = MessageList(buffer)
    rows(view)
    wanted = [view.wants_older]
    view.to_start()
    before = texts(view)
    wanted.append(view.wants_older)
    for number in range(40, 100):
        buffer.add(said(number))
    assert texts(view)[1:] == before[1:]  # the first may have lost the rule of its day
    wanted.append(view.wants_older)
    assert wanted == [False, True, False]


def test_earlier_messages_are_wanted_also_where_much_that_is_no_message_stands_above() -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    for number in range(60):
        buffer.note(str(number), 0, after=0)
    view = MessageList(buffer)
    rows(view)
    assert view.wants_older
    buffer.older_exist = False
    assert not view.wants_older


def test_an_empty_list_wants_earlier_messages() -> None:
    view = MessageList(Buffer(Kind.ROOM, "#dev"))
    assert rows(view) == [""] * 5
    assert view.wants_older


def test_what_the_user_cleared_comes_back_by_scrolling_up_only() -> None:
    buffer = room(3)
    view = MessageList(buffer)
    buffer.clear(by_user=True)
    rows(view)
    wanted = [view.wants_older]
    view.page(1)
    wanted.append(view.wants_older)
    assert wanted == [False, True]


def test_another_width_keeps_the_message_at_the_edge() -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    for number in range(30):
        buffer.add(said(number, f"word {number} " + "and more " * 9))
    view = MessageList(buffer)
    rows(view, cols=70)
    view.page(1)
    numbers = [row.split("word ")[1].split()[0] for row in rows(view, cols=70) if "word " in row]
    assert f"word {numbers[-1]}" in " ".join(rows(view, cols=46))
    assert f"word {int(numbers[-1]) + 1}" not in " ".join(rows(view, cols=46))


@pytest.mark.parametrize("text", ["x" * 16_000, "a\n" * 8_000, "漢字" * 2_000, "\u0301" * 500, "👩🏽\u200d🚀" * 300])
def test_monsters_are_drawn_in_no_time(text: str) -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    buffer.add(said(1, text))
    view = MessageList(buffer)
    began = time.perf_counter()
    for cols in (60, 1):
        assert len(rows(view, cols=cols)) == 5
    assert time.perf_counter() - began < seconds(2)


@settings(max_examples=rounds(30, 2_000))
@given(st.integers(1, 90), st.integers(1, 30), st.lists(st.text(max_size=40), max_size=8), st.integers(-3, 3))
def test_every_size_is_filled_exactly(cols: int, height: int, words: list[str], move: int) -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    for number, text in enumerate(words):
        buffer.add(said(number, text, sender=text))
    buffer.note("a note", NOON, after=3)
    buffer.add_pending(1, "ada", "pending", NOON)
    view = MessageList(buffer)
    view.page(move)
    canvas = view.draw(cols, height)
    assert (canvas.cols(), canvas.rows()) == (cols, height)
    view.page(move)
    canvas = view.draw(cols, height)
    assert (canvas.cols(), canvas.rows()) == (cols, height)
