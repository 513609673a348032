from __future__ import annotations

import pytest

from urwid_client import alerts
from urwid_client.buffers import Buffer, Kind, Said
from urwid_client.state import Arrival


def arrival(text: str = "hello", kind: Kind = Kind.ROOM, mentioned: str = "", title: str = "#dev") -> Arrival:
    return Arrival(Buffer(kind, title), Said((1, 0), 0, "bob", text, own=False, mentioned=mentioned))


@pytest.mark.parametrize(
    ("what", "level", "wanted"),
    [
        (arrival(), "mentions", False),
        (arrival(mentioned="ada"), "mentions", True),
        (arrival(kind=Kind.DIRECT), "mentions", True),
        (arrival(), "all", True),
        (arrival(mentioned="ada"), "none", False),
    ],
)
def test_of_what_one_is_told(what: Arrival, level: str, wanted: bool) -> None:
    assert alerts.wanted([what], lambda title: level, None) == [what] * wanted
    assert alerts.wanted([what], lambda title: level, what.buffer) == []


def test_one_sound_and_one_notification_for_all_that_came_together() -> None:
    written = alerts.sequence([arrival("one"), arrival("two", mentioned="ada")], True, "osc9", {})
    assert written == "\a\x1b]9;2 messages, the last from bob in #dev: two\x1b\\"
    assert alerts.sequence([arrival()], True, "off", {}) == "\a"
    assert alerts.sequence([arrival()], False, "off", {}) == ""


def test_the_terminal_decides_how_it_is_asked() -> None:
    one = [arrival("a;b", Kind.DIRECT, title="bob")]
    assert alerts.sequence(one, False, "auto", {"TERM": "xterm-256color"}) == "\x1b]9;bob: a,b\x1b\\"
    for environ in ({"TERM": "foot"}, {"TERM": "xterm", "VTE_VERSION": "7600"}):
        assert alerts.sequence(one, False, "auto", environ) == "\x1b]777;notify;bob;a,b\x1b\\"


def test_the_console_has_no_desktop() -> None:
    assert alerts.sequence([arrival()], True, "auto", {"TERM": "linux"}) == "\a"


def test_it_goes_through_tmux() -> None:
    written = alerts.sequence([arrival()], True, "osc9", {"TMUX": "/tmp/tmux,1,0"})
    assert written == "\a\x1bPtmux;\x1b\x1b]9;bob in #dev: hello\x1b\x1b\\\x1b\\"


def test_what_others_write_cannot_end_the_sequence() -> None:
    written = alerts.sequence([arrival("x\x1b\\\x07\x9c" + "y" * 500)], False, "osc9", {})
    assert written.count("\x1b") == 2
    assert not {"\x07", "\x9c"} & {*written}
    assert len(written) < 300


@pytest.mark.parametrize("command", ["6;macro", "4;1;50", "9;/tmp"])
def test_what_others_write_is_no_other_command(command: str) -> None:
    """Some terminals have more of them behind `9;`, with numbers of their own."""
    of = Arrival(Buffer(Kind.DIRECT, "x"), Said((1, 0), 0, command, "hello; there", own=False))
    assert alerts.sequence([of], False, "osc9", {}).count(";") == 1


def test_a_title_is_no_longer_than_a_text() -> None:
    assert len(alerts.sequence([arrival(title="#" + "x" * 5_000)], False, "osc777", {})) < 300


@pytest.mark.parametrize(
    ("used", "wrote_elsewhere", "now", "elsewhere"),
    [
        (0, 0, 1_000_000, False),
        (500_000, 900_000, 1_000_000, True),
        (900_001, 900_000, 1_000_000, False),
        (500_000, 879_999, 1_000_000, False),
        (500_000, 4_600_000, 1_000_000, False),
    ],
)
def test_who_wrote_from_another_device_is_alerted_there(used: int, wrote_elsewhere: int, now: int, elsewhere: bool) -> None:
    assert alerts.is_elsewhere(used, wrote_elsewhere, now) == elsewhere
