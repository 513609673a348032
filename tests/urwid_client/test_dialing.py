"""urwid_client.dialing with real servers and certificates: whom it believes, and what it says to those whom it does not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from common import messages as m
from common.client_protocol import ClientProtocol
from common.errors import Code
from tests.support.certificates import Made, authority, make
from tests.support.network import run_in_own_network
from tests.support.timeouts import seconds
from tests.urwid_client.tls_listener import Recorder, recording
from urwid_client.connection import Connection, Unreachable
from urwid_client.dialing import Dialer
from urwid_client.pins import Pins
from urwid_client.reconnecting import Stage, Status
from urwid_client.tokens import Tokens
from urwid_client.trust import AUTHORITY, UnknownKey, Unsafe, Wishes

TLS = Wishes(tls=True)


def play(scene: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner() as runner:
        runner.run(asyncio.wait_for(scene, seconds(10)))


async def visit(recorder: Recorder, directory: Path, wishes: Wishes = TLS) -> None:
    """Connects, and says hello with a token, as far as that is safe."""
    dialer = Dialer("127.0.0.1", recorder.port, wishes, Pins(directory))
    tokens = Tokens(directory)
    tokens.keep(dialer.server, "ada", "very secret")
    protocol = ClientProtocol("ada", instance=1)
    connection = Connection(dialer, protocol, tokens, lambda event: None, lambda status: None, patience=0.0)
    connection.choose_name("ada")
    heard = len(recorder.heard)
    running = asyncio.create_task(connection.run())
    while not running.done() and b"very secret" not in recorder.heard[heard:]:
        await asyncio.sleep(0.002)
    await ended(running)


async def ended(running: asyncio.Task[None]) -> None:
    """Raises what it ended with by itself."""
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def refused(recorder: Recorder, directory: Path, wishes: Wishes = TLS) -> str:
    """The line with which it is refused; nothing was said."""
    heard = recorder.heard
    with pytest.raises(Unsafe) as unsafe:
        await visit(recorder, directory, wishes)
    await asyncio.sleep(0.01)
    assert recorder.heard == heard
    assert "\n" not in str(unsafe.value)
    return str(unsafe.value)


def known(recorder: Recorder, directory: Path) -> str | None:
    return Pins(directory).find(f"127.0.0.1:{recorder.port}")


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """An authority that this system trusts."""
    made = authority()
    (tmp_path / "ca.pem").write_bytes(made.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


def test_the_first_visit_to_one_for_whom_nobody_vouches(tmp_path: Path) -> None:
    async def scene() -> None:
        made = make()
        async with recording(Recorder(made)) as server:
            with pytest.raises(UnknownKey):
                await visit(server, tmp_path)
            assert made.fingerprint in await refused(server, tmp_path)
            assert known(server, tmp_path) is None
            await visit(server, tmp_path, TLS._replace(accept_new=True))
            assert known(server, tmp_path) == made.fingerprint
            await visit(server, tmp_path, Wishes())  # it is spoken to in TLS now by itself, and believed
            assert server.heard.count(b"very secret") == 2

    play(scene())


def test_a_changed_key_is_refused_before_anything_is_said_and_a_renewed_certificate_is_not(tmp_path: Path) -> None:
    async def scene() -> None:
        made, other = make(), make()
        async with recording(Recorder(made)) as server:
            port = server.port
            await visit(server, tmp_path, Wishes(fingerprint=made.fingerprint))
        async with recording(Recorder(make("another.name", key=made.key, days=(-9, -1))), port) as server:
            await visit(server, tmp_path)
        async with recording(Recorder(other), port) as server:
            for wishes in (TLS, Wishes(), Wishes(accept_new=True)):
                said = await refused(server, tmp_path, wishes)
                assert f"has changed: it was {made.fingerprint}, and is {other.fingerprint}; " in said
            assert f"was to be {made.fingerprint}" in await refused(server, tmp_path, Wishes(fingerprint=made.fingerprint))
            assert known(server, tmp_path) == made.fingerprint
            await visit(server, tmp_path, Wishes(fingerprint=other.fingerprint))
            await visit(server, tmp_path)
            assert known(server, tmp_path) == other.fingerprint

    play(scene())


def test_one_for_whom_an_authority_vouches(ca: Made, tmp_path: Path) -> None:
    async def scene() -> None:
        async with recording(Recorder(make(by=ca))) as server:
            port = server.port
            await visit(server, tmp_path)
            assert known(server, tmp_path) == AUTHORITY
        async with recording(Recorder(make(by=ca)), port) as server:  # renewed, with another key
            await visit(server, tmp_path, Wishes())
        async with recording(Recorder(make()), port) as server:
            for wishes in (TLS, Wishes(accept_new=True)):
                assert "an authority vouched for 127.0.0.1:" in await refused(server, tmp_path, wishes)

    play(scene())


@pytest.mark.parametrize(
    ("name", "days", "words"),
    [
        ("127.0.0.1", (-9, -1), "it has expired, its operator has to renew it; "),
        ("127.0.0.1", (1, 9), "it is not valid yet, "),
        ("127.0.0.2", (-1, 1), "it is for another address, "),
        ("example.org", (-1, 1), "it is for another address, "),
    ],
)
def test_what_an_authority_says_counts_also_where_it_is_not_what_one_would_like(
    name: str, days: tuple[int, int], words: str, ca: Made, tmp_path: Path
) -> None:
    async def scene() -> None:
        made = make(name, by=ca, days=days)
        async with recording(Recorder(made)) as server:
            said = await refused(server, tmp_path, TLS._replace(accept_new=True))
            assert said.startswith(f"the certificate of 127.0.0.1:{server.port} is refused: {words}")
            await visit(server, tmp_path, Wishes(fingerprint=made.fingerprint))  # whoever knows the key needs nobody's word

    play(scene())


def test_one_that_spoke_tls_and_now_does_not(tmp_path: Path) -> None:
    async def scene() -> None:
        async with recording(Recorder(make())) as server:
            port = server.port
            await visit(server, tmp_path, TLS._replace(accept_new=True))
        async with recording(_Plain(), port) as server:
            with pytest.raises(Unsafe, match="does not speak TLS, and the server that you mean does; somebody may be"):
                await visit(server, tmp_path, Wishes())
            assert b"ada" not in server.heard
            await visit(server, tmp_path, Wishes(tls=False))
            assert b"very secret" in server.heard

    play(scene())


def test_tls_where_there_is_plain_text(tmp_path: Path) -> None:
    async def scene() -> None:
        async with recording(_Plain()) as server:
            with pytest.raises(Unsafe, match="does not speak TLS, and the server that you mean does; somebody may be"):
                await visit(server, tmp_path, Wishes(fingerprint=make().fingerprint))
            with pytest.raises(Unsafe, match="does not speak TLS: leave --tls away if plain text is meant"):
                await visit(server, tmp_path)
            assert b"ada" not in server.heard
            await visit(server, tmp_path, Wishes())
            assert b"very secret" in server.heard

    play(scene())


class _Plain(Recorder):
    """A server of ours without a certificate: the first bytes of TLS are a frame that is too long."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(65536)
        self.heard += data
        if data[0] == 0x16:
            writer.write(b"\0\0\0\x20\x94\xa5error\xc0\xaf")
            await writer.drain()
            writer.close()


