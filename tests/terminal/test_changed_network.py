"""A client whose connection dies without a word: its machine slept, or is in another network now; or it was stopped itself."""

from __future__ import annotations

import signal
from pathlib import Path

from common import messages as m
from tests.support.cable import Cable, apart
from tests.support.network import run_in_own_network
from tests.support.server import SCRIPTS, Server, running_server
from tests.support.terminal import terminal
from tests.support.timeouts import wait_until
from tests.support.wire import Wire
from tests.terminal.conftest import client_command

HERE, AT_HOME, IN_THE_TRAIN = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def heard_by(wire: Wire, last: str) -> list[str]:
    """What was said to a connection, up to this text."""
    texts: list[str] = []
    while last not in texts:
        texts.append(wire.expect(m.Msg).text)
    return texts


def said(server: Server) -> list[str]:
    """All that was said in the lobby."""
    with Wire(server.host, server.port) as reader:
        reader.hello("reader")
        reader.send(m.History(2, m.LOBBY, {}))
        return [row[5] for row in reader.expect(m.Page).rows]


def goes_into_another_network(folder: str) -> None:
    """The connection is dead, and nobody tells: the client finds out by its own pings."""
    data = Path(folder)
    with running_server(data / "server", "--host", "0.0.0.0", "--insecure") as server, Wire("127.0.0.1", server.port) as bob:
        bob.hello("bob")
        command: list[str | Path] = [SCRIPTS / "chat-client", "--name", "ada", "--data-dir", data / "ada"]
        with terminal(apart([*command, "--host", HERE, "--port", str(server.port), "--insecure"]), cols=150) as ada:
            cable = Cable(ada.process.pid, HERE)
            cable.plug_in(AT_HOME)
            ada.wait_for(f"● ada on {HERE}:{server.port}  not encrypted", limit=10)
            bob.say(m.make_ref(1, 1), m.LOBBY, "before")
            ada.wait_for("bob before")
            cable.pull_out()
            bob.say(m.make_ref(1, 2), m.LOBBY, "missed")
            ada.enter("written meanwhile")
            ada.wait_for("written meanwhile …", "answers take ", limit=10)
            cable.plug_in(IN_THE_TRAIN)
            ada.wait_for("● ada", "missed", limit=40)
            ada.wait_gone("meanwhile …")
            ada.enter("here again")
            assert heard_by(bob, "here again") == ["written meanwhile", "here again"]
            ada.wait_gone("again …")
            for text in ("before", "missed", "written meanwhile"):
                assert ada.text.count(text) == 1
            assert server.status()["users"] == len("ab"), "she is who she was"
            assert "connected" not in ada.text, "it was soon over"
            ada.press("alt 1")
            again = f"connected again as ada to {HERE}:{server.port}, not encrypted, after "
            ada.wait_for(again, "s; lost: the server does not answer")


def test_a_client_that_is_in_another_network_comes_back_by_itself(tmp_path: Path) -> None:
    run_in_own_network(goes_into_another_network, str(tmp_path))


def test_a_client_that_was_stopped_for_too_long_comes_back_by_itself(tmp_path: Path) -> None:
    """The server has let it go; what was typed meanwhile is said once."""
    with (
        running_server(tmp_path / "server", workers=1, limits={"idle_seconds": 1}) as server,
        Wire(server.host, server.port) as bob,
        terminal(client_command(server, tmp_path / "ada", "--name", "ada"), cols=120) as ada,
    ):
        ada.wait_for("● ada")
        bob.hello("bob")
        ada.wait_for("bob came")
        ada.process.send_signal(signal.SIGSTOP)
        ada.enter("typed while it was stopped")

        def is_alone() -> bool:
            bob.send(m.Ping(5))  # otherwise he would be let go, too
            return bool(server.status()["connections"] == 1)

        wait_until(is_alone, "the server lets it go", limit=10, every=0.2)
        bob.say(m.make_ref(1, 1), m.LOBBY, "missed")
        ada.process.send_signal(signal.SIGCONT)
        ada.wait_for("● ada", "bob missed", "ada typed while it was stopped", limit=10)
        ada.wait_gone("stopped …")
        ada.enter("here again")
        ada.wait_for_line(r"here again +│")
        assert said(server) == ["missed", "typed while it was stopped", "here again"]
        assert ada.text.count("typed while it was stopped") == 1
