from __future__ import annotations

from urwid_client import keys
from urwid_client.editing import Editor
from urwid_client.keys import ACTIONS, DIGITS, SECTIONS, Action

BINDINGS = [binding for bindings in SECTIONS.values() for binding in bindings]


def test_every_action_has_one_row_with_keys_and_a_help() -> None:
    assert [binding.action for binding in BINDINGS] == list(dict.fromkeys(binding.action for binding in BINDINGS))
    assert {binding.action for binding in BINDINGS} == set(Action)
    assert all(binding.keys and binding.help for binding in BINDINGS)


def test_no_key_does_two_things() -> None:
    assert len(ACTIONS) == sum(len(binding.keys) for binding in BINDINGS)


def test_no_key_is_a_character_that_is_written() -> None:
    assert not [key for key in ACTIONS if len(key) == 1]


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
    assert [key[-1] for key in DIGITS] == list("1234567890")
