"""The client's screen at a server that means no good: nothing of what it says acts on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from common import messages as m
from tests.support.hostile_server import HostileServer, packed, welcome
from tests.support.server import SCRIPTS
from tests.support.terminal import terminal

ACTING = "\x1b]0;pwn\x07\x1b[2J\x1b]52;c;cHdu\x07\x9b31m\x1b[31mred\r\x08\x00"


def act(request: m.Request) -> Iterator[bytes]:
    """What acts, wherever a server can say something; then wrong types, and once more what is right."""
    match request:
        case m.Hello(ref):
            lobby = {"conv": m.LOBBY, "topic": f"about {ACTING}", "topic_by": f"eve{ACTING}", "topic_ms": 2**63 - 1}
            renamed = {"renamed": [["bob", f"dan{ACTING}"]], "count": 2}
            yield welcome(request, server=ACTING, refused={ACTING: ACTING})
            yield packed("joined", ref, m.LOBBY, {**lobby, "members": [f"eve{ACTING}", "bob"], "last": 1, "count": 2})
            yield packed("presence", m.LOBBY, {"joined": [f"dan{ACTING}"], "left": ["bob"], "away": [f"dan{ACTING}"], **renamed})
            yield packed("error", None, ACTING, f"trouble {ACTING}")
            yield packed("msg", 11, 1, m.LOBBY, f"eve{ACTING}", 1, f"in the lobby {ACTING}", {"conv": m.LOBBY, "from": "geve"})
            yield packed(
                "msg", 12, 1, request.name, f"mallory{ACTING}", 1, f"direct {ACTING}", {"conv": "geve~gme", "from": "geve"}
            )
            yield packed("typing", m.LOBBY, f"fay{ACTING}", {"conv": m.LOBBY, "from": ACTING})
            yield packed(
                "msg", 13, 1, m.LOBBY, f"eve{ACTING}", 1, f"new {ACTING}", {"conv": m.LOBBY, "from": "ge", "topic": True}
            )
            yield packed("msg", 14, 1, m.LOBBY, "eve", 1, "good\rEVIL", {"conv": m.LOBBY, "from": "geve"})
        case m.History(ref, to):
            row = [5, 1, to, f"old{ACTING}", 1, f"before {ACTING}", {"conv": m.LOBBY}]
            yield packed("page", ref, to, [row], {"more": False, "conv": m.LOBBY})
        case m.Rooms(ref):
            yield packed("rooms", ref, [[f"#room{ACTING}", 2**63 - 1]], {"more": False})
        case m.Whois(ref):
            told = {"from": ACTING, "devices": 2, "since": 2**63 - 1, "away": f"since {ACTING}", "rooms": [f"#room{ACTING}"]}
            yield packed("whois", ref, f"eve{ACTING}", told)
        case m.Away(ref):
            yield packed("away", ref, f"gone {ACTING}")
        case m.Send(ref):
            yield packed("error", ref, "x", f"refused {ACTING}")


def test_nothing_acts_on_the_terminal(tmp_path: Path) -> None:
    with HostileServer(act) as server:
        command: list[str | Path] = [
            SCRIPTS / "chat-client",
            "--port",
            str(server.port),
            "--name",
            "ada",
            "--data-dir",
            tmp_path / "ada",
            "--bell",
            "off",
        ]
        with terminal(command) as window:
            window.wait_for("in the lobby", "good", "before", "bob is now")
            window.wait_for("changed the topic to: new", " — new")
            window.enter("/topic")
            window.wait_for("the topic of #lobby, set by", "1970 at 00:00: new")
            window.enter("hello")
            window.wait_for("refused")
            window.enter("/rooms")
            window.wait_for("#room")
            window.enter("/away")
            window.wait_for("you are away: gone")
            window.enter("/whois eve")
            window.wait_for("devices; away: since")
            window.enter("/quit")
            assert window.wait_exit() == 0
            output = window.output
    for sign in (b"\x1b]0;", b"\x1b]52;", b"\x1b[2Jred", b"\xc2\x9b", b"\x1b[31mred", b"\x00", b"\x07"):
        assert sign not in output, sign
