"""Two and more people in their terminals, on a real server."""

from __future__ import annotations

import re
import subprocess
import termios
from pathlib import Path

import pytest

from tests.support.server import SCRIPTS, Server
from tests.support.terminal import Terminal
from tests.support.timeouts import wait_until
from tests.terminal.conftest import Open


def say(server: Server, directory: Path, name: str, to: str, *lines: str) -> None:
    """What somebody without a screen says."""
    place: list[str | Path] = ["--port", str(server.port), "--data-dir", directory]
    command = [SCRIPTS / "chat-client", "send", *place, "--name", name, "--to", to]
    subprocess.run(command, input="\n".join(lines), text=True, check=True)


def settled(window: Terminal) -> str:
    window.settle()
    return window.text


def test_two_people_on_two_workers_talk(open_client: Open, server: Server) -> None:
    wait_until(lambda: server.status()["connections"] == 0, "nobody is left of other tests", every=0.1)
    ada, bob = open_client("ada1"), open_client("bob1")
    assert [worker["connections"] for worker in server.status()["per_worker"]] == [1, 1]
    ada.enter("hello, bob1")
    bob.wait_for_line(r"ada1 hello, bob1")
    bob.enter("hello yourself")
    ada.wait_for_line(r"bob1 hello yourself")
    ada.wait_for_line(r"│ bob1$")  # among the people at the side
    assert len([line for line in settled(ada).splitlines() if "hello" in line]) == 2


def test_where_one_looked_elsewhere_it_is_shown_where_the_new_ones_begin(open_client: Open) -> None:
    ada, bob = open_client("ada185", "--room", "#room185"), open_client("bob185", "--room", "#room185")
    ada.wait_for("#room185  2 people")
    bob.enter("seen")
    ada.wait_for("bob185 seen")
    ada.type("\x1b[O")  # as a terminal tells that another window has the focus
    ada.settle(0.2)
    assert "── new ──" not in ada.text
    bob.enter("not seen")
    ada.wait_for("bob185 not seen", "── new ──")
    ada.type("\x1b[I")
    bob.enter("seen again")
    ada.wait_for("seen again")
    assert re.search(r" seen +│.*── new ──.*bob185 not seen +│[^─]* seen again ", ada.text, re.DOTALL), ada.text


def test_a_private_message_is_seen_by_both_and_nobody_else(open_client: Open) -> None:
    ada, bob, eve = open_client("ada2"), open_client("bob2"), open_client("eve2")
    ada.enter("/msg bob2 the key is under the mat")
    ada.wait_for("bob2  between the two of you", "ada2 the key is under the mat")
    bob.wait_for_line(r"^ 3 ada2 +1 │")
    bob.press("alt a")
    bob.wait_for("ada2 the key is under the mat")
    bob.enter("thank you")
    ada.wait_for("bob2 thank you")
    bob.press("alt 2")
    bob.enter("good day everybody")
    eve.wait_for("good day everybody")
    assert "key" not in eve.output.decode()
    assert "thank you" not in eve.output.decode()


def test_a_name_is_asked_for_and_a_taken_one_again(open_client: Open) -> None:
    open_client("ada3")
    window = open_client()
    window.wait_for("What name do you want to go by?", "Your name:")
    window.enter("not a name")
    window.wait_for("without spaces")
    window.press("ctrl u")
    window.enter("ada3")
    window.wait_for("The name ada3 is taken. Pick another one.")
    window.press("ctrl u")
    window.enter("bob3")
    window.wait_for("● bob3")
    window.enter("made it")
    window.wait_for("bob3 made it")


def test_a_name_from_the_command_line_can_be_taken_as_well(open_client: Open) -> None:
    open_client("ada4")
    window = open_client(None, "--name", "ada4")
    window.wait_for("The name ada4 is taken. Pick another one.", "Your name: ada4")
    window.press("backspace")
    window.enter("44")
    window.wait_for("● ada44")


def test_who_asks_for_a_name_that_cannot_be_had_stays_who_they_are(open_client: Open) -> None:
    open_client("ada181")
    bob = open_client("bob181", "--room", "#room181")
    bob.enter("hello")
    bob.enter("/nick ada181")
    bob.wait_for("The name ada181 is taken", "bob181 hello")
    bob.enter("/nick аda181")
    bob.wait_for("looks like ada181")
    assert bob.text.count("still") == 2
    bob.enter("still here")
    bob.wait_for("● bob181", "still here")
    bob.enter("/nick bea181")
    bob.wait_for("● bea181", "#room181  1 person")


def test_what_is_typed_behind_join_stands_in_the_room(open_client: Open) -> None:
    ada = open_client("ada182")
    ada.type("/join #room182\rone line")
    ada.wait_for("#room182", "> one line")
    ada.press("enter")
    ada.wait_for_line(r"ada182 one line +│")
    ada.press("alt 2")
    ada.wait_for_line(r"^ #lobby ")
    assert "one line" not in ada.text