class _Old(Recorder):
    """It refuses whatever is not TLS 1.1 or older, as such servers do: alert protocol_version (RFC 5246, section 7.2)."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"\x15\x03\x01\0\x02\x02\x46")
        await writer.drain()
        writer.close()


def test_one_that_speaks_an_old_version_only(tmp_path: Path) -> None:
    async def scene() -> None:
        async with recording(_Old()) as server:
            assert "only versions of TLS that are not safe any more" in await refused(server, tmp_path)

    play(scene())


def test_a_connection_that_is_cut_within_the_handshake_may_go_better_the_next_time(tmp_path: Path) -> None:
    async def scene() -> None:
        async with recording(Recorder(cut=True)) as server:
            with pytest.raises(Unreachable, match=r"the connection was cut before it was encrypted|[cC]onnection reset by peer"):
                await visit(server, tmp_path)

    play(scene())


class _Asking(Recorder):
    """It takes nothing but TLS."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(m.encode(m.Error(None, Code.TLS_REQUIRED, "no")) + m.encode(m.Goodbye("error", "no")))
        await writer.drain()
        writer.close()


def test_a_server_that_asks_for_tls(tmp_path: Path) -> None:
    async def scene() -> None:
        async with recording(_Asking()) as server:
            said = await refused(server, tmp_path, Wishes())
            assert said.endswith(" takes encrypted connections only: start with --tls, and without --insecure")

    play(scene())


