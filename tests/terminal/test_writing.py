"""The line of input, its keys, and how the client ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import SCRIPTS, Server
from tests.support.terminal import Terminal, terminal
from tests.support.timeouts import seconds
from tests.terminal.conftest import Open, client_command


def prompt(window: Terminal) -> str:
    """What stands in the line of input."""
    return next(line for line in window.lines if line.startswith(">"))[1:].strip()


def test_ctrl_c_clears_and_then_offers_to_leave(open_client: Open) -> None:
    ada = open_client("ada20")
    ada.type("half a message")
    ada.wait_for("> half a message")
    ada.press("ctrl c")
    ada.wait_gone("half a message")
    ada.press("ctrl c")
    ada.wait_for("> /quit")
    ada.press("enter")
    assert ada.wait_exit() == 0
    assert ada.is_restored()


def test_keys_that_terminals_like_to_take_are_free(open_client: Open) -> None:
    """Ctrl+S, Ctrl+Q and Ctrl+\\ neither stop the output nor the program."""
    ada = open_client("ada21")
    ada.press("ctrl s", "ctrl q", "ctrl \\")
    ada.enter("still alive")
    ada.wait_for("ada21 still alive")


def test_a_paste_is_not_sent_by_its_line_feeds(open_client: Open) -> None:
    ada = open_client("ada22")
    ada.paste("first line\rsecond\tline\rthird \x1b[31mline")
    ada.wait_for("3 lines were pasted")
    ada.press("enter")
    ada.wait_for("> first line", "second    line", "third ")
    assert "ada22 first" not in ada.text
    ada.press("enter")
    ada.wait_for("ada22 first line")
    ada.settle()
    assert prompt(ada) == ""


@pytest.mark.parametrize("pieces", [("\x1b", "[201~"), ("\x1b[2", "01~"), ("\x1b[201", "~")])
def test_a_paste_ends_also_where_its_end_comes_in_pieces(open_client: Open, pieces: tuple[str, str]) -> None:
    name = f"ada36{len(pieces[0])}"
    ada = open_client(name)
    first, rest = pieces
    ada.type(f"\x1b[200~pasted {first}")
    ada.settle(0.3)
    ada.type(f"{rest}and typed")
    ada.wait_for("> pasted and typed")
    ada.press("enter")
    ada.wait_for_line(rf"{name} pasted and typed +│")


@pytest.mark.parametrize("pieces", [("\x1b[", "200~"), ("\x1b[20", "0~"), ("\x1b[200", "~")])
def test_a_paste_begins_also_where_its_beginning_comes_in_pieces(open_client: Open, pieces: tuple[str, str]) -> None:
    ada = open_client(f"ada41{len(pieces[0])}")
    first, rest = pieces
    ada.type(f"first, {first}")
    ada.settle(0.3)
    ada.type(f"{rest}one\rtwo\x1b[201~")
    ada.wait_for("2 lines were pasted", "> first,")
    assert prompt(ada) == "first,"


def test_a_paste_whose_end_is_lost_swallows_no_more_than_what_comes_at_once(open_client: Open) -> None:
    ada = open_client("ada37")
    ada.type("\x1b[200~from elsewhere")
    ada.press("ctrl c")
    ada.type(", and typed")
    ada.wait_for("> from elsewhere, and typed")
    ada.press("ctrl c")
    ada.wait_gone("elsewhere")
    ada.enter("alive")
    ada.wait_for("ada37 alive")


def test_a_paste_that_waits_is_there_again_after_a_crash(open_client: Open, tmp_path: Path) -> None:
    ada = open_client("ada39")
    ada.paste("one\rtwo\rthree")
    ada.wait_for("3 lines were pasted")
    memory = tmp_path / "ada39" / "memory.json"
    ada.wait_until(lambda: memory.exists() and "one\\ntwo\\nthree" in memory.read_text(), "it is kept", limit=3)
    ada.process.kill()
    ada.process.wait(seconds(5))
    again = open_client("ada39")
    again.wait_for("3 lines were pasted")
    again.press("enter", "enter")
    again.wait_for_line(r"ada39 one +│")


def test_a_message_of_several_lines(open_client: Open) -> None:
    ada = open_client("ada23")
    ada.type("one")
    ada.press("alt enter")
    ada.type("two")
    ada.wait_for("> one")
    ada.press("enter")
    ada.wait_for_line(r"ada23 one +│")
    ada.wait_for_line(r"│ +two +│")


def test_what_was_sent_can_be_had_again_and_changed(open_client: Open) -> None:
    ada = open_client("ada24")
    ada.enter("message one")
    ada.type("unfinished")
    ada.press("up")
    ada.wait_for("> message one")
    ada.press("ctrl w")
    ada.enter("two")
    ada.wait_for("message two")
    ada.press("down")
    ada.type("!")
    ada.wait_for("> !")


def test_drafts_stay_with_their_conversations(open_client: Open) -> None:
    ada = open_client("ada25")
    ada.type("for the lobby")
    ada.wait_for("> for the lobby")
    ada.press("ctrl n")
    ada.wait_gone("for the lobby")
    ada.press("ctrl p")
    ada.wait_for("> for the lobby")


def test_what_is_had_again_leaves_the_drafts_where_they_are(open_client: Open) -> None:
    ada = open_client("ada38", "--room", "#room38")
    ada.enter("sent before")
    ada.wait_for_line(r"ada38 sent before +│")
    ada.type("for the room")
    ada.wait_for("> for the room")
    ada.press("up")
    ada.wait_for("> sent before")
    ada.press("alt 2")
    ada.wait_for_line("^ #lobby ")
    ada.press("down")
    ada.settle(0.2)
    assert prompt(ada) == ""
    ada.press("alt 3")
    ada.wait_for("> for the room")


def test_wrong_commands_are_explained_and_not_sent(open_client: Open) -> None:
    ada, bob = open_client("ada26"), open_client("bob26")
    for line in ("/unknown", "/msg", "/msg x", "/list all"):
        ada.enter(line)
    ada.wait_for("there is no command /unknown", "usage: /msg NAME TEXT", "usage: /list")
    ada.enter("//shrug says hello")
    bob.wait_for("ada26 /shrug says hello")
    assert "unknown" not in bob.text


def test_the_help_opens_scrolls_and_closes(open_client: Open) -> None:
    ada = open_client("ada27")
    ada.type("a draft")
    ada.press("f1")
    ada.wait_for("Commands", "/msg NAME TEXT")
    ada.press("page down")
    ada.wait_for("Reading")
    ada.press("esc")
    ada.wait_gone("Reading")
    ada.wait_for("> a draft")
    ada.press("esc")
    ada.settle(0.2)
    assert prompt(ada) == "a draft"


def test_clearing_lasts_until_one_scrolls_up(open_client: Open) -> None:
    ada = open_client("ada34", "--room", "#room34")
    ada.enter("seen already")
    ada.wait_for_line(r"ada34 seen already +│")
    ada.enter("/clear")
    ada.wait_gone("seen already")
    ada.enter("new")
    ada.wait_for_line(r"ada34 new +│")
    ada.settle(0.3)
    assert "seen already" not in ada.text
    ada.press("page up")
    ada.wait_for("seen already")


def test_the_lists_at_the_sides_can_be_hidden(open_client: Open) -> None:
    ada = open_client("ada28")
    ada.wait_for("1 server", "│ ada28")
    ada.press("f7")
    ada.wait_gone("1 server")
    ada.press("f8")
    ada.wait_gone("│")
    ada.press("f7", "f8")
    ada.wait_for("1 server", "│ ada28")


def test_names_have_colours_unless_they_are_not_wanted(open_client: Open) -> None:
    ada = open_client("ada29")
    ada.enter("colourful")
    ada.wait_for_line(r"ada29 colourful +│")
    assert ada.colour_of("ada29") != "default"
    assert ada.colour_of("colourful") == "default"
    bob = open_client("bob29", NO_COLOR="1")
    bob.enter("plain")
    bob.wait_for("bob29 plain")
    assert {cell.fg for row in bob.buffer for cell in row} == {"default"}


# --- the end ----------------------------------------------------------------------------------------------------------


def test_quitting_says_goodbye(open_client: Open) -> None:
    ada, bob = open_client("ada30"), open_client("bob30")
    ada.enter("/quit")
    assert ada.wait_exit() == 0
    assert ada.is_restored()
    bob.wait_for("ada30 left")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_it_and_the_terminal_is_restored(open_client: Open, number: signal.Signals) -> None:
    window = open_client(f"ada31-{number}")
    window.process.send_signal(number)
    assert window.wait_exit() == 1
    assert window.is_restored()
    assert window.output.endswith(f"chat-client: ended by {number.name}\r\n".encode())


def test_a_closed_window_ends_it(open_client: Open, tmp_path: Path) -> None:
    window = open_client("ada32")
    window.hang_up()
    assert window.process.wait(seconds(5)) == 1
    assert not list(tmp_path.rglob("crash.txt"))


def test_a_client_whose_terminal_was_given_to_another_program_ends(server: Server, tmp_path: Path) -> None:
    """What started it died, and the shell took the terminal back."""
    starter, data = tmp_path / "starter", tmp_path / "data"
    command = f"{SCRIPTS}/chat-client --port {server.port} --name ada35 --data-dir {data}"
    with terminal(["bash", "--norc", "-i"]) as window:
        window.enter(f"sh -c 'echo $$ > {starter}; {command}; :'")
        window.wait_for("● ada35")
        group = int(starter.read_text())
        os.kill(group, signal.SIGKILL)
        window.wait_for("Killed")
        with contextlib.suppress(ProcessLookupError):  # it may have noticed already
            os.killpg(group, signal.SIGTERM)
        window.wait_until(lambda: not is_there(group), "it ended")
    assert not (data / "crash.txt").exists()


def test_a_client_whose_server_is_killed_gives_the_terminal_back_to_the_shell(tmp_path: Path) -> None:
    command = f"{SCRIPTS}/chat-broker --port 0 --workers 1 --data-dir {tmp_path}/server -- {SCRIPTS}/chat-client"
    with terminal(["bash", "--norc", "-i"], cols=100) as window:
        window.enter(f"{command} --name ada36 --data-dir {tmp_path}/ada; echo ended with $?")
        window.wait_for("● ada36", limit=10)
        status: list[str | Path] = [SCRIPTS / "chat-broker", "status", "--json", "--data-dir", tmp_path / "server"]
        os.kill(json.loads(subprocess.check_output(status, timeout=seconds(5)))["supervisor"], signal.SIGKILL)
        window.wait_for("ended with 137", "chat-client: ended by SIGHUP: what had started it is gone (chat-broker, say)")
        window.settle()
        for mode in (b"\x1b[?1049", b"\x1b[?1004", b"\x1b[?1002"):
            assert window.output[window.output.rfind(mode) + len(mode) :][:1] == b"l"
        window.enter("echo it is $((40 + 2)) again")
        window.wait_for("it is 42 again")
        assert window.text.count("echo it is") == 1, "the shell echoes what is typed, and nobody else does"


def is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_z_gives_the_terminal_back_and_takes_it_again(open_client: Open) -> None:
    """Without a shell above it the program goes on at once; but the terminal was given back, and is taken as a whole again."""
    ada = open_client("ada33")
    ada.press("ctrl z")
    ada.wait_until(lambda: b"\x1b[?1049l" in ada.output, "the terminal was given back")
    ada.wait_until(lambda: ada.output.count(b"\x1b[?1049h") == 2, "the terminal was taken again")
    ada.wait_until(lambda: b"F1 help" in ada.output.rpartition(b"\x1b[?1049h")[2], "the screen was drawn again")
    ada.press("ctrl s", "ctrl q", "ctrl \\", "ctrl c")
    ada.wait_for("> /quit")
    ada.press("enter")
    assert ada.wait_exit() == 0
    assert ada.is_restored()


def test_an_error_of_the_program_leaves_one_line_and_a_file(tmp_path: Path, open_client: Open) -> None:
    """The worst case: the program itself is broken. Simulated by a screen that cannot be drawn."""
    code = (
        "import sys; from urwid_client.widgets.screen import Screen\n"
        "def broken(*arguments): raise ZeroDivisionError('by design')\n"
        "Screen._body = broken\n"
        "from urwid_client.cli import main; sys.exit(main())"
    )
    with terminal([sys.executable, "-c", code, "--port", "1", "--name", "ada", "--data-dir", tmp_path / "data"]) as window:
        assert window.wait_exit() == 1
        assert window.is_restored()
        said = window.output.decode().rpartition("\x1b[?25h")[2].replace("\r\n", "")
    assert re.search(r"chat-client: something went wrong .*ZeroDivisionError: by design.* in .*crash\.txt", said)
    assert "by design" in (tmp_path / "data" / "crash.txt").read_text()


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": ""}])
def test_a_terminal_that_cannot_is_told_what_can(env: dict[str, str]) -> None:
    with terminal([SCRIPTS / "chat-client", "--port", "1"], env=env) as window:
        assert window.wait_exit() == 1
        said = "".join(window.lines)
        assert said == "chat-client: this needs a terminal; without one use chat-client send or chat-client tail"


def test_two_terminals_of_one_person_leave_each_other_s_drafts_alone(server: Server, tmp_path: Path) -> None:
    command = client_command(server, tmp_path / "ada195", "--name", "ada195")
    with terminal(command) as one, contextlib.ExitStack() as stack:
        one.wait_for("● ada195")
        other = stack.enter_context(terminal([*command, "--room", "#room195"]))
        other.wait_for("● ada195", "#room195")
        one.press("alt 2")  # it may have begun where the other one is
        one.wait_for_line("^ #lobby ")
        one.type("of the one")
        one.wait_for("> of the one")
        one.press("alt 1")
        one.wait_for_line("^ server ")
        other.type("of the other")
        other.wait_for("> of the other")
        other.press("alt 2")
        other.wait_for_line("^ #lobby ")
        for window in (one, other):
            window.enter("/quit")
            assert window.wait_exit() == 0
    with terminal(command) as again:
        again.wait_for("● ada195", "> of the one")
        again.press("alt 3")
        again.wait_for("#room195", "> of the other")
