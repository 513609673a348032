"""A few people talk, and what the terminal of one of them shows: for the pictures of the documents, and for tests."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.server import SCRIPTS, Server, running_server
from tests.support.terminal import Terminal, terminal
from tests.support.timeouts import wait_until

TALK = (
    ("bob", "#lobby", "Good morning! The workshop room is set up, the projector *works*."),
    ("carla", "#lobby", "Perfect. I'll bring the cables."),
    ("carla", "#lobby", "Who has the key to the cupboard?"),
    ("dmitri", "#lobby", "me 🙂 there in ten minutes"),
    ("bob", "#dev", "the fix for the parser is merged"),
    ("erin", "#dev", "ada: could you look at the release notes?"),
    ("ada", "#lobby", "I can take the introduction, if nobody minds. My slides are ready, and they are short: six of them."),
    ("dmitri", "#lobby", "please do! the plan is at https://example.org/plan"),
    ("erin", "#lobby", "/me waves from the kitchen"),
    ("bob", "#lobby", "ada: then I'll start after you, at about 10:30. `make demo` works again"),
    ("erin", "ada", "psst, have you seen the cake in the kitchen?"),
)
TOPIC = "Spring workshop: doors 9:30, first talk 10:00 in room 2"
WRITING = "Great, see you all "


@contextlib.contextmanager
def scene(directory: Path, cols: int, rows: int, *options: str) -> Iterator[Terminal]:
    """The terminal of ada, in a real client on a real server, after everybody has spoken; it is left properly.

    `options` are for her client.
    """
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_server(directory / "server", workers=2))
        for name in ("bob", "carla", "dmitri", "erin"):
            listening = subprocess.Popen(
                [*_client(server, directory, name, "tail"), "--room", "#dev"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(listening.wait)
            stack.callback(listening.terminate)
        wait_until(lambda: server.status()["users"] == 4, "the others are there", every=0.1)
        window = stack.enter_context(terminal([*_client(server, directory, "ada"), *options], cols, rows))
        window.wait_for("● ada")
        window.enter("/join #dev")
        window.wait_for("#dev  5 people")
        window.press("alt 2")
        window.wait_for("#lobby  5 people")
        window.enter(f"/topic {TOPIC}")
        window.wait_for("#lobby  5 people")
        for name, to, text in TALK:
            if name == "ada":
                window.enter(text)
                window.wait_for(text[:20])
            else:
                subprocess.run([*_client(server, directory, name, "send"), "--to", to, text], check=True)
        window.type(WRITING)
        window.wait_for(f"> {WRITING.strip()}", "10:30")
        window.wait_for_line(r"^ 4 erin +1 │")
        window.settle(0.3)
        yield window
        window.press("ctrl c")
        window.enter("/quit")
        window.wait_exit()


def timeless(lines: list[str]) -> list[str]:
    """The lines without what is another one each time (times, the date, the port, the lag), as wide as they were."""
    kept, seen = [], False
    for line in lines:
        if found := re.match(r"((?:.*? │)? )\d\d:\d\d(?= )", line):
            line = found[1] + ("     " if seen else "09:41") + line[found.end() :]
            seen = True
        line = re.sub(r" {4,}── \w+, \d+ \w+ \d{4} ── *", lambda day: "── the day ──".center(len(day[0])), line)
        line = re.sub(r"(● ada on 127\.0\.0\.1:)\d+", r"\g<1>65432", line)
        kept.append(re.sub(r"(● ada\b.*?)  \d+ ms", r"\1  1 ms", line).rstrip("─"))
    return kept


def _client(server: Server, data_dir: Path, name: str, *form: str) -> list[str | Path]:
    return [SCRIPTS / "chat-client", *form, "--port", str(server.port), "--data-dir", data_dir / name, "--name", name]
