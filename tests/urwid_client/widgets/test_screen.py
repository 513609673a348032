from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from urwid import calc_width

from common.text import clean_line
from tests.support.groups import rounds
from urwid_client import rendering
from urwid_client.buffers import Buffer, Kind, Said
from urwid_client.editing import Draft
from urwid_client.keys import KeyMap
from urwid_client.widgets.overlays import Help
from urwid_client.widgets.screen import Panes, Screen, Side, panes


def screen(*people: str) -> Screen:
    lobby, dev, server = Buffer(Kind.ROOM, "#lobby"), Buffer(Kind.ROOM, "#dev"), Buffer(Kind.SERVER, "server")
    lobby.set_people(people, len(people))
    lobby.add(Said((1, 0), 0, "bob", "hello there", own=False))
    dev.unread = 3
    server.number, lobby.number, dev.number = 1, 2, 3
    shown = Screen(lobby)
    shown.buffers = [server, lobby, dev]
    shown.heading = [("title", "#lobby"), ("faint", "  2 people")]
    shown.help_hint = "F1 help"
    shown.status = [("good", "● "), ("name1", "ada")]
    shown.input.show(("prompt", "> "), Draft("what I write", 12))
    return shown


def rows(shown: Screen, cols: int = 80, height: int = 24) -> list[str]:
    return [row.decode().rstrip() for row in shown.render((cols, height)).text]


def test_everything_has_its_place() -> None:
    shown = rows(screen("ada", "bob"))
    assert shown[0].startswith(" #lobby  2 people")
    assert shown[0].endswith("F1 help")
    assert shown[1].startswith(" 3 #dev    3 │")
    assert shown[2].startswith(" 1 server")
    assert shown[1].endswith("│ ada")
    assert "hello there" in shown[-3]
    assert shown[-2].startswith("── ● ada ──")
    assert shown[-1] == "> what I write"


def test_a_status_without_room_ends_with_a_sign_that_there_is_more() -> None:
    shown = screen("ada")
    shown.status = [("bad", "○ not connected"), ("text", ": connection refused")]
    assert rows(shown, cols=38)[-2] == "── ○ not connected: connection refused"
    assert rows(shown, cols=37)[-2] == "── ○ not connected: connection refus…"


def test_the_status_has_more_words_where_there_is_room_for_all_that_stands_in_it() -> None:
    shown = screen("ada")
    shown.full_status = [*shown.status, ("faint", " on host:1")]
    assert rows(shown, cols=60)[-2].startswith("── ● ada on host:1 ──")
    shown.typing = [("faint", "  bob is typing")]
    assert rows(shown, cols=33)[-2] == "── ● ada on host:1  bob is typing"
    assert rows(shown, cols=32)[-2].startswith("── ● ada  bob is typing ──")


def test_the_lists_give_way_to_the_messages() -> None:
    assert panes(80, True, True) == Panes(13, 11)
    assert panes(79, True, True).people == 0
    assert panes(59, True, True) == Panes(0, 0)
    assert panes(80, False, False) == Panes(0, 0)
    assert "│" not in "".join(rows(screen("ada"), cols=40, height=10))
    assert "hello there" in "".join(rows(screen("ada"), cols=40, height=10))


def test_between_a_name_and_what_is_unread_there_is_room() -> None:
    shown = screen("ada")
    shown.buffers[2].title, shown.buffers[2].unread = "builder", 1
    for cols in range(60, 120):
        assert "builder1" not in rows(shown, cols)[1]


def test_what_is_not_wanted_is_not_shown() -> None:
    shown = screen("ada", "bob")
    rows(shown)
    shown.toggle(Side.CONVERSATIONS)
    shown.toggle(Side.PEOPLE)
    assert not any("│" in row for row in rows(shown))


def test_the_input_is_the_last_to_go() -> None:
    shown = screen("ada")
    assert rows(shown, height=1) == ["> what I write"]
    assert "hello there" in rows(shown, height=2)[0]
    assert [row[:4] for row in rows(shown, height=3)[1:]] == ["── ●", "> wh"]


def test_an_overlay_covers_lists_and_messages() -> None:
    shown = screen("ada")
    shown.overlay = Help(KeyMap({}))
    text = "\n".join(rows(shown))
    assert "Commands" in text
    assert "hello there" not in text
    assert text.endswith("> what I write")


def test_what_waits_elsewhere_is_told_without_the_list() -> None:
    shown = screen("ada")
    shown.elsewhere = [("unread", "  #dev 3")]
    assert "#dev 3" not in rows(shown)[-2]
    assert "● ada  #dev 3 ──" in rows(shown, cols=50)[-2]
    rows(shown)
    shown.toggle(Side.CONVERSATIONS)
    assert "● ada  #dev 3 ──" in rows(shown)[-2]


