"""What it is like to live in the client: from the first start to the next ones, with one's own settings, on any terminal."""

from __future__ import annotations

import re
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.scene import scene, timeless
from tests.support.server import SCRIPTS, Server
from tests.support.terminal import terminal
from tests.support.timeouts import seconds
from tests.terminal.conftest import Open, client_command
from tests.terminal.test_chatting import say

SCREENS = Path(__file__).with_name("screens")


def test_whole_screens(tmp_path: Path) -> None:
    """As `docs/make_screens.py` writes them; look at the difference, and run it again if it is meant."""
    with scene(tmp_path, 120, 40) as window:
        for cols, rows in ((120, 40), (80, 24), (40, 10)):
            window.resize(cols, rows)
            expected = (SCREENS / f"{cols}x{rows}.txt").read_text().splitlines()
            window.wait_until(
                lambda wanted=expected: timeless(window.lines) == wanted,  # type: ignore[misc]
                f"the screen of tests/terminal/screens/{cols}x{rows}.txt",
            )


def test_the_first_start_asks_for_two_things_and_the_next_for_none(server: Server, tmp_path: Path) -> None:
    command: list[str | Path] = [SCRIPTS / "chat-client", "--data-dir", tmp_path / "new"]
    with terminal(command) as window:
        window.wait_for("What name do you want to go by?", "Ctrl+C leaves", "Your name:")
        window.press("ctrl c")
        assert window.wait_exit() == 0
        assert window.is_restored()
    with terminal(command) as window:
        window.wait_for("Your name:")
        window.enter("newcomer")
        window.wait_for("Which server?", "Server: 127.0.0.1:65432")
        window.press("ctrl u")
        window.enter(f"127.0.0.1:{server.port}")
        window.wait_for("● newcomer")
        window.enter("/nick oldhand")
        window.wait_for("● oldhand")
        window.enter("/connect")
        window.wait_for(f"127.0.0.1:{server.port} as oldhand")
        window.enter("/quit")
        assert window.wait_exit() == 0
        assert window.is_restored()
    with terminal(command) as window:
        window.wait_for("● oldhand")


def test_what_came_while_it_was_closed_is_announced_once(server: Server, tmp_path: Path) -> None:
    command = client_command(server, tmp_path / "ada50", "--name", "ada50")
    with terminal(command) as ada:
        ada.wait_for("● ada50")
        ada.enter("/join #room50")
        ada.wait_for("#room50  1 person")
        ada.type("half a message")
        ada.wait_for("> half a message")
        ada.press("alt 2")
        ada.wait_for("#lobby  ")
        ada.enter("/quit")
        assert ada.wait_exit() == 0
        assert b"\a" not in ada.output
    say(server, tmp_path / "bob50", "bob50", "#room50", "ada50: are you there?")
    say(server, tmp_path / "bob50", "bob50", "ada50", "a word in private")
    with terminal(command, env={"TMUX": "", "VTE_VERSION": ""}) as ada:
        ada.wait_for("unread: 1 in #room50, 1 in bob50")
        ada.wait_for_line(r"^ 3\*#room50 +1 │")
        ada.wait_for_line(r"^ 4 bob50 +1 │")
        ada.wait_until(lambda: b"\x1b]9;2 messages, the last from bob50: a word in private\x1b\\" in ada.output, "an alert")
        ada.press("alt a")
        ada.wait_for("ada50: are you there?", "> half a message")
        ada.press("ctrl u", "alt a")
        ada.wait_for("a word in private")
        ada.enter("/quit")
        ada.wait_exit()
    with terminal(command) as ada:
        ada.wait_for("● ada50", "#room50")
        ada.settle(0.3)
        assert "unread" not in ada.text
        assert b"\x1b]9;" not in ada.output


def test_settings_hold_at_once_and_at_the_next_start(server: Server, tmp_path: Path) -> None:
    command = client_command(server, tmp_path / "ada51", "--name", "ada51")
    with terminal(command) as ada:
        ada.wait_for("● ada51")
        ada.enter("/set theme dark")
        ada.wait_for("theme is dark now")
        ada.wait_until(lambda: ada.buffer[5][20].bg != "default", "a background")
        ada.type("/set theme l")
        ada.press("tab")
        ada.wait_for("> /set theme light")
        ada.press("ctrl u")
        ada.enter("/set mouse off")
        ada.wait_until(lambda: b"\x1b[?1000l" in ada.output, "the mouse was given back")
        ada.enter("/set keys.help f2")
        ada.wait_for("keys.help is F2 now")
        ada.wait_for_line(r"^ #lobby .* F2 help$")
        ada.press("f2")
        ada.wait_for("Esc closes this", "Commands")
        ada.press(*["page down"] * 4)
        ada.wait_for_line(r"^ F2 +this help$")
        ada.press(*["page up"] * 4)
        ada.wait_for("Commands")
        ada.press("esc")
        ada.wait_gone("Commands")
        ada.enter("/set theme pink")
        ada.wait_for("theme must be one of auto, dark")
        ada.enter("/quit")
        ada.wait_exit()
        assert ada.is_restored()
    with terminal(command) as ada:
        ada.wait_for("● ada51")
        assert b"\x1b[?1000h" not in ada.output
        assert ada.buffer[5][20].bg != "default"
        ada.press("f2")
        ada.wait_for("Commands")


