from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.groups import rounds
from urwid_client import commands, keys, rendering
from urwid_client.welcome import Welcome
from urwid_client.widgets.overlays import Help, Page


def rows(overlay: Help | Page, cols: int, height: int) -> list[str]:
    return [row.decode().rstrip() for row in overlay.draw(cols, height).text]


def test_the_help_names_every_key_and_command() -> None:
    text = " ".join(" ".join(rows(Help(keys.KeyMap({})), 200, 200)).split())
    for bindings in keys.SECTIONS.values():
        for binding in bindings:
            assert binding.help in text
    for command in commands.COMMANDS:
        assert f"{command.usage} {commands.help_of(command)}" in text


def test_nothing_in_the_help_stands_at_the_edge() -> None:
    assert all(row.startswith(" ") for row in rows(Help(keys.KeyMap({})), 60, 200) if row)


def test_the_help_is_scrolled_to_its_end_and_back() -> None:
    shown = Help(keys.KeyMap({}))
    whole = rows(Help(keys.KeyMap({})), 80, 200)
    whole = whole[: max(index for index, row in enumerate(whole) if row) + 1]
    assert rows(shown, 80, 20) == whole[:20]
    shown.page(-1)
    assert rows(shown, 80, 20) == whole[18:38]
    shown.scroll(3)
    assert rows(shown, 80, 20) == whole[15:35]
    shown.page(-100)
    assert rows(shown, 80, 20) == whole[-20:]
    shown.page(100)
    assert rows(shown, 80, 20) == whole[:20]


def test_the_question_for_a_name_stands_in_the_middle() -> None:
    welcome = Page()
    welcome.lines = rendering.welcome(Welcome(problem="The name ada is taken. Pick another one."), keys.KeyMap({}))
    shown = rows(welcome, 60, 20)
    assert shown[0] == shown[-1] == ""
    assert any(row.strip() == "The name ada is taken. Pick another one." for row in shown)


@settings(max_examples=rounds(10, 500))
@given(st.integers(1, 60), st.integers(1, 30))
def test_every_size_is_filled_exactly(cols: int, height: int) -> None:
    welcome = Page()
    welcome.lines = rendering.welcome(Welcome(problem="a problem"), keys.KeyMap({}))
    for overlay in (Help(keys.KeyMap({})), welcome):
        canvas = overlay.draw(cols, height)
        assert (canvas.cols(), canvas.rows()) == (cols, height)


def test_where_there_is_little_room_the_question_stays() -> None:
    page = Page()
    asked = Welcome(server="127.0.0.1:65432", fingerprint="SHA256:" + "A" * 43)
    page.lines = rendering.welcome(asked, keys.KeyMap({}))
    shown = rows(page, 40, 7)
    assert "".join(line.strip() for line in shown).count("A") >= 43
    assert shown[0].strip() == "127.0.0.1:65432 is not known here yet"
    assert shown[-1].strip() == "No asks for another server."
    assert "Enter goes on" in rows(page, 80, 6)[-1]
    asked.answer()
    page.lines = rendering.welcome(asked, keys.KeyMap({}))
    assert "neither yes nor no" in " ".join(rows(page, 40, 7))
    assert rows(page, 40, 1)[0].strip() == "server."
