"""TLS at a real server, with real certificates: who gets in how, how long one may take, and what SIGHUP changes."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shlex
import signal
import socket
import ssl
import struct
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import messages as m
from common.errors import Code
from tests.support.bystanders import Bystanders
from tests.support.certificates import Made, authority, make
from tests.support.encrypted import client_hello
from tests.support.place import Place
from tests.support.processes import Run
from tests.support.server import SCRIPTS, Server, running_server
from tests.support.timeouts import seconds, wait_until
from tests.support.wire import Wire, trusting

REACHABLE = "::ffff:127.0.0.1"
"""It leads to this machine alone, and is none of the addresses that the server knows to do so."""
SETTINGS = f"""
[limits]
login_seconds = {math.ceil(seconds(1))}
handshake_seconds = {math.ceil(seconds(1))}
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make()


@pytest.fixture(scope="module")
def server(own: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """On a loopback address, with a certificate."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "settings.toml").write_text(f'tls_cert = "{own.write(folder / "tls.pem")}"\n{SETTINGS}')
    with running_server(folder / "data", "--config", str(folder / "settings.toml")) as running:
        yield running


def encrypted(server: Server, tls: ssl.SSLContext | None = None) -> Wire:
    return Wire(server.host, server.port, tls=tls or trusting())


def ends_with(wire: Wire, code: Code) -> None:
    refused = wire.receive()
    assert isinstance(refused, m.Error)
    assert (refused.ref, refused.code) == (None, code)
    assert isinstance(wire.receive(), m.Goodbye)
    assert wire.receive() is None


# --- one port for all -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_on_a_loopback_address_some_may_encrypt_and_others_not(server: Server, version: ssl.TLSVersion) -> None:
    context = trusting()
    context.minimum_version = context.maximum_version = version
    room = f"#{version.name.lower()}"
    with encrypted(server, context) as ada, Wire(server.host, server.port) as bob:
        ada.hello(f"ada{version.name}", rooms=[room])
        bob.hello(f"bob{version.name}", rooms=[room])
        ada.say(m.make_ref(1, 1), room, "hello")
        assert bob.expect(m.Msg).text == "hello"
        bob.say(m.make_ref(2, 1), room, "x" * 15_000)
        assert ada.expect(m.Msg).text == "x" * 15_000


def test_old_versions_are_refused(server: Server) -> None:
    context = trusting()
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        encrypted(server, context)


def test_what_is_neither_is_told_so(server: Server) -> None:
    for words in (b"GET / HTTP/1.1\r\n\r\n", b"NICK ada\r\n"):
        with Wire(server.host, server.port) as wire:
            wire.send_bytes(words)
            ends_with(wire, Code.FRAME_TOO_LARGE)


# --- other machines ---------------------------------------------------------------------------------------------------------


def told(server_output: str) -> tuple[str, str]:
    """The fingerprint and the invitation that it printed."""
    found = re.search(r"^chat-broker ready on .*\nfingerprint: (\S+)\ninvitation: (chat-client '.*')\n$", server_output)
    assert found, server_output
    _, invitation = shlex.split(found[2])
    return found[1], invitation


def ready(run: Run) -> int:
    run.wait_for("invitation: ")
    found = re.search(r"ready on \[::ffff:127\.0\.0\.1\]:(\d+) ", run.out)
    assert found, run.out
    return int(found[1])


def test_where_others_can_listen_it_makes_a_key_keeps_it_and_takes_nothing_else_unless_told_to(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with place.serve("--host", REACHABLE) as run:
        port = ready(run)
        fingerprint, invitation = told(run.out)
        assert invitation.startswith("chat://[::ffff:127.0.0.1]:")
        status = place.status()
        assert (status["fingerprint"], status["invitation"]) == (fingerprint, invitation)
        assert (place.data / "tls.pem").stat().st_mode & 0o777 == 0o600
        with Wire("127.0.0.1", port, tls=trusting()) as ada, Wire("127.0.0.1", port) as bob, Wire("127.0.0.1", port) as web:
            ada.hello("ada")
            bob.send(m.Hello(1, m.VERSION, "bob", {}))
            web.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
            for wire in (bob, web):
                ends_with(wire, Code.TLS_REQUIRED)
        run.send(signal.SIGTERM)
        assert run.end() == 0
        assert "plain text" not in run.err
    with place.serve("--host", REACHABLE, "--insecure") as run:
        port = ready(run)
        assert told(run.out)[0] == fingerprint
        assert run.err.count(" plain text is taken, too: others can read along ") == 1
        with Wire("127.0.0.1", port, tls=trusting()) as ada, Wire("127.0.0.1", port) as bob, Wire("127.0.0.1", port) as half:
            ada.hello("ada")
            bob.hello("bob")
            half.send_bytes(client_hello()[:50])
            run.send(signal.SIGTERM)
            assert [ada.expect(m.Goodbye).reason, bob.expect(m.Goodbye).reason] == ["shutdown", "shutdown"]
            assert half.receive() is None, "there is nobody yet who could be told"
        assert run.end() == 0


def test_with_a_certificate_that_is_no_good_it_does_not_start(tmp_path: Path) -> None:
    with Place(tmp_path).serve("--tls-cert", "/no/such/file") as run:
        assert run.end() == 2
        assert (run.out, run.err.count("\n")) == ("", 1)


def test_the_client_that_it_runs_knows_whom_to_trust_and_others_get_in_by_an_invitation(tmp_path: Path) -> None:
    script = """
chat-client send --data-dir "$0/one" --name ada --to '#dev' hello &&
url="chat://[$CHAT_CLIENT_HOST]:$CHAT_CLIENT_PORT/%23dev?fp=$CHAT_CLIENT_FINGERPRINT"
unset CHAT_CLIENT_HOST CHAT_CLIENT_PORT CHAT_CLIENT_FINGERPRINT CHAT_CLIENT_TLS
exec chat-client tail "$url" --data-dir "$0/two" --name bob --history 1 --count 1
"""
    place = Place(tmp_path)
    path = f"{SCRIPTS}:{os.environ['PATH']}"
    with place.run("--port", "0", "--workers", "2", "--host", REACHABLE, "--", "sh", "-c", script, tmp_path, PATH=path) as run:
        assert run.end(limit=20) == 0, run.err
        assert run.out.endswith(" #dev ada: hello\n")
    for client in ("one", "two"):
        assert (tmp_path / client / "servers.json").stat().st_mode & 0o777 == 0o600


# --- SIGHUP -----------------------------------------------------------------------------------------------------------------


def shown(host: str, port: int) -> bytes:
    """The certificate (DER) that the server shows to one who comes now."""
    with Wire(host, port, tls=trusting()) as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        return wire.socket.getpeercert(True) or b""


def test_sighup_reads_the_certificate_anew_and_connections_stay(own: Made, tmp_path: Path) -> None:
    ca = authority()
    pem = own.write(tmp_path / "pem")
    with running_server(tmp_path / "data", "--tls-cert", str(pem)) as server:

        def renewed(made: bytes, says: str) -> bytes:
            pem.write_bytes(made)
            server.signal(signal.SIGHUP)
            wait_until(lambda: says in server.log.read_text(), "it has read it")
            server.status()  # the workers have answered, and so have heard
            return shown(server.host, server.port)

        with encrypted(server) as ada:
            ada.hello("ada")
            before = shown(server.host, server.port)
            after = make("localhost", by=ca)
            assert renewed(after.pem + after.key_pem(), f"read anew, {after.fingerprint}") not in (before, b"")
            assert ada.say(m.make_ref(1, 1), "#lobby", "still here")
            kept = shown(server.host, server.port)
            broken = renewed(after.pem, f"the certificate stays as it was: there is no private key (PEM) in {pem}")
            assert broken == kept
            late = make(key=own.key, days=(-9, -2))
            renewed(late.pem + late.key_pem(), f"WARN  supervisor  the certificate in {pem} expired on ")
            assert ada.say(m.make_ref(1, 2), "#lobby", "and here")
        assert server.status()["fingerprint"] == own.fingerprint
        assert server.log.read_text().count("stays as it was") == 1
        assert "died" not in server.log.read_text()
        kept = shown(server.host, server.port)
        pem.write_bytes(b"broken")
        for worker in ("worker 1", "worker 2"):  # what is started now serves with what is in use, not with what is in the file
            os.kill(server.children()[worker], signal.SIGKILL)
        wait_until(lambda: server.log.read_text().count("is back") == 2, "the workers are back")
        assert shown(server.host, server.port) == kept


# --- those who take their time ----------------------------------------------------------------------------------------------


def test_who_takes_too_long_is_sent_away_and_the_others_notice_nothing(server: Server) -> None:
    """Whether one never begins, says nothing after the handshake, or looks busy with it: a byte now and then."""
    hello = client_hello()
    with Bystanders(server) as bystanders, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Wire(server.host, server.port)), stack.enter_context(encrypted(server))]
        drips = [stack.enter_context(Wire(server.host, server.port)) for _ in range(50)]
        began = time.monotonic()
        for byte in hello:
            drips = [wire for wire in drips if drip(wire, bytes([byte]))]
            bystanders.talk(1)
            if not drips:
                break
            time.sleep(0.05)
        assert not drips, "somebody is still waited for"
        assert time.monotonic() - began < seconds(4)
        for wire in silent:
            ends_with(wire, Code.LOGIN_TIMEOUT)
        bystanders.check_server()


def drip(wire: Wire, data: bytes) -> bool:
    """Whether the connection is still open."""
    try:
        wire.send_bytes(data)
        wire.socket.setblocking(False)
        return wire.socket.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        wire.socket.settimeout(seconds(5))


def test_whatever_is_sent_as_a_handshake_harms_nobody(server: Server) -> None:
    hello = client_hello()
    with Bystanders(server) as bystanders:
        for nonsense in (
            b"\x16",
            b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
            hello[:40] + b"\xff" * 5_000,
            hello + hello,
            hello * 40,
        ):
            with Wire(server.host, server.port) as wire:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with contextlib.suppress(OSError):
                    wire.send_bytes(nonsense)
                bystanders.talk(1)
        bystanders.check_server()


def test_a_goodbye_is_read_also_when_much_was_said_that_nobody_reads(server: Server) -> None:
    """The connection is not reset under it."""
    with encrypted(server) as ada:
        ada.hello("ada-hasty")
        pings = [m.Ping(number) for number in range(2_000)]
        ada.send(m.Bye(1), *pings)
        ada.expect(m.Goodbye)
        assert ada.receive() is None


def test_one_that_reads_nothing_and_then_is_gone_leaves_nothing_behind(server: Server) -> None:
    """What was encrypted for it waits for nobody."""
    wait_until(lambda: server.status()["connections"] == 0, "nobody is left of other tests", every=0.1)
    with Wire(server.host, server.port) as bob:
        bob.hello("bob-flood", rooms=["#flood"])
        with encrypted(server) as deaf:
            deaf.hello("deaf", rooms=["#flood"])
            for number in range(60):
                bob.say(m.make_ref(1, number), "#flood", "x" * 15_000)
            wait_until(lambda: any(worker["lagging"] for worker in server.status()["per_worker"]), "it lags", every=0.1)
            deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(lambda: server.status()["connections"] == 1, "it is forgotten", every=0.1)