def test_a_wrong_preference_is_told_and_one_goes_on(server: Server, tmp_path: Path) -> None:
    """For scripts it does not matter. What is said about the server has to hold, and the file has to be one."""
    file = tmp_path / "settings.toml"
    file.write_text('theme = "nosuch"\n\n[keys]\nnosuch = "F9"\nhelp = "F2"\n')
    command = client_command(server, tmp_path, "--name", "ada175")
    with terminal(command, cols=200) as window:
        window.wait_for("● ada175", "F2 help")
        usual = "(until that is mended, it is as usual)"
        window.wait_for(
            "line 1: theme must be one of auto, dark", "not 'nosuch'", "line 4: there is no setting 'keys.nosuch'", usual
        )
        window.enter("/set theme dark")
        window.wait_for("theme is dark now")
        window.enter("/quit")
        assert window.wait_exit() == 0
    with terminal(command, cols=200) as window:
        window.wait_for("● ada175", "line 4: there is no setting 'keys.nosuch'")
        assert "theme must be" not in window.text
    say(server, tmp_path, "ada175", "#lobby", "from a script")
    for wrong, words in (
        ('fingerprint = "x"', "fingerprint must be"),
        ("themes = 1", "there is no setting"),
        ("theme", "is not TOML"),
    ):
        file.write_text(wrong)
        with terminal(command, cols=200) as window:
            assert window.wait_exit() == 2
            window.wait_for(words)


def test_searching_what_was_sent_and_what_could_be_written(open_client: Open) -> None:
    ada = open_client("ada52")
    ada.enter("deploy the first")
    ada.enter("something else")
    ada.press("ctrl r")
    ada.type("depl")
    ada.wait_for_line(r"^search depl: deploy the first$")
    ada.press("enter")
    ada.wait_for_line(r"^> deploy the first$")
    ada.press("ctrl u")
    ada.type("/m")
    ada.wait_for("/msg  write to one person", "/me   say what you do")
    ada.press("tab", "tab")
    ada.wait_for_line(r"^> /me$")
    ada.enter("waves at :wave:")
    ada.wait_for_line(r"\* ada52 waves at 👋")


def test_a_hundred_sizes_a_second(open_client: Open) -> None:
    ada = open_client("ada53")
    ada.enter("still here")
    ada.wait_for_line(r"ada53 still here")
    for number in range(100):
        ada.resize(1 + number % 90, 1 + number % 30)
        ada.read(0.005)
    ada.resize(80, 24)
    ada.wait_for_line(r"ada53 still here")
    assert ada.process.poll() is None


def test_typing_goes_on_while_much_comes_in(open_client: Open, server: Server, tmp_path: Path) -> None:
    """What is typed shows at once, and what came shows without another key."""
    ada = open_client("ada56", "--room", "#room56")
    ada.wait_for("#room56  1 person")
    saying = threading.Thread(target=say, args=(server, tmp_path, "bob56", "#room56", *(f"number {n}" for n in range(1_000))))
    saying.start()
    ada.wait_for("number")
    for character in "typed meanwhile":
        ada.type(character)
        ada.read(0.01)
    ada.wait_for("> typed meanwhile")
    saying.join()
    ada.wait_for("number 999")
    assert "> typed meanwhile" in ada.text


def test_nothing_is_lost_of_what_is_written_while_signals_come() -> None:
    """Also where Python's own output has no buffer that would keep what a write has not taken."""
    code = (
        "import signal; from urwid_client.terminal import Terminal\n"
        "signal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)\n"
        "Terminal().tell('x' * 50_000)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)"
    )
    with terminal([sys.executable, "-c", code], env={"PYTHONUNBUFFERED": "1"}) as window:
        time.sleep(seconds(0.5))  # nobody reads, so it is in the middle of writing
        assert window.wait_exit() == 0
        assert window.output.count(b"x") == 50_000


def test_narrow_terminals_show_the_lists_in_the_place_of_the_messages(open_client: Open) -> None:
    ada = open_client("ada54", cols=40, rows=10)
    ada.press("f7")
    ada.wait_for_line(r"^ 1 server$")
    ada.press("f8")
    ada.wait_for_line(r"^ ada54$")
    ada.press("esc")
    ada.wait_gone(" ada54\n")


@pytest.mark.parametrize("theme", ["light", "none"])
def test_links_can_be_followed_in_every_theme(open_client: Open, theme: str) -> None:
    ada = open_client(f"ada55{theme}", "--theme", theme)
    ada.enter("see https://example.org/plan.")
    ada.wait_for("https://example.org/plan")
    ada.wait_until(lambda: re.search(rb"\x1b\]8;[^;]*;https://example\.org/plan\x1b\\", ada.output) is not None, "a link")


def test_an_output_without_signs_for_all_of_it_is_used_as_far_as_it_goes(server: Server, tmp_path: Path) -> None:
    with terminal(client_command(server, tmp_path, "--name", "ada55"), env={"PYTHONIOENCODING": "ascii"}) as window:
        window.wait_for("? ada55")
        window.enter("hello")
        window.wait_for("ada55 hello")
