"""Topics of rooms in a real terminal: the first line of the screen, and what `/topic` does."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.server import SCRIPTS, Server, running_server
from tests.support.terminal import terminal
from tests.terminal.conftest import Open, client_command
from tests.terminal.test_looks import cells


@pytest.mark.parametrize("theme", ["dark", "light", "none"])
def test_a_topic_stands_in_the_first_line_with_its_looks(open_client: Open, theme: str) -> None:
    room = f"#room90{theme}"
    ada, bob = (open_client(f"{name}90{theme}", "--room", room, "--theme", theme, cols=100) for name in ("ada", "bob"))
    bob.wait_for(f"{room}  2 people")
    ada.enter("/topic *release* on Friday, plan: https://example.org/plan")
    for window in (ada, bob):
        window.wait_for_line(rf"^ {room}  2 people — \*release\* on Friday, plan: https://example.org/plan +F1 help$")
        window.wait_for_line(rf"· ada90{theme} changed the topic to: \*release\*")
    heading = bob.buffer[0]
    text = "".join(cell.data or " " for cell in heading)

    def part(words: str) -> list[object]:
        return [(cell.fg, cell.bold, cell.underscore) for cell in heading[text.index(words) :][: len(words)]]

    ordinary = cells(bob, " on Friday")[0].fg
    assert {*part(" on Friday, ")} == {(ordinary, False, False)}
    assert {*part("*release*")} == {(ordinary, True, False)}
    assert {*part("https://example.org/plan")} == {(ordinary, False, True)}
    assert ({*part(" — ")} == {(ordinary, False, False)}) == (theme == "none"), "the dash is no part of it"
    assert {cell.bg for cell in heading} == {bob.buffer[5][40].bg}
    bob.wait_until(lambda: re.search(rb"\x1b\]8;[^;]*;https://example\.org/plan\x1b\\", bob.output) is not None, "a link")
    bob.enter("/topic")
    bob.wait_for_line(rf"· the topic of {room}, set by ada90{theme} on \d+")
    bob.enter("/topic -")
    ada.wait_for(f"bob90{theme} cleared the topic")
    ada.wait_for_line(rf"^ {room}  2 people +F1 help$")


def test_a_long_topic_is_cut_and_shown_in_full_when_asked_for(open_client: Open) -> None:
    ada = open_client("ada91", "--room", "#room91", cols=60)
    ada.wait_for("#room91  1 person")
    ada.enter("/topic " + "words " * 30 + "the end")
    ada.wait_for_line(r"^ #room91  1 person — words words words words w?o?r?d?… F1 help$")
    ada.enter("/clear")
    ada.enter("/topic")
    ada.wait_for("the topic of #room91, set by", "the end")
    ada.resize(30, 12)
    ada.wait_for_line(r"^ #room91  1 person — words wo…$")
    ada.resize(60, 24)
    ada.type("/topic ")
    ada.press("tab")
    ada.wait_for_line(r"^> /topic words words")
    ada.press("ctrl u")
    ada.type("/top")
    ada.wait_for("/topic  show what this room is about, or set it")


def test_a_topic_is_neither_unread_nor_an_alert(open_client: Open) -> None:
    ada, bob = open_client("ada92", "--room", "#room92", "--alert", "all"), open_client("bob92", "--room", "#room92")
    ada.press("alt 2")
    ada.wait_for("#lobby  ")
    bob.enter("/topic ada92: tea")
    bob.enter("something else")
    ada.wait_for_line(r"^ 3 #room92 +1 │")
    ada.settle()
    assert ada.output.count(b"\a") == 1
    ada.press("alt 3")
    ada.wait_for("#room92  2 people — ada92: tea", "── new ──")


def test_a_topic_is_there_again_after_restarts_of_client_and_server(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        port = server.port
        command = client_command(server, tmp_path / "ada", "--name", "ada93", "--room", "#room93")
        with terminal(command) as ada:
            ada.wait_for("#room93  1 person")
            ada.enter("/topic tea at five")
            ada.wait_for("#room93  1 person — tea at five")
            ada.enter("/quit")
            ada.wait_exit()
        server.signal(signal.SIGKILL)
        server.kill()
    with terminal(command) as ada:
        ada.wait_for("○ not connected")
        ada.enter("/topic milk")
        ada.wait_for("ada93 changes the topic to: milk …")
        with running_server(tmp_path / "data", "--port", str(port)):
            ada.wait_for("● ada93", limit=15)
            ada.wait_for("#room93  1 person — milk", "ada93 changed the topic to: milk")
            ada.enter("/quit")
            ada.wait_exit()


def test_tail_tells_of_topics(open_client: Open, server: Server, tmp_path: Path) -> None:
    ada = open_client("ada94", "--room", "#room94")
    ada.enter("/topic tea")
    ada.wait_for("#room94  1 person — tea")
    ada.enter("/topic -")
    ada.wait_for("cleared the topic")
    command: list[str | Path] = [SCRIPTS / "chat-client", "tail", "--port", str(server.port), "--data-dir", tmp_path / "tail"]
    command += ["--name", "tail94", "--room", "#room94", "--history", "2", "--count", "2"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"#room94 (.*)\n", told) == ["ada94 changed the topic to: tea", "ada94 cleared the topic"]
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    assert re.findall(r'"text": (".*?").*"topic": (\w+)', told) == [('"tea"', "true"), ('""', "true")]
