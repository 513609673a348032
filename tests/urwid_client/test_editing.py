from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urwid_client.editing import Draft, Editor, InputHistory
from urwid_client.keys import Action

EDITS = [action.value for action in Action if hasattr(Editor, action.value)]
TEXTS = st.text(st.sampled_from("ab \n.é\u0301\u200d👩🏽🚀#"), max_size=12)


def editor(text: str, at: int | None = None) -> Editor:
    """`at` counts from the start; the end if it is not given."""
    new = Editor()
    new.load(Draft(text, len(text) if at is None else at))
    return new


def marked(edited: Editor) -> str:
    """The text with the cursor shown as |."""
    return edited.text[: edited.cursor] + "|" + edited.text[edited.cursor :]


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("one two|", "kill_word_back", "one |"),
        ("one two  |", "kill_word_back", "one |"),
        ("one\ntwo|", "kill_word_back", "one\n|"),
        ("  |", "kill_word_back", "|"),
        ("see a.b-c|", "kill_word_back", "see |"),
        ("see a.b-c|", "kill_name_back", "see a.b-|"),
        ("|one two", "kill_word", "| two"),
        ("one| two", "kill_word", "one|"),
        ("one t|wo", "kill_to_end", "one t|"),
        ("one|\ntwo", "kill_to_end", "one|two"),
        ("one t|wo", "kill_to_start", "|wo"),
        ("one\n|two", "kill_to_start", "one|two"),
        ("a|bc", "delete", "a|c"),
        ("abc|", "delete", "abc|"),
        ("a|bc", "delete_back", "|bc"),
        ("|abc", "delete_back", "|abc"),
        ("abc|", "transpose", "acb|"),
        ("a|bc", "transpose", "ba|c"),
        ("|abc", "transpose", "|abc"),
        ("a|", "transpose", "a|"),
        ("one two|", "word_left", "one |two"),
        ("|one two", "word_right", "one| two"),
        ("one\ntwo|", "line_start", "one\n|two"),
        ("|one\ntwo", "line_end", "one|\ntwo"),
        ("one\nlonger|", "line_up", "one|\nlonger"),
        ("on|e\nlonger", "line_down", "one\nlo|nger"),
        ("e\u0301|", "delete_back", "|"),
        ("👩🏽\u200d🚀|", "left", "|👩🏽\u200d🚀"),
        ("|👩🏽\u200d🚀x", "right", "👩🏽\u200d🚀|x"),
        ("ab|", "newline", "ab\n|"),
        ("|cafe\u0301s x", "word_right", "cafe\u0301s| x"),
        ("cafe\u0301s|", "word_left", "|cafe\u0301s"),
        ("|e\u0301 x", "kill_word", "| x"),
        ("x e\u0301te\u0301|", "kill_name_back", "x |"),
        ("x \u0301y|", "kill_word_back", "x \u0301|"),
        ("|हिन्दी है", "word_right", "हिन्दी| है"),
        ("हिन्दी है|", "word_left", "हिन्दी |है"),
        ("हि|", "delete_back", "|"),
        ("|👩🏽\u200d🚀 x", "word_right", "👩🏽\u200d🚀 x|"),
        ("a\u0301b\nlong|er", "line_up", "a\u0301b|\nlonger"),
        ("abe\u0301\nab|c", "line_up", "ab|e\u0301\nabc"),
        ("你好 x\nabc|d", "line_up", "你|好 x\nabcd"),
        ("你好| x\nabcdef", "line_down", "你好 x\nabcd|ef"),
        ("\tx|\nabcdef", "line_down", "\tx\nabcde|f"),
        ("one\n|\u0301two", "left", "one|\n\u0301two"),
    ],
)
def test_what_an_edit_does(before: str, edit: str, after: str) -> None:
    edited = editor(before.replace("|", ""), before.index("|"))
    getattr(edited, edit)()
    assert marked(edited) == after


def test_kills_in_a_row_are_one_and_come_back_as_one() -> None:
    edited = editor("one two three", 4)
    edited.kill_word()
    edited.kill_to_end()
    edited.line_start()
    edited.yank()
    assert marked(edited) == "two three|one "


