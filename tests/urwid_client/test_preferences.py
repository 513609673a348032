from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from urwid_client.errors import WrongInput
from urwid_client.keys import Action
from urwid_client.preferences import Preferences
from urwid_client.settings_file import SettingsNotKept


def test_without_a_choice_everything_is_as_usual() -> None:
    likes = Preferences({})
    assert (likes.theme, likes.mouse, likes.bell, likes.desktop, likes.alert("#dev")) == ("auto", True, True, "auto", "mentions")
    assert likes.keymap().actions["enter"] is Action.SEND
    assert likes.typing
    likes.change("typing", "off")
    assert not likes.typing


def test_a_room_is_the_same_however_its_name_is_written(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[alerts]\n"#Dev" = "all"\n')
    likes = Preferences({"alerts.#Dev": "all"}, file)
    assert likes.change("alerts.#dev", "none") == "alerts.#Dev is none now"
    assert likes.alert("#dev") == "none"
    assert tomllib.loads(file.read_text()) == {"alerts": {"#Dev": "none"}}
    assert likes.show("alerts.#DEV").startswith("alerts.#Dev is none")


def test_what_is_set_holds_and_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "new" / "settings.toml"
    likes = Preferences({}, file)
    assert likes.change("theme", "dark") == "theme is dark now"
    assert likes.change("mouse", "off") == "mouse is off now"
    assert likes.change("alerts.#dev", "all") == "alerts.#dev is all now"
    assert likes.change("keys.next_unread", "f5, ctrl x") == "keys.next_unread is F5, Ctrl+X now"
    assert (likes.theme, likes.mouse, likes.alert("#Dev"), likes.alert("#ops")) == ("dark", False, "all", "mentions")
    assert likes.keymap().actions["f5"] is Action.NEXT_UNREAD
    assert tomllib.loads(file.read_text()) == {
        "theme": "dark",
        "mouse": False,
        "alerts": {"#dev": "all"},
        "keys": {"next_unread": ["F5", "Ctrl+X"]},
    }
    for key in ("theme", "alerts.#dev", "keys.next_unread"):
        likes.change(key, "default")
    assert (likes.theme, likes.alert("#dev")) == ("auto", "mentions")
    assert likes.keymap().actions["meta a"] is Action.NEXT_UNREAD
    assert tomllib.loads(file.read_text()) == {"mouse": False, "alerts": {}, "keys": {}}


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("theme", "pink", "theme must be one of auto, dark"),
        ("mouse", "perhaps", "mouse must be on or off, or default"),
        ("them", "dark", "there is no setting them, did you mean theme?"),
        ("keys.undo", "x", "keys.undo must be a key like"),
        ("alerts.#dev", "loud", "alerts.#dev must be one of"),
        ("alerts.*", "all", "there is no setting"),
        ("alerts", "all", "there is no setting alerts, did you mean alert?"),
        ("alert.#dev", "all", "did you mean alerts.#dev?"),
        ("keys", "x", "did you mean keys.switch?"),
        ("key.undo", "x", "did you mean keys.undo?"),
        ("keys.undo", "enter", "no key would send anything then"),
        ("zzz", "1", "there is no setting zzz; /set lists what there is"),
    ],
)
def test_what_cannot_be_set_is_explained(key: str, value: str, told: str) -> None:
    likes = Preferences({})
    with pytest.raises(WrongInput) as wrong:
        likes.change(key, value)
    assert told in str(wrong.value)


def test_what_cannot_be_kept_holds_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    likes = Preferences({}, tmp_path / "file" / "settings.toml")
    with pytest.raises(SettingsNotKept, match="so this holds until you leave"):
        likes.change("theme", "dark")
    assert likes.theme == "dark"


def test_what_a_key_did_before_is_told() -> None:
    likes = Preferences({})
    assert likes.change("keys.find", "alt a") == "keys.find is Alt+A now; keys.next_unread has no key left"
    assert likes.change("keys.find", "M-right") == "keys.find is Alt+→ now; keys.next_buffer has Ctrl+N left"
    assert likes.show("keys.find").startswith("keys.find is Alt+→: search in the messages")
    assert likes.change("keys.find", "default") == "keys.find is Ctrl+F now"


def test_a_key_that_the_user_gave_to_another_action_stays_with_that() -> None:
    likes = Preferences({})
    likes.change("keys.find", "ctrl g")
    for key in ("keys.undo", "keys.next_unread"):  # behind and before it in the table
        with pytest.raises(WrongInput) as wrong:
            likes.change(key, "Ctrl+G")
        assert str(wrong.value) == (
            "Ctrl+G is bound to keys.find already; bind that to another key first, or /set keys.find default"
        )
        assert likes.keymap().actions["ctrl g"] is Action.FIND


def test_two_actions_with_one_key_in_the_file_are_told_and_can_be_mended() -> None:
    likes = Preferences({"keys.find": ["ctrl g"], "keys.next_unread": ["ctrl g"]})
    assert likes.problems() == [
        "Ctrl+G is bound to keys.next_unread and to keys.find: it does the first; /set keys.find gives the other another key"
    ]
    likes.change("keys.undo", "f6")
    likes.change("keys.find", "f5")
    assert likes.problems() == []


def test_what_there_is_is_shown() -> None:
    likes = Preferences({"alerts.#dev": "all", "keys.undo": ["f5"]})
    shown = likes.show(None).splitlines()
    assert shown[:3] == ["theme = auto", "emoji = plain", "mouse = on"]
    assert "alerts.#dev = all" in shown
    assert "keys.undo = F5" in shown
    assert likes.show("theme") == "theme is auto: the colours (one of auto, dark, light, contrast, 16, none, or default)"
    keys = likes.show("keys").splitlines()
    assert {"keys.send = Enter", "keys.undo = F5"} < {*keys}
    assert not any(line.startswith(("theme", "alerts")) for line in keys)
    assert likes.show("alerts").splitlines()[0] == "alerts.#dev = all"
    assert {suggestion.word for suggestion in likes.suggestions()} >= {"theme", "keys.send"}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("mouse", ("on", "off", "default")),
        ("theme", ("auto", "dark", "light", "contrast", "16", "none", "default")),
        ("alerts.#dev", ("mentions", "all", "none", "default")),
        ("keys.send", ()),
        ("nothing", ()),
    ],
)
def test_what_a_setting_may_be(key: str, words: tuple[str, ...]) -> None:
    likes = Preferences({})
    assert likes.words(key) == words
    for word in words:
        likes.change(key, word)
