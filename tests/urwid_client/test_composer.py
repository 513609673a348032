from __future__ import annotations

import pytest

from urwid_client.completion import Suggestion, Words
from urwid_client.composer import Composer, Mode
from urwid_client.editing import Draft
from urwid_client.keys import Action


def composer(*sent: str, text: str = "") -> Composer:
    new = Composer(lambda: Words(["bob", "bea"], commands=[Suggestion("/quit")]))
    new.restore_history(sent)
    new.load(Draft(text, len(text)))
    return new


def write(line: Composer, text: str) -> None:
    for character in text:
        line.write(character)


def paste(line: Composer, *keys: str) -> None:
    for key in ("begin paste", *keys, "end paste"):
        line.paste(key)


def mode(line: Composer) -> str:
    return line.mode.value


# --- writing ----------------------------------------------------------------------------------------------------------


def test_what_is_finished_is_taken_and_can_be_had_again() -> None:
    line = composer()
    write(line, "hello")
    assert line.take() == "hello"
    assert line.shown.text == ""
    write(line, "new")
    for action, shown in ((Action.OLDER_INPUT, "hello"), (Action.OLDER_INPUT, "hello"), (Action.NEWER_INPUT, "new")):
        assert line.do(action)
        assert line.shown.text == shown


def test_what_was_sent_earlier_is_not_what_is_being_written_unless_it_is_changed() -> None:
    line = composer("sent", text="half a line")
    line.do(Action.OLDER_INPUT)
    assert (line.shown.text, line.draft) == ("sent", Draft("half a line", 11))
    write(line, "!")
    assert line.draft == Draft("sent!", 5)


def test_walking_through_what_was_sent_ends_where_one_goes_elsewhere() -> None:
    line = composer("sent", text="for the others")
    line.do(Action.OLDER_INPUT)
    line.load(Draft("here", 4))
    assert line.draft == Draft("here", 4)
    line.do(Action.NEWER_INPUT)
    assert line.shown.text == "here"


def test_a_command_that_was_sent_earlier_is_proposed_as_any_other() -> None:
    line = composer("/quit")
    line.do(Action.OLDER_INPUT)
    assert [suggestion.word for suggestion in line.suggestions()[0]] == ["/quit "]


def test_without_anything_sent_there_is_nothing_to_walk_through() -> None:
    line = composer(text="half")
    line.do(Action.OLDER_INPUT)
    assert line.draft == Draft("half", 4)


def test_within_several_lines_the_arrows_move() -> None:
    line = composer("sent", text="one\ntwo")
    line.do(Action.OLDER_INPUT)
    assert line.shown == Draft("one\ntwo", 3)
    line.do(Action.NEWER_INPUT)
    assert line.shown == Draft("one\ntwo", 7)


def test_ctrl_c_clears_and_then_offers_to_leave() -> None:
    line = composer(text="half")
    for shown in ("", "/quit"):
        assert line.do(Action.INTERRUPT)
        assert line.shown.text == shown
    assert (mode(line), line.draft) == ("leaving", Draft())
    assert not line.do(Action.INTERRUPT), "the program is to be left"


def test_what_offers_to_leave_goes_with_the_next_key() -> None:
    for action, then in ((Action.CLOSE, ""), (Action.YANK, "half"), (Action.UNDO, "half"), (Action.OLDER_INPUT, "sent")):
        line = composer("sent", text="half")
        line.do(Action.INTERRUPT)
        line.do(Action.INTERRUPT)
        assert line.do(action)
        assert (mode(line), line.shown.text) == ("writing", then)
    line.do(Action.INTERRUPT)
    line.do(Action.INTERRUPT)
    write(line, "on")
    assert line.shown.text == "on"


def test_what_offers_to_leave_is_taken_as_it_stands() -> None:
    line = composer()
    line.do(Action.INTERRUPT)
    assert not line.do(Action.SEND)
    assert (line.take(), mode(line)) == ("/quit", "writing")


def test_tab_completes_and_shows_what_else_there_is() -> None:
    line = composer(text="b")
    assert line.suggestions() == ((), None)
    line.do(Action.COMPLETE)
    assert line.shown.text == "bob: "
    assert line.suggestions()[1] == 0
    line.do(Action.COMPLETE_BACK)
    assert line.shown.text == "bea: "
    line.do(Action.UNDO)
    assert line.shown.text == "bob: "


def test_completing_nothing_is_nothing_to_undo() -> None:
    line = composer()
    write(line, "xyz")
    line.do(Action.COMPLETE)
    line.do(Action.UNDO)
    assert line.shown.text == ""


@pytest.mark.parametrize("action", [Action.SEND, Action.CLOSE, Action.HELP, Action.PAGE_UP])
def test_what_is_not_for_the_line_is_left_to_others(action: Action) -> None:
    assert not composer(text="text").do(action)


# --- pastes -----------------------------------------------------------------------------------------------------------


def test_a_paste_of_one_line_is_written_where_the_cursor_is() -> None:
    line = composer(text="say  twice")
    line.load(Draft("say  twice", 4))
    paste(line, *"hello", "enter")
    assert line.shown.text == "say hello twice"
    assert line.mode is Mode.WRITING


def test_several_lines_are_confirmed() -> None:
    line = composer(text="so: ")
    paste(line, *"one", "enter", *"two", "tab", "!", "enter", "f1", "ctrl c")
    assert mode(line) == "confirming"
    assert line.shown.text == "so: "
    write(line, "sox")
    assert line.do(Action.DELETE_BACK)
    assert line.do(Action.SEARCH_INPUT)
    assert line.do(Action.SEND)
    assert line.shown.text == "so: one\ntwo\t!\nso"
    assert mode(line) == "writing"


