"""What is on the screen and how it looks, where looks carry meaning; and what reaches the user beside it: alerts, links."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server
from tests.support.terminal import Terminal, terminal
from tests.support.timeouts import seconds, wait_until
from tests.terminal.conftest import Open, client_command
from tests.terminal.test_chatting import say


def cells(window: Terminal, words: str, row_of: str = "") -> list[Any]:
    """The cells of words on the screen, in the first row that has them, and `row_of` too."""
    for line in window.buffer:
        shown = "".join(cell.data or " " for cell in line)
        if words in shown and row_of in shown:
            start = shown.index(words)
            return line[start : start + len(words)]
    raise AssertionError(f"{words!r} is not on the screen:\n{window.text}")


def test_colours_tell_mentions_from_the_rest_and_quiet_from_unread(open_client: Open, server: Server, tmp_path: Path) -> None:
    ada = open_client("ada80")
    for room in ("#quiet80", "#some80", "#many80"):
        ada.enter(f"/join {room}")
        ada.wait_for(f"{room}  1 person")
    ada.press("alt 2")
    ada.wait_for("#lobby  ")
    say(server, tmp_path, "bob80", "#some80", "nothing special")
    say(server, tmp_path, "bob80", "#many80", "ada80: look here", "and here")
    ada.wait_for_line(r"^ 5 #many80 +2 │")
    ada.wait_for_line(r"^ 4 #some80 +1 │")
    (mentions,), (unread,) = cells(ada, "2", "#many80"), cells(ada, "1", "#some80")
    assert mentions.bold
    assert len({mentions.fg, unread.fg, "default"}) == 3
    assert {cell.fg for cell in cells(ada, "#some80")} == {"default"}
    assert {cell.fg for cell in cells(ada, "#quiet80")} == {cells(ada, "│")[0].fg} != {"default"}
    assert all(cell.bold for cell in cells(ada, "#lobby", " 2 "))
    ada.press("alt a")
    ada.wait_for("ada80: look here")
    assert {(cell.fg, cell.bold) for cell in cells(ada, "ada80", "look here")} == {(mentions.fg, True)}
    assert {cell.fg for cell in cells(ada, "look here")} == {"default"}


def test_an_empty_room_says_what_can_be_done_and_nothing_more_once_something_was(
    open_client: Open, server: Server, tmp_path: Path
) -> None:
    said = "nothing to read here yet"
    ada = open_client("ada97", "--room", "#room97")
    ada.wait_for_line(rf"· {said}; Enter")
    assert {cell.fg for cell in cells(ada, said)} == {cells(ada, "│")[0].fg} != {"default"}
    say(server, tmp_path, "bob97", "#room97", "the first word")
    ada.wait_for("bob97 the first word")
    assert said not in ada.text
    eve = open_client("eve97", "--room", "#room97")
    eve.wait_for("bob97 the first word")
    assert said.encode() not in eve.output, "it is not said before it is known"


def test_emphasis_code_and_wide_characters(open_client: Open, server: Server, tmp_path: Path) -> None:
    ada = open_client("ada81", "--room", "#room81")
    ada.wait_for("#room81  1 person")
    lines = ["plain *strong* _leaning_ `code()` at https://example.org/x", "日本語 🎉 and 👩‍🚀 e\u0301", ":tada: it is"]
    say(server, tmp_path, "bob81", "#room81", *lines)
    ada.paste("```python\nfenced()\n```")
    ada.press("enter", "enter")
    ada.wait_for("plain", "日", "fenced()")
    ada.wait_gone("…")  # what is on its way looks different
    assert {(cell.bold, cell.italics) for cell in cells(ada, "plain")} == {(False, False)}
    assert all(cell.bold for cell in cells(ada, "*strong*"))
    assert all(cell.italics for cell in cells(ada, "_leaning_"))
    assert {cell.fg for cell in cells(ada, "`code()`")} == {cell.fg for cell in cells(ada, "fenced()")} != {"default"}
    assert all(cell.underscore for cell in cells(ada, "https://example.org/x"))
    assert "```" not in ada.text
    borders = [[x for x, cell in enumerate(line) if cell.data == "│"] for line in ada.buffer[1:-2]]
    assert borders == [borders[0]] * len(borders)
    assert len(borders[0]) == 2


def test_a_link_is_opened_with_what_the_desktop_has(open_client: Open, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    (tmp_path / "xdg-open").write_text(f'#!/bin/sh\necho "$@" >> {opened}\n')
    (tmp_path / "xdg-open").chmod(0o700)
    ada = open_client("ada82", "--room", "#room82", cols=100, PATH=f"{tmp_path}:{os.environ['PATH']}")
    ada.wait_for("#room82  1 person")
    ada.enter("/open")
    ada.wait_for("there is no link here")
    ada.enter("first https://example.org/?a=1&b=$(id)")
    ada.enter("then (https://example.org/two).")
    ada.wait_for("ada82 first", "then")
    ada.wait_gone("…")
    ada.press("alt o")
    ada.wait_for("opened https://example.org/two")
    ada.enter("/open 2")
    ada.wait_for("opened https://example.org/?a=1&b=$(id)")
    ada.enter("/open 3")
    ada.wait_for("there are not so many links here")
    wanted = {"https://example.org/two", "https://example.org/?a=1&b=$(id)"}  # the two programs may pass each other
    wait_until(lambda: opened.exists() and {*opened.read_text().splitlines()} == wanted, "both were opened")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")
def test_an_alert_reaches_the_terminal_around_tmux(server: Server, tmp_path: Path) -> None:
    tmux: list[str | Path] = ["tmux", "-f", "/dev/null", "-S", tmp_path / "socket"]
    inside = client_command(server, tmp_path / "ada83", "--name", "ada83")
    around = [*tmux, "new-session", " ".join(map(str, inside)), ";", "set", "-g", "allow-passthrough", "on"]
    with terminal(around, env={"TMUX": "", "VTE_VERSION": ""}) as window:
        try:
            window.wait_for("● ada83")
            say(server, tmp_path / "bob83", "bob83", "#lobby", "ada83: the kettle boils")
            written = b"\x1b]9;bob83 in #lobby: ada83: the kettle boils\x1b\\"
            window.wait_until(lambda: written in window.output, "the notification")
            window.wait_until(lambda: b"\a" in window.output, "the bell")
        finally:
            subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)


def test_one_is_alerted_on_the_device_that_is_in_use(open_client: Open, server: Server, tmp_path: Path) -> None:
    desk = open_client("ada84")
    lap = open_client("ada84")
    desk.enter("I write from here")
    lap.wait_for("I write from here")
    say(server, tmp_path / "bob84", "bob84", "#lobby", "ada84: one")
    for window in (desk, lap):
        window.wait_for("ada84: one")
    desk.wait_until(lambda: desk.output.count(b"\a") == 1, "an alert")
    lap.settle(0.3)
    assert lap.output.count(b"\a") == 0
    lap.type("x")
    lap.wait_for("> x")
    say(server, tmp_path / "bob84", "bob84", "#lobby", "ada84: two")
    lap.wait_until(lambda: lap.output.count(b"\a") == 1, "an alert where one is now")


def test_each_room_has_alerts_of_its_own(open_client: Open, server: Server, tmp_path: Path) -> None:
    ada = open_client("ada88", "--room", "#room88")
    ada.enter("/set alerts.#room88 none")
    ada.wait_for("alerts.#room88 is none now")
    say(server, tmp_path / "bob88", "bob88", "#room88", "ada88: in silence")
    ada.wait_for("ada88: in silence")
    ada.settle(0.3)
    assert ada.output.count(b"\a") == 0
    ada.enter("/set alerts.#room88 all")
    ada.wait_for("alerts.#room88 is all now")
    say(server, tmp_path / "bob88", "bob88", "#room88", "to nobody")
    ada.wait_until(lambda: ada.output.count(b"\a") == 1, "an alert of what is no mention")


def test_the_lists_go_by_themselves_where_there_is_no_room(open_client: Open) -> None:
    ada = open_client("ada85", "--room", "#room85", cols=80)
    ada.wait_for_line(r"│.*│ ada85$")
    ada.resize(79, 24)
    ada.wait_for_line(r"^ 1 server +│[^│]*$")
    ada.resize(59, 24)
    ada.wait_gone("1 server")
    ada.wait_gone("│")
    ada.resize(80, 24)
    ada.wait_for_line(r"│.*│ ada85$")


def test_who_was_stopped_for_a_while_goes_on_with_everything(open_client: Open, server: Server, tmp_path: Path) -> None:
    ada = open_client("ada86", "--room", "#room86")
    ada.wait_for("#room86  1 person")
    ada.process.send_signal(signal.SIGSTOP)
    say(server, tmp_path, "bob86", "#room86", *(f"number {number}" for number in range(200)))
    ada.type("typed while it stood still")
    time.sleep(seconds(1))
    ada.process.send_signal(signal.SIGCONT)
    ada.wait_for("number 199", "> typed while it stood still", "● ada86")
    ada.press("enter")
    ada.wait_for("ada86 typed while it stood still")


def test_the_mouse_opens_and_scrolls(open_client: Open, server: Server, tmp_path: Path) -> None:
    ada = open_client("ada87", "--room", "#room87")
    ada.wait_for("#room87  1 person")
    say(server, tmp_path, "bob87", "#room87", *(f"number {number}" for number in range(100)))
    ada.wait_for("number 99")
    ada.type("\x1b[<64;40;10M" * 5)
    ada.wait_gone("number 99")
    ada.wait_for("↓ more")
    ada.type("\x1b[<65;40;10M" * 5)
    ada.wait_for("number 99")
    row = next(index for index, line in enumerate(ada.lines) if line.startswith(" 2 #lobby"))
    ada.type(f"\x1b[<0;4;{row + 1}M\x1b[<0;4;{row + 1}m")
    ada.wait_for_line(r"^ #lobby  ")
