"""Another name, and who has it: one stays the same person by any name, and another person is another by the same one."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path

from common import messages as m
from tests.support.server import Server, running_server
from tests.support.terminal import Terminal, terminal
from tests.support.timeouts import seconds
from tests.support.wire import Wire
from tests.terminal.conftest import Open, client_command
from tests.terminal.test_chatting import say


def test_by_another_name_one_is_the_same_person(open_client: Open) -> None:
    ada, bob = open_client("ada190"), open_client("bob190")
    bob.enter("/msg ada190 are you there?")
    ada.wait_for_line(r"^ 3 bob190 +1 │")
    bob.enter("/join #room190")
    bob.wait_for("#room190  1 person")
    bob.type("half a line")
    bob.wait_for("> half a line")
    bob.press("alt 2")
    bob.wait_for_line("^ #lobby ")
    bob.enter("/nick bert190")
    bob.wait_for("● bert190", "you are bert190 now")
    ada.enter("/msg bob190 by the old name")
    ada.wait_for_line(r"ada190 by the old name$")
    bob.wait_for_line(r"^ 3 ada190 +1 │")
    bob.press("alt 4")
    bob.wait_for("#room190  1 person", "> half a line")
    bob.press("alt 3")
    bob.wait_for("are you there?", "by the old name")
    bob.enter("I go by another one now")
    ada.wait_for_line(r"^ 3 bert190 +│")
    ada.wait_for("bob190 are you there?", "by the old name", "I go by another one now")
    bob.enter("/nick bob190")
    bob.wait_for("● bob190", "you are bob190 now")


def test_others_are_told_in_one_line_that_somebody_goes_by_another_name(open_client: Open) -> None:
    ada, bob = open_client("ada193"), open_client("bob193")
    for one in (ada, bob):
        one.enter("/join #room193")
        one.wait_for_line("^ #room193 ")
    ada.wait_for("#room193  2 people")
    bob.enter("/nick bert193")
    ada.wait_for("bob193 is now bert193")
    bob.enter("hello")
    ada.wait_for_line("bert193 hello +│")
    assert "left" not in ada.text
    assert "bert193 came" not in ada.text


def test_the_next_start_by_either_name_is_the_same_person(server: Server, open_client: Open, tmp_path: Path) -> None:
    ada = open_client("ada191")
    names = ("bob191", "bert191")
    command = client_command(server, tmp_path / "bob191")
    with terminal([*command, "--name", names[0]]) as bob:
        bob.wait_for("● bob191")
        bob.enter("/msg ada191 hello")
        bob.enter("/nick bert191")
        bob.wait_for("● bert191")
        bob.type("half a line")
        bob.wait_for("> half a line")
        bob.press("alt 2")
        bob.wait_for_line("^ #lobby ")
        bob.enter("/quit")
        assert bob.wait_exit() == 0
    for number, name in enumerate(names):
        ada.wait_for_line("^ 3 b")
        with terminal([*command, "--name", name]) as again:
            again.wait_for(f"● {name}")
            again.press("alt 3")
            again.wait_for("bob191 hello", "> half a line")
            again.press("ctrl u")
            again.enter(f"as {name}")
            ada.wait_for_line(rf"^ 3 {name} +{number + 2} │")
            again.type("half a line")
            again.wait_for("> half a line")
            again.press("alt 2")
            again.wait_for_line("^ #lobby ")
            again.enter("/quit")
            assert again.wait_exit() == 0


def test_a_name_of_somebody_else_whom_one_was_is_told(server: Server, open_client: Open, tmp_path: Path) -> None:
    command = client_command(server, tmp_path / "bob192")
    with terminal([*command, "--name", "bert192"]) as bert:
        bert.wait_for("● bert192")
    bob = open_client("bob192", cols=200)
    bob.enter("/nick bert192")
    bob.wait_for("as bert192 you were somebody else", "--name bert192; you are still bob192")


def test_a_name_that_changes_hands_is_told_in_both_conversations(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", workers=1, limits={"name_grace_seconds": 1}) as server:

        def client(name: str, directory: str) -> AbstractContextManager[Terminal]:
            return terminal(client_command(server, tmp_path / directory, "--name", name), cols=160)

        with client("ada", "ada") as ada:
            ada.wait_for("● ada")
            with client("cat", "one") as cat:
                cat.wait_for("● cat")
                cat.enter("/msg ada the first cat")
                ada.wait_for_line(r"^ 3 cat +1 │")
                cat.enter("/quit")
                cat.wait_exit()
            time.sleep(seconds(1.5))
            with client("cat", "other") as cat:
                ada.wait_for_line(r"^ 3 cat \(former\) +1 │")
                cat.wait_for("● cat")
                ada.enter("/msg cat who are you?")
                ada.wait_for("this is not the cat whom you talked to before: somebody else has the name now")
                ada.wait_for_line(r"^ 4 cat +│")
                cat.enter("/msg ada another cat")
                ada.wait_for("cat another cat")
                ada.press("alt 3")
                ada.wait_for_line(r"^ cat \(former\) ")
                ada.wait_for("somebody else goes by the name cat now; what you write here is for the former one alone")
                ada.enter("/quit")
                ada.wait_exit()
            with client("ada", "ada") as again:
                again.wait_for_line(r"^ 3 cat \(former\) +│")
                again.wait_for_line(r"^ 4 cat +│")


def say_bye(wire: Wire) -> None:
    wire.send(m.Bye(9))
    while not isinstance(wire.receive(), m.Goodbye):
        pass


def test_who_had_the_name_of_somebody_for_a_moment_is_not_taken_for_them(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", workers=1, limits={"name_grace_seconds": 1}) as server:

        def wire() -> Wire:
            return Wire(server.host, server.port)

        with terminal(client_command(server, tmp_path / "ada", "--name", "ada"), cols=160) as ada:
            ada.wait_for("● ada")
            with wire() as cat:
                cat.hello("cat")
                cat.say(1, "ada", "the real cat")
                ada.wait_for_line(r"^ 3 cat +1 │")
            with wire() as other:
                token = other.hello("dog").options["token"]
            time.sleep(seconds(1.5))
            with wire() as other:
                other.hello("cat", token=token)
                say_bye(other)
            with wire() as other:
                other.hello("kate", token=token)
                other.say(1, "#lobby", "it is me, cat")
                ada.wait_for("kate it is me, cat")
                ada.wait_for_line(r"│ kate$")  # that they came is told a moment later, and nothing of who is gone by then
                other.say(2, "ada", "look")
                ada.wait_for_line(r"^ 4 kate +1 │")
                ada.press("alt 3")
                ada.wait_for("cat the real cat")
                assert "cat is now kate" not in ada.text
                ada.wait_for_line(r"^ 3 cat ")
                ada.press("alt 4")
                say_bye(other)
            with wire() as other:
                other.hello("katy", token=token)
                ada.wait_for("kate look", "kate is now katy")
                ada.wait_for_line(r"^ 4 katy ")


def test_who_is_ignored_stays_so_by_every_name_and_at_the_next_start(server: Server, open_client: Open, tmp_path: Path) -> None:
    command = client_command(server, tmp_path / "ada197", "--name", "ada197", "--room", "#room197")
    bob = open_client("bob197", "--room", "#room197")
    with terminal(command, cols=100) as ada:
        ada.wait_for("#room197  2 people")
        ada.enter("/ignore bob197")
        ada.wait_for("you ignore bob197")
        bob.enter("said as bob197")
        bob.wait_for("bob197 said as bob197")
        bob.enter("/nick bert197")
        bob.wait_for("● bert197")
        bob.enter("said as bert197")
        bob.wait_for("bert197 said as bert197")
        bob.wait_gone("said as bert197 …")
        say(server, tmp_path / "cyd197", "cyd197", "#room197", "who is here?")
        ada.wait_for("cyd197 who is here?")
        assert "said as" not in ada.text
        ada.enter("/quit")
        ada.wait_exit()
    with terminal(command, cols=100) as ada:
        ada.wait_for("● ada197")
        ada.enter("/join #room197")
        ada.wait_for("cyd197 who is here?")
        assert "said as" not in ada.text