def test_somebody_who_watches_is_told_and_it_is_tried_again(tmp_path: Path) -> None:
    """The screen goes on: the server may come back with its own key."""

    async def scene() -> None:
        made = make()
        states: list[Status] = []
        async with recording(Recorder(make())) as wrong:
            port = wrong.port
            dialer = Dialer("127.0.0.1", port, Wishes(fingerprint=made.fingerprint), Pins(tmp_path))
            protocol = ClientProtocol("ada", instance=1)
            connection = Connection(dialer, protocol, Tokens(tmp_path), lambda event: None, states.append, draw=lambda: 0.0)
            connection.choose_name("ada")
            running = asyncio.create_task(connection.run())
            while not any("is not the server that you mean" in state.problem for state in states):
                await asyncio.sleep(0.005)
            assert wrong.heard == b""
        async with recording(Recorder(made), port) as right:
            while b"ada" not in right.heard:
                await asyncio.sleep(0.005)
            await ended(running)

    play(scene())


def test_somebody_who_watches_is_asked_about_an_unknown_key_and_nothing_is_said_before_the_answer(tmp_path: Path) -> None:
    async def scene() -> None:
        made = make()
        async with recording(Recorder(made)) as server:
            asked: asyncio.Queue[object] = asyncio.Queue()
            dialer = Dialer("127.0.0.1", server.port, TLS, Pins(tmp_path))
            protocol = ClientProtocol("ada", instance=1)
            connection = Connection(dialer, protocol, Tokens(tmp_path), asked.put_nowait, lambda status: None, draw=lambda: 0.0)
            connection.choose_name("ada")
            running = asyncio.create_task(connection.run())
            unknown = await asked.get()
            assert isinstance(unknown, UnknownKey)
            assert (unknown.server, unknown.fingerprint) == (f"127.0.0.1:{server.port}", made.fingerprint)
            await asyncio.sleep(0.3)  # more than the time after which what failed is tried again
            assert (connection.status.stage, asked.empty(), server.heard) == (Stage.ASKING, True, b"")
            connection.believe(unknown.fingerprint)
            while b"ada" not in server.heard:
                await asyncio.sleep(0.005)
            await ended(running)
        assert Pins(tmp_path).find(dialer.server) == made.fingerprint

    play(scene())


def test_localhost_is_called_where_its_secrets_belong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On most machines it is ::1 first: a port that anybody may take beside the one of a server on 127.0.0.1."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest: look_up("::1" if str(host).lower() == "localhost" else host, *rest)
    )

    async def call(port: int) -> tuple[str, int]:
        _, writer = await Dialer("LocalHost", port, Wishes(), Pins(tmp_path)).dial()
        peer: tuple[str, int] = writer.get_extra_info("peername")
        writer.transport.abort()
        return peer

    with socket.create_server(("127.0.0.1", 0)) as server:
        assert asyncio.run(call(server.getsockname()[1])) == server.getsockname()


def call_the_only_port(directory: str) -> None:
    """In a network where whoever calls somebody does so from the very port that is called."""
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40001 40001")
    (port,) = {int(word) for word in Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()}
    with socket.socket() as itself:
        itself.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # gives the port back at once
        itself.connect(("127.0.0.1", port))
        assert itself.getsockname() == itself.getpeername(), "the system connects a socket to itself"

    async def call() -> None:
        with pytest.raises(ConnectionRefusedError):
            await Dialer("127.0.0.1", port, Wishes(), Pins(Path(directory))).dial()
        await asyncio.sleep(0.05)  # it is closed by the loop
        with socket.create_server(("127.0.0.1", port)):
            pass

    asyncio.run(call())


def test_who_is_connected_to_itself_has_reached_nobody(tmp_path: Path) -> None:
    run_in_own_network(call_the_only_port, str(tmp_path))