def test_killing_backwards_keeps_the_order_of_the_words() -> None:
    edited = editor("one two three")
    edited.kill_word_back()
    edited.kill_word_back()
    edited.yank()
    assert edited.text == "one two three"


def test_the_kill_ring_turns_right_after_a_yank_only() -> None:
    edited = editor("one two")
    edited.kill_word_back()
    edited.left()
    edited.right()
    edited.kill_word_back()
    edited.yank()
    assert edited.text == "one "
    edited.yank_earlier()
    assert edited.text == "two"
    edited.yank_earlier()
    assert edited.text == "one "
    edited.left()
    edited.yank_earlier()
    assert edited.text == "one "


def test_undo_takes_back_typing_as_one_and_words_one_by_one() -> None:
    edited = editor("")
    for character in "one two":
        edited.insert(character)
    edited.undo()
    assert edited.text == "one "
    edited.undo()
    edited.undo()
    assert edited.text == ""
    edited.undo()
    assert edited.text == ""


def test_what_was_cleared_comes_back_by_undo() -> None:
    edited = editor("a long message", 3)
    edited.clear()
    assert edited.draft == Draft("", 0)
    edited.undo()
    assert edited.draft == Draft("a long message", 3)


def test_another_line_has_no_past() -> None:
    edited = editor("secret of another conversation")
    edited.clear()
    edited.load(Draft("hello", 5))
    edited.undo()
    assert edited.text == "hello"


@given(TEXTS, st.lists(st.one_of(st.sampled_from(EDITS), TEXTS.map(lambda text: ("insert", text))), max_size=30))
def test_the_cursor_stays_in_the_text(text: str, edits: list[str | tuple[str, str]]) -> None:
    edited = editor(text, 0)
    for edit in edits:
        if isinstance(edit, tuple):
            edited.insert(edit[1])
        else:
            getattr(edited, edit)()
        assert 0 <= edited.cursor <= len(edited.text)


MOVES = ["left", "right", "word_left", "word_right", "line_start", "line_end", "line_up", "line_down"]


@given(TEXTS, st.lists(st.sampled_from(MOVES), max_size=10))
def test_no_move_ends_inside_of_a_character(text: str, moves: list[str]) -> None:
    steps = editor(text, 0)
    stops = {0}
    while steps.cursor < len(text):
        steps.right()
        stops.add(steps.cursor)
    edited = editor(text)
    for move in moves:
        getattr(edited, move)()
        assert edited.cursor in stops


@given(TEXTS)
def test_steps_lead_through_the_text_and_back(text: str) -> None:
    edited = editor(text, 0)
    stops = [0]
    while edited.cursor < len(text):
        edited.right()
        assert edited.cursor > stops[-1]
        stops.append(edited.cursor)
        assert edited.cursor == len(text) or unicodedata.category(text[edited.cursor]) != "Mn"
    while edited.cursor:
        assert edited.cursor == stops.pop()
        edited.left()


@given(TEXTS, st.sampled_from([edit for edit in EDITS if edit != "undo"]))
def test_undo_restores_whatever_an_edit_did(text: str, edit: str) -> None:
    edited = editor(text, len(text) // 2)
    getattr(edited, edit)()
    changed = edited.text != text
    edited.undo()
    assert edited.text == text
    assert not changed or edited.cursor == len(text) // 2


# --- history ----------------------------------------------------------------------------------------------------------


def test_history_leads_back_and_returns_to_what_was_being_written() -> None:
    history = InputHistory()
    for text in ("one", "two", "two"):
        history.add(text)
    assert history.older("half a lin") == "two"
    assert history.older("two") == "one"
    assert history.older("one") is None
    assert history.newer() == "two"
    assert history.newer() == "half a lin"
    assert history.newer() is None


def test_sending_begins_anew() -> None:
    history = InputHistory()
    history.add("one")
    history.older("")
    history.add("two")
    assert history.older("") == "two"


def test_an_empty_history_gives_nothing() -> None:
    history = InputHistory()
    assert history.older("x") is None
    assert history.newer() in (None, "x")


def test_history_is_bounded() -> None:
    history = InputHistory(limit=3)
    for number in range(10):
        history.add(str(number))
    found = [history.older("") for _ in range(4)]
    assert found == ["9", "8", "7", None]
