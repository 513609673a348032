from __future__ import annotations

import re

import pytest

from urwid_client import keys
from urwid_client.editing import Editor
from urwid_client.keys import SECTIONS, Action, KeyMap, understand

USUAL = KeyMap({})
BINDINGS = [binding for bindings in SECTIONS.values() for binding in bindings]


def test_every_action_has_one_row_with_keys_and_a_help() -> None:
    assert [binding.action for binding in BINDINGS] == list(dict.fromkeys(binding.action for binding in BINDINGS))
    assert {binding.action for binding in BINDINGS} == set(Action)
    assert all(binding.keys and binding.help for binding in BINDINGS)


def test_no_key_does_two_things() -> None:
    assert len(USUAL.actions) == sum(len(binding.keys) for binding in BINDINGS)


def test_no_key_is_a_character_that_is_written() -> None:
    assert not [key for key in USUAL.actions if len(key) == 1]


def test_editing_actions_are_methods_of_the_editor() -> None:
    assert {action for action in Action if hasattr(Editor, action.value)} == keys.EDITING


def test_keys_are_shown_as_people_call_them() -> None:
    shown = {binding.action: keys.shown(binding) for binding in BINDINGS}
    assert shown[Action.SWITCH] == "Alt+1 … Alt+9, Alt+0"
    assert shown[Action.NEXT_BUFFER] == "Ctrl+N, Alt+→"
    assert shown[Action.PAGE_UP] == "PgUp"
    assert shown[Action.NEWLINE] == "Alt+Enter, Shift+Enter, Ctrl+Enter"
    assert shown[Action.UNDO] == "Ctrl+_"
    assert shown[Action.HELP] == "F1"


def test_digits_lead_to_ten_conversations() -> None:
    assert [key[-1] for key in USUAL.switches] == list("1234567890")


def test_keys_that_are_bound_anew_are_taken_from_what_they_did_before() -> None:
    keymap = KeyMap({"next_unread": ["ctrl n", "f5"]})
    assert keymap.actions["ctrl n"] is keymap.actions["f5"] is Action.NEXT_UNREAD
    assert keymap.actions["meta right"] is Action.NEXT_BUFFER
    assert "meta a" not in keymap.actions
    shown = {binding.action: keys.shown(binding) for bindings in keymap.sections.values() for binding in bindings}
    assert shown[Action.NEXT_UNREAD] == "Ctrl+N, F5"
    assert shown[Action.NEXT_BUFFER] == "Alt+→"


def test_a_key_that_the_user_gave_to_two_actions_does_what_stands_first() -> None:
    keymap = KeyMap({"find": ["ctrl g", "f5"], "next_unread": ["ctrl g"]})
    assert keymap.conflicts == [("ctrl g", Action.NEXT_UNREAD, Action.FIND)]
    assert (keymap.keys(Action.NEXT_UNREAD), keymap.keys(Action.FIND)) == (("ctrl g",), ("f5",))
    assert keymap.actions["ctrl g"] is Action.NEXT_UNREAD
    assert not KeyMap({"find": ["ctrl f"], "undo": ["ctrl g"]}).conflicts


def test_it_is_told_what_keys_do_that_there_are() -> None:
    keymap = KeyMap({"send": ["f9"], "close": []})
    assert keymap.told((Action.SEND, "sends"), (Action.CLOSE, "closes"), (Action.HELP, "helps")) == "F9 sends, F1 helps"


def test_an_action_may_have_no_key_and_conversations_other_ones() -> None:
    keymap = KeyMap({"undo": [], "switch": ["f2", "f3"]})
    assert "ctrl _" not in keymap.actions
    assert keymap.switches == ("f2", "f3")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Ctrl+X", "ctrl x"),
        ("alt left", "meta left"),
        ("Alt-PgUp", "meta page up"),
        ("F5", "f5"),
        ("page down", "page down"),
        ("ctrl alt x", "meta ctrl x"),
        ("Ctrl+Shift+Left", "shift ctrl left"),
        ("Alt+Shift+S", "meta S"),
        ("M-s", "meta s"),
        ("C-s", "ctrl s"),
        ("^X", "ctrl x"),
        ("Alt+-", "meta -"),
        ("alt + +", "meta +"),
        ("Ctrl+Page_Up", "ctrl page up"),
        ("Escape", "esc"),
        ("ctrl _", "ctrl _"),
    ],
)
def test_keys_are_understood_as_people_call_them(text: str, key: str) -> None:
    assert understand(text) == key


@pytest.mark.parametrize("text", ["", "x", "shift x", "ctrl shift x", "alt shift 1", "f99", "nothing", "ctrl", "hyper x"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        understand(text)


def test_every_key_of_the_table_is_understood_as_it_is_shown() -> None:
    for binding in BINDINGS:
        for key in binding.keys:
            assert understand(keys.called(key)) == key
    assert understand(keys.called("meta S")) == "meta S"
    assert keys.called("shift meta ctrl left") == "Ctrl+Alt+Shift+←"


@pytest.mark.parametrize(
    ("key", "writes"),
    [
        ("x", True),
        ("left", True),
        ("ctrl u", True),
        ("enter", False),
        ("tab", False),
        ("page up", False),
        ("meta 3", False),
        ("begin paste", False),
        ("window resize", False),
        (("mouse press", 4, 1, 1), False),
    ],
)
def test_what_changes_nothing_but_the_line(key: object, writes: bool) -> None:
    assert KeyMap({}).writes(key) == writes


def test_the_first_key_of_an_action_stands_for_it() -> None:
    keymap = KeyMap({"help": ["ctrl g", "f2"], "close": []})
    assert keymap.called(Action.HELP) == "Ctrl+G"
    assert keymap.called(Action.CLOSE) == ""
    assert keymap.called(Action.NEXT_BUFFER) == "Ctrl+N"
