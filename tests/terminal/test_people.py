"""What the screen shows of people: who is away, who somebody is, who is typing."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.server import Server
from tests.support.terminal import Terminal, terminal
from tests.terminal.conftest import Open, client_command


def person(window: Terminal, name: str) -> tuple[str, str]:
    """How somebody is listed at the right: the sign in front of the name, and the name's colour; both empty if they are not."""
    for y, line in enumerate(window.lines):
        if found := re.search(rf"│(.){name}$", line):
            return found[1], str(window.buffer[y][found.start() + 2].fg)
    return "", ""


def test_who_is_away_is_dim_and_marked_and_said_once(open_client: Open) -> None:
    ada, bob = open_client("ada75"), open_client("bob75")
    for window in (ada, bob):
        window.enter("/join #room75")
    for window in (ada, bob):
        window.wait_for("#room75  2 people")
    here = person(ada, "bob75")
    assert here[0] == " "
    bob.enter("/away at the dentist")
    bob.wait_for("you are away: at the dentist; /back", "  away ")
    ada.wait_until(lambda: person(ada, "bob75")[0] == "~", "a mark")
    assert person(ada, "bob75")[1] != here[1]
    assert person(ada, "bob75")[1] == ada.colour_of("F1 help")
    ada.enter("/msg bob75 are you there?")
    ada.wait_for("bob75  away, between the two of you", "bob75 is away: at the dentist")
    ada.enter("hello?")
    ada.wait_for_line(r"ada75 hello\?$")
    assert ada.text.count("bob75 is away") == 1
    bob.enter("/back")
    bob.wait_for("you are back")
    ada.wait_gone("away, between")
    ada.press("alt 3")
    ada.wait_until(lambda: person(ada, "bob75") == here, "bob75 as before")


def test_all_devices_know_whether_one_is_away(server: Server, tmp_path: Path) -> None:
    command = client_command(server, tmp_path / "ada", "--name", "ada79")
    with terminal(command) as one:
        one.wait_for("● ada79")
        with terminal(command) as other:
            other.wait_for("● ada79")
            one.enter("/away at lunch")
            for window in (one, other):
                window.wait_for("you are away: at lunch; /back ends it", "  away ")
            other.enter("/back")
            for window in (one, other):
                window.wait_for("you are back")
                window.wait_gone("  away ")


def test_who_is_typing_is_told_calmly_and_can_be_turned_off(open_client: Open) -> None:
    ada, bob = open_client("ada78"), open_client("bob78")
    for window in (ada, bob):
        window.enter("/join #room73")
    for window in (ada, bob):
        window.wait_for("#room73  2 people")
    ada.settle()
    before = ada.lines[:-2]
    bob.type("/who")
    bob.wait_for("> /who")
    bob.press("ctrl u")
    bob.type("hel")
    ada.wait_for_line(r"^── ● ada78 .* bob78 is typing ─")
    assert ada.lines[:-2] == before, "nothing moves"
    assert ada.colour_of("is typing") == ada.colour_of("F1 help")
    bob.enter("lo")
    ada.wait_for("bob78 hello")
    ada.settle()
    assert "is typing" not in ada.text
    ada.enter("/set typing off")
    ada.wait_for("typing is off now")
    bob.type("are you there?")
    bob.wait_for("> are you there?")
    ada.type("yes")
    ada.settle(0.3)
    assert "is typing" not in ada.text
    assert "is typing" not in bob.text
    ada.press("ctrl u")
    ada.enter("/set typing on")
    ada.wait_for("typing is on now")
    ada.type("yes")
    bob.wait_for("ada78 is typing")


def test_who_somebody_is(open_client: Open) -> None:
    ada, bob = open_client("ada77", cols=120), open_client("bob77")
    bob.enter("/away on holiday")
    bob.wait_for("you are away: on holiday")
    ada.enter("/whois BOB77")
    ada.wait_for_line(r"· bob77: here since \d\d:\d\d; away: on holiday; in")
    ada.enter("/whois nobody77")
    ada.wait_for("nobody77: nobody goes by this name")


def test_the_mark_is_there_without_colours(open_client: Open) -> None:
    ada, bob = open_client("ada76", "--theme", "none"), open_client("bob76")
    for window in (ada, bob):
        window.enter("/join #room71")
    for window in (ada, bob):
        window.wait_for("#room71  2 people")
    bob.enter("/away")
    ada.wait_until(lambda: person(ada, "bob76")[0] == "~", "a mark")