@pytest.mark.parametrize(("number", "command"), [(183, "/query nobody183"), (184, "/msg nobody184 where are you?")])
def test_what_is_typed_behind_a_name_that_nobody_has_goes_nowhere_else(open_client: Open, number: int, command: str) -> None:
    """Whenever the answer comes: at once, while one types, or behind it."""
    ada = open_client(f"ada{number}", "--room", f"#room{number}", cols=120)
    ada.wait_for(f"#room{number}  1 person")
    for wait in (0.0, 0.001, 0.003, 0.01):
        ada.enter(command)
        ada.read(wait)
        ada.type("abc")
        ada.read(wait)
        ada.enter("def")
        ada.wait_for(f"nobody goes by the name nobody{number} at present; /list", f"ada{number} abcdef ✗ not sent")
        ada.enter("/part")
        ada.wait_for_line(f"^ #room{number}  1 person")
        ada.settle()
        assert "abc" not in ada.text


def test_who_is_there_and_which_rooms(open_client: Open) -> None:
    ada, _ = open_client("ada5"), open_client("bob5")
    ada.wait_for_line(r"│ bob5$")
    ada.enter("/list")
    ada.wait_for_line(r"people in #lobby: .*ada5, bob5")
    ada.enter("/join #room5")
    ada.wait_for("#room5  1 person")
    ada.enter("/rooms")
    ada.wait_for("#room5 (1)")


def test_rooms_and_what_is_unread_in_them(open_client: Open) -> None:
    ada, bob = open_client("ada6"), open_client("bob6", "--room", "#room6")
    ada.enter("/join room6")
    ada.wait_for("#room6  2 people")
    bob.wait_for("#room6  2 people", "ada6 came")
    ada.press("alt 2")
    ada.wait_for("#lobby  ")
    bob.enter("nothing special")
    ada.wait_for_line(r"^ 3 #room6 +1 │")
    bob.enter("ada6: look here")
    ada.wait_for_line(r"^ 3 #room6 +2 │")
    ada.press("alt a")
    ada.wait_for("── new ──", "ada6: look here")
    ada.wait_for_line(r"^ 3 #room6 +│")
    ada.enter("/part")
    ada.wait_gone("#room6")
    bob.wait_for("ada6 left")


def test_earlier_messages_are_there_and_come_while_scrolling(open_client: Open, server: Server, tmp_path: Path) -> None:
    say(server, tmp_path, "bob7", "#room7", *(f"message {number}" for number in range(300)))
    ada = open_client("ada7", "--room", "#room7")
    ada.wait_for("message 299")

    def is_there_after_a_page() -> bool:
        ada.press("page up")
        ada.settle(0.03)
        return "message 0" in ada.text

    wait_until(is_there_after_a_page, "the first of them", limit=10)
    ada.settle()
    before = ada.lines[1:-3]
    say(server, tmp_path, "bob7", "#room7", "one more", "and another")
    ada.wait_for_line(r"↓ 2 new$")
    assert ada.lines[1:-3] == before
    ada.press("alt end")
    ada.wait_for("and another")
    ada.wait_gone("↓")


def test_tab_completes_names_commands_and_rooms(open_client: Open) -> None:
    ada, _ = open_client("ada8"), open_client("bobbin8")
    ada.wait_for_line(r"│ bobbin8$")
    ada.type("bob")
    ada.press("tab")
    ada.wait_for_line(r"^> bobbin8:$")
    ada.press("ctrl u")
    ada.type("/lis")
    ada.press("tab")
    ada.wait_for_line(r"^> /list$")
    ada.press("ctrl u")
    ada.type("/join #lob")
    ada.press("tab")
    ada.wait_for_line(r"^> /join #lobby$")


def test_escape_sequences_of_others_do_not_act(open_client: Open, server: Server, tmp_path: Path) -> None:
    ada = open_client("ada9")
    say(server, tmp_path, "bob9", "#lobby", "one \x1b]0;pwned\x07 \x1b[2J\x1b]52;c;cHdu\x07 \x9b31m end", "good\rEVIL")
    ada.wait_for("end", "EVIL")
    for sequence in (b"\x1b]0;pwned", b"\x1b]52", b"\xc2\x9b", b"\x1b[2J\x1b]52"):
        assert sequence not in ada.output
    assert "good" in ada.text


@pytest.mark.parametrize(("cols", "rows"), [(40, 10), (20, 5), (200, 60)])
def test_other_sizes(open_client: Open, cols: int, rows: int) -> None:
    name = f"size{cols}"
    window = open_client(name, cols=cols, rows=rows)
    window.enter("hello there")
    window.wait_for("hello there")
    window.enter("second")
    window.wait_for("second")
    assert len(window.lines) == rows


def test_a_terminal_that_does_not_know_its_size(open_client: Open) -> None:
    ada = open_client("ada11", cols=80, rows=24)
    ada.resize(80, 24)
    termios.tcsetwinsize(ada._master, (0, 0))
    ada.enter("as large as most")
    ada.wait_for("ada11 as large as most")


def test_changing_sizes_down_to_one_cell(open_client: Open) -> None:
    ada = open_client("ada10")
    ada.enter("still here")
    ada.wait_for("still here")
    for cols, rows in ((40, 10), (1, 1), (2, 3), (10, 2), (80, 24)):
        ada.resize(cols, rows)
        ada.settle(0.1)
        assert ada.process.poll() is None
    ada.wait_for("still here", "● ada10")
