"""What one address may have of a real server: connections at once, and new ones in a minute. The others have theirs.

All of it in a network of the test's own, since what comes from this machine itself is not counted.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import messages as m
from common.errors import Code, wait_in
from tests.support.encrypted import tls_options
from tests.support.network import ADDRESSES, run_in_own_network
from tests.support.server import Server, running_server
from tests.support.timeouts import wait_until
from tests.support.wire import Wire, trusting

ADA, BOB, HOUSE, HOUSE_TOO, NEIGHBOUR = ADDRESSES
MINE = {"127.0.0.1", "::1"}


class Internet:
    """A server that anybody can reach."""

    def __init__(self, folder: str, tls: bool, limits: dict[str, int]) -> None:
        self.tls = trusting() if tls else None
        self.limits = limits
        self.options = tls_options(Path(folder), tls) or ["--insecure"]
        self.folder = Path(folder)
        self.stack = contextlib.ExitStack()
        self.server: Server

    @contextlib.contextmanager
    def running(self) -> Iterator[Internet]:
        with running_server(self.folder / "data", "--host", "::", *self.options, limits=self.limits) as self.server, self.stack:
            yield self

    def connect(self, source: str) -> Wire:
        """Raises `OSError` where TLS is spoken, and this one is refused."""
        host = "::1" if ":" in source else "127.0.0.1"
        host = host if source in MINE else source
        return self.stack.enter_context(Wire(host, self.server.port, tls=self.tls, source=source))

    def come(self, source: str, name: str) -> Wire:
        wire = self.connect(source)
        wire.hello(name)
        return wire

    def why_refused(self, source: str) -> str:
        """What is said to one who is refused; nothing where TLS is spoken."""
        if self.tls:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                self.connect(source)
            return ""
        wire = self.connect(source)
        refusal = wire.receive()
        assert isinstance(refusal, m.Error), refusal
        assert refusal.code == Code.TOO_MANY_CONNECTIONS
        assert isinstance(wire.receive(), m.Goodbye)
        assert wire.receive() is None
        return refusal.text


def at_once(folder: str, tls: str) -> None:
    with Internet(folder, bool(tls), {"connections_per_address": 3}).running() as internet:
        ada = [internet.come(ADA, f"ada{number}") for number in range(3)]
        house = [internet.come(HOUSE, "house0"), internet.come(HOUSE_TOO, "house1"), internet.come(HOUSE, "house2")]
        for source in (ADA, HOUSE, HOUSE_TOO):
            said = internet.why_refused(source)
            assert said in ("", "your address has 3 connections, as many as it may have: end one of them first")
            assert tls or said
        for number, source in enumerate([BOB, NEIGHBOUR] * 3 + [*MINE] * 4):
            internet.come(source, f"other{number}").say(m.make_ref(number, 1), m.LOBBY, "there is room for me")
        for number, wire in enumerate((*ada, *house)):
            wire.say(m.make_ref(99, number), m.LOBBY, "and I am still here")
        ada[0].close()
        house[1].close()
        for source, name in ((ADA, "ada3"), (HOUSE_TOO, "house3")):
            wait_until(lambda source=source, name=name: comes_in(internet, source, name), "there is room again", every=0.1)  # type: ignore[misc]
            internet.why_refused(source)


def comes_in(internet: Internet, source: str, name: str) -> bool:
    with contextlib.suppress(AssertionError, OSError):
        internet.come(source, name)
        return True
    return False


def in_a_minute(folder: str, tls: str) -> None:
    with Internet(folder, bool(tls), {"new_connections_per_minute": 5}).running() as internet:
        for sources in ([ADA] * 5, [HOUSE, HOUSE_TOO, HOUSE, HOUSE_TOO, HOUSE]):
            for number, source in enumerate(sources):
                internet.come(source, f"guest{number}{source[0]}").close()
        for source in (ADA, HOUSE, HOUSE_TOO):
            said = internet.why_refused(source)
            assert tls or 0 < (wait_in(said) or 0) <= 13, said
        for number, source in enumerate([BOB, NEIGHBOUR, *MINE, *MINE, *MINE]):
            internet.come(source, f"other{number}").say(m.make_ref(number, 1), m.LOBBY, "I come for the first time, or from here")
        refused = 3
        assert internet.server.status()["refused"] == refused


@pytest.mark.parametrize("tls", ["", "tls"], ids=["plain", "TLS"])
@pytest.mark.parametrize("scenario", [at_once, in_a_minute])
def test_what_one_address_may_have(scenario: object, tls: str, tmp_path: Path) -> None:
    assert callable(scenario)
    run_in_own_network(scenario, str(tmp_path), tls)