def test_what_waits_elsewhere_is_told_where_the_list_does_not_begin_with_it() -> None:
    """The active one is the last one that is listed, and the list is longer than the screen."""
    shown = screen("ada")
    shown.elsewhere = [("unread", "  #dev 3")]
    others = [Buffer(Kind.ROOM, f"#room{number}") for number in range(30)]
    shown.buffers = [*shown.buffers, *others]
    assert "#dev" not in rows(shown)[-2]
    shown.active = others[-1]
    assert rows(shown)[-2].startswith("── ● ada  #dev 3 ──")


def test_a_hint_stands_at_the_right() -> None:
    shown = screen("ada")
    shown.hint = ("unread", "↓ 3 new")
    assert rows(shown)[-2].endswith("─ ↓ 3 new")


def test_the_active_conversation_is_in_view_however_many_there_are() -> None:
    shown = screen("ada")
    shown.buffers = [*shown.buffers, *(Buffer(Kind.ROOM, f"#room{number}") for number in range(60))]
    shown.active = shown.buffers[50]
    assert any("#room47" in row for row in rows(shown)[1:])


def test_a_conversation_is_found_by_its_place() -> None:
    shown = screen("ada")
    rows(shown)
    assert shown.conversation_at(2, 1) is shown.buffers[2]
    assert shown.conversation_at(2, 0) is None
    assert shown.conversation_at(2, 10) is None
    assert shown.conversation_at(40, 3) is None
    rows(shown, cols=40)
    assert shown.conversation_at(2, 3) is None


def test_people_who_do_not_fit_are_counted() -> None:
    shown = rows(screen(*(f"p{number:02}" for number in range(60))))
    assert [row.split()[-1] for row in shown[1:-3]] == [f"p{number:02}" for number in range(20)]
    assert shown[-3].endswith("│ +40 more")


@settings(max_examples=rounds(25, 2_000))
@given(
    st.integers(1, 130),
    st.integers(1, 40),
    st.text(max_size=30).map(clean_line),
    st.text(max_size=30),
    st.booleans(),
)
def test_every_size_is_filled_exactly(cols: int, height: int, words: str, name: str, help_shown: bool) -> None:
    shown = screen("ada", name or "bob", "漢字漢字漢字漢字漢字漢字")
    shown.hint = ("unread", words)
    shown.heading = shown.status = [("text", words)]
    shown.active.title = name
    shown.buffers[2].title = words
    shown.input.show(("prompt", "> "), Draft(words, len(words)))
    shown.overlay = Help(KeyMap({})) if help_shown else None
    canvas = shown.render((cols, height))
    assert (canvas.cols(), canvas.rows()) == (cols, height)
    for row in canvas.content():
        assert sum(calc_width(run[2], 0, len(run[2])) for run in row) == cols


def test_where_there_is_no_room_beside_the_messages_a_list_takes_their_place() -> None:
    shown = screen("ada", "bob")
    narrow = {"cols": 40, "height": 10}
    rows(shown, **narrow)
    shown.toggle(Side.CONVERSATIONS)
    assert rows(shown, **narrow)[1].startswith(" 3 #dev")
    assert shown.conversation_at(30, 1) is shown.buffers[2]
    shown.toggle(Side.PEOPLE)
    assert rows(shown, **narrow)[1:3] == [" ada", " bob"]
    assert shown.conversation_at(30, 1) is None
    shown.toggle(Side.PEOPLE)
    assert "hello there" in "".join(rows(shown, **narrow))
    shown.toggle(Side.CONVERSATIONS)
    rows(shown, **narrow)
    shown.show_messages()
    assert "hello there" in "".join(rows(shown, **narrow))
    shown.toggle(Side.CONVERSATIONS)
    assert "hello there" in "".join(rows(shown))


def test_a_long_topic_is_cut_where_the_screen_ends() -> None:
    shown = screen("ada", "bob")
    shown.heading += [
        ("faint", " — "),
        ("text", "日本語 " * 3),
        (rendering.Link("https://example.org"), "https://example.org" * 9),
    ]
    assert rows(shown)[0] == " #lobby  2 people — 日本語 日本語 日本語 https://example.orghttps://e… F1 help"
    assert rows(shown, cols=30)[0] == " #lobby  2 people — 日本語 日…"
    for cols in range(1, 90):
        assert shown.render((cols, 9)).cols() == cols
