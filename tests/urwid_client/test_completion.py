from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from urwid_client.completion import Completer, Suggestion, Words
from urwid_client.editing import Draft

COMMANDS = [Suggestion("/join", "go into a room"), Suggestion("/list", "who is there"), Suggestion("/leave"), Suggestion("/msg")]
WORDS = Words(
    ["Bob", "berta", "carla"],
    ["#dev", "#lobby", "#design"],
    COMMANDS,
    {
        "/join": "#ROOM",
        "/msg": "NAME TEXT",
        "/help": "[COMMAND]",
        "/set": "[SETTING] [VALUE]",
        "/list": "",
        "/connect": "[SERVER]",
        "/topic": "[TOPIC]",
    },
    [Suggestion("theme"), Suggestion("mouse")],
    ["one:1", "two:2"],
    ["tea at five"],
    lambda setting: ("dark", "light", "default") if setting == "theme" else (),
)


def complete(text: str, *steps: int, at: int | None = None) -> list[str]:
    """What stands there after each Tab (1) or Shift+Tab (-1); the cursor is shown as |."""
    completer = Completer()
    draft = Draft(text, len(text) if at is None else at)
    shown = []
    for step in steps:
        draft = completer.complete(draft, WORDS, step)
        shown.append(draft.text[: draft.cursor] + "|" + draft.text[draft.cursor :])
    return shown


def test_a_name_at_the_start_is_addressed() -> None:
    assert complete("car", 1) == ["carla: |"]


def test_a_name_later_is_only_named() -> None:
    assert complete("ask car", 1) == ["ask carla |"]


def test_a_name_may_have_its_sign_before_it() -> None:
    assert complete("@b", 1, 1) == ["@Bob |", "@berta |"]
    assert complete("ask @car", 1) == ["ask @carla |"]
    assert complete("/msg carla ask @car", 1) == ["/msg carla ask @carla |"]


def test_case_is_no_difference_and_the_likeliest_comes_first() -> None:
    assert complete("B", 1, 1, 1) == ["Bob: |", "berta: |", "Bob: |"]


def test_backwards_from_the_last() -> None:
    assert complete("b", -1, -1, 1) == ["berta: |", "Bob: |", "berta: |"]


def test_rooms_and_commands() -> None:
    assert complete("/join #de", 1, 1) == ["/join #dev |", "/join #design |"]
    assert complete("/l", 1, 1) == ["/list |", "/leave |"]


def test_settings_and_what_they_may_be() -> None:
    assert complete("/set t", 1) == ["/set theme |"]
    assert complete("/set theme ", 1, 1) == ["/set theme dark |", "/set theme light |"]
    assert complete("/set theme de", 1) == ["/set theme default |"]
    assert complete("/set mouse ", 1) == ["/set mouse |"]
    assert complete("/set theme dark ", 1) == ["/set theme dark |"]


def test_a_slash_later_is_no_command() -> None:
    assert complete("see /l", 1) == ["see /l|"]


def test_what_a_command_wants_is_completed_even_from_nothing() -> None:
    assert complete("/join ", 1, 1) == ["/join #dev |", "/join #lobby |"]
    assert complete("/msg ", 1) == ["/msg Bob |"]
    assert complete("/MSG ca", 1) == ["/MSG carla |"]
    assert complete("/msg bob #d", 1) == ["/msg bob #dev |"]
    assert complete("/help li", 1) == ["/help /list |"]
    assert complete("/set t", 1) == ["/set theme |"]
    assert complete("/connect t", 1) == ["/connect two:2 |"]
    assert complete("/list ", 1) == ["/list |"]
    assert complete("/unknown b", 1) == ["/unknown Bob |"]


def test_emoji_by_their_short_names() -> None:
    assert complete("done :tad", 1) == ["done 🎉 |"]
    assert complete(":s", 1) == [":s|"]
    assert complete("at 10:3", 1) == ["at 10:3|"]


def choices(text: str) -> list[str]:
    return [suggestion.word for suggestion in Completer().choices(Draft(text, len(text)), lambda: WORDS)[0]]


def test_commands_and_emoji_are_proposed_unasked() -> None:
    assert choices("/l") == ["/list ", "/leave "]
    assert choices(":tad") == ["🎉 "]
    assert choices("b") == choices("/join #d") == choices("see /l") == []


def test_the_choice_is_shown_while_one_walks_through() -> None:
    completer = Completer()
    draft = completer.complete(completer.complete(Draft("b", 1), WORDS), WORDS)
    shown, chosen = completer.choices(draft, lambda: WORDS)
    assert ([suggestion.word for suggestion in shown], chosen) == (["Bob: ", "berta: "], 1)
    assert completer.choices(Draft("b", 1), lambda: WORDS) == ((), None)


def test_what_stands_behind_the_cursor_stays() -> None:
    assert complete("hi car, how are you", 1, at=6) == ["hi carla |, how are you"]


def test_nothing_fits() -> None:
    assert complete("xyz", 1, 1) == ["xyz|", "xyz|"]
    assert complete("", 1) == ["|"]
    assert complete("carla ", 1) == ["carla |"]


def test_after_writing_on_it_begins_anew() -> None:
    completer = Completer()
    first = completer.complete(Draft("b", 1), WORDS)
    written = Draft(first.text + "c", first.cursor + 1)
    assert completer.complete(written, WORDS).text == "Bob: carla "


@given(st.text(max_size=20), st.integers(0, 20), st.lists(st.sampled_from([1, -1]), max_size=6))
def test_only_the_word_before_the_cursor_changes(text: str, at: int, steps: list[int]) -> None:
    at = min(at, len(text))
    completer, draft = Completer(), Draft(text, at)
    for step in steps:
        draft = completer.complete(draft, WORDS, step)
        assert draft.text.endswith(text[at:])
        assert draft.text[draft.cursor :] == text[at:]


def test_the_topic_that_there_is_is_completed_to_be_changed() -> None:
    assert complete("/topic ", 1) == ["/topic tea at five|"]
    assert complete("/topic te", 1) == ["/topic tea at five|"]
    assert complete("/topic x", 1) == ["/topic x|"]
    assert complete("/topic with b", 1) == ["/topic with Bob |"]