def test_a_paste_waits_in_its_conversation() -> None:
    line = composer(text="so: ")
    paste(line, *"one", "enter", *"two")
    write(line, "what is it?")
    here = line.draft
    line.load(Draft("elsewhere"))
    assert (mode(line), line.draft) == ("writing", Draft("elsewhere"))
    line.load(here)
    assert line.do(Action.SEND)
    assert line.shown.text == "so: one\ntwo\nwhat is it?"


@pytest.mark.parametrize(
    ("before", "behind", "became"),
    [
        ("", "", "one\ntwo"),
        ("so:", "", "so:\none\ntwo"),
        ("so: ", "", "so: one\ntwo"),
        ("", "end", "one\ntwo\nend"),
        ("```\n", "\n```", "```\none\ntwo\n```"),
    ],
)
def test_a_paste_has_lines_of_its_own(before: str, behind: str, became: str) -> None:
    line = composer()
    line.load(Draft(before + behind, len(before)))
    paste(line, *"one", "enter", *"two")
    line.do(Action.SEND)
    assert line.shown.text == became


def test_a_paste_stands_where_the_cursor_was_whatever_is_written_meanwhile() -> None:
    line = composer(text="lok: ")
    paste(line, *"one", "enter", *"two")
    write(line, "is it bo")
    line.do(Action.COMPLETE)
    line.do(Action.LINE_START)
    for action in (Action.RIGHT, Action.RIGHT):
        line.do(action)
    write(line, "o")
    line.do(Action.SEND)
    assert line.shown == Draft("look: one\ntwo\nis it bob ", 3)
    line.do(Action.UNDO)
    assert line.shown == Draft("look: is it bob ", 3)


def test_where_what_stood_before_a_paste_is_gone_it_stands_at_the_end() -> None:
    line = composer("sent", text="so: ")
    paste(line, *"one", "enter", *"two")
    line.do(Action.OLDER_INPUT)
    line.do(Action.SEND)
    assert line.shown.text == "sent\none\ntwo"


def test_what_is_pasted_while_a_paste_waits_is_not_lost() -> None:
    line = composer()
    paste(line, *"one", "enter", *"two", "enter")
    paste(line, *"three", "enter", *"four")
    paste(line, *"five")
    line.do(Action.SEND)
    assert line.shown.text == "one\ntwo\nthree\nfour\nfive"


def test_what_is_pasted_into_a_search_is_searched_for() -> None:
    line = searching("o", "one", "on", text="draft")
    paste(line, *"ne")
    assert (line.query, line.shown.text, line.draft.text) == ("one", "one", "draft")


@pytest.mark.parametrize("action", [Action.CLOSE, Action.INTERRUPT])
def test_several_lines_are_dropped(action: Action) -> None:
    line = composer(text="kept")
    paste(line, "a", "enter", "b")
    assert line.do(action)
    assert line.shown.text == "kept"
    assert line.mode is Mode.WRITING


def test_keys_within_a_paste_are_only_written() -> None:
    line = composer()
    line.paste("begin paste")
    assert [line.pasting] == [True]
    for key in (*"/quit", "enter", "up", "meta 2", "\x1b"):
        line.paste(key)
    line.paste("end paste")
    assert [line.pasting] == [False]
    assert line.shown.text == "/quit"


# --- searching --------------------------------------------------------------------------------------------------------


def searching(query: str, *sent: str, text: str = "draft") -> Composer:
    line = composer(*sent, text=text)
    line.do(Action.SEARCH_INPUT)
    write(line, query)
    return line


def test_the_newest_with_these_words_is_found_and_then_earlier_ones() -> None:
    line = searching("DEPLOY", "deploy one", "deploy two", "other")
    assert line.mode is Mode.SEARCHING
    assert (line.query, line.shown.text, line.draft.text) == ("DEPLOY", "deploy two", "draft")
    for shown in ("deploy one", "deploy one"):
        line.do(Action.SEARCH_INPUT)
        assert line.shown.text == shown


def test_what_was_found_is_taken_into_the_line_and_not_sent() -> None:
    line = searching("two", "one", "two")
    assert line.do(Action.SEND)
    assert (line.mode, line.shown.text) == (Mode.WRITING, "two")
    line.do(Action.UNDO)
    assert line.shown.text == "draft"


def test_any_other_key_goes_on_with_what_was_found() -> None:
    line = searching("two", "one", "two")
    assert line.do(Action.LINE_START)
    assert line.shown == Draft("two", 0)
    assert line.mode is Mode.WRITING


@pytest.mark.parametrize("action", [Action.CLOSE, Action.INTERRUPT])
def test_a_search_that_is_given_up_leaves_what_was_written(action: Action) -> None:
    line = searching("two", "one", "two")
    assert line.do(action)
    assert (line.mode, line.shown.text) == (Mode.WRITING, "draft")


def test_a_letter_less_searches_anew() -> None:
    line = searching("onex", "one", "two")
    assert (line.shown.text, line.failing) == ("one", True)
    line.do(Action.DELETE_BACK)
    assert (line.query, line.shown.text, line.failing) == ("one", "one", False)


def test_where_there_is_no_earlier_one_it_is_told() -> None:
    line = searching("one", "one", "two")
    line.do(Action.SEARCH_INPUT)
    assert (line.shown.text, line.failing) == ("one", True)


def test_turning_to_another_conversation_ends_search_and_paste() -> None:
    line = searching("two", "one", "two")
    line.load(Draft("elsewhere", 0))
    assert (line.mode, line.draft.text) == (Mode.WRITING, "elsewhere")
