"""Clients bear a server that means no good: nothing acts on their terminal or crashes them, and they keep what they know."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from common import messages as m
from common.framing import HEADER
from common.tls import server_context
from tests.support.certificates import Made, make, new_key
from tests.support.hostile_server import HostileServer, Script, packed, welcome
from tests.support.server import SCRIPTS
from tests.support.timeouts import seconds, wait_until

ACTING = "\x1b]0;pwn\x07\x1b[2J\x1b]52;c;cHdu\x07\x9b31m\r\x08\x00\u202e\u2028"
"""Sets a title, clears the screen, fills the clipboard, colours, goes back in the line, turns it around."""
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]")
MEMORY_BYTES = 120 * 1024 * 1024
"""What a client may have, which begins with some 30 MiB."""


class Client:
    """`chat-client tail` or `send`, at a server."""

    def __init__(self, server: HostileServer, scratch: Path, form: str, *options: str) -> None:
        command: list[str | Path] = [SCRIPTS / "chat-client", form, "--port", str(server.port), "--name", "ada"]
        command += ["--data-dir", scratch / "ada", *options]
        self._out, self._err = scratch / "out", scratch / "err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    @property
    def out(self) -> str:
        return self._out.read_text(errors="surrogateescape")

    @property
    def err(self) -> str:
        return self._err.read_text(errors="surrogateescape")

    def wait(self) -> int:
        return self.process.wait(seconds(10))

    def stop(self) -> None:
        """Interrupted, it ends well: it was neither stuck nor dead."""
        self.process.send_signal(signal.SIGINT)
        assert self.wait() == 0, self.err
        self.check()

    def check(self) -> None:
        for text in (self.out, self.err):  # what is not UTF-8 would be no character of these
            assert not CONTROLS.search(text), ascii(text)
            assert "Traceback" not in text
        assert self.err.count("\n") < 10

    def resident(self) -> int:
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


Start: TypeAlias = Callable[..., Client]
"""Starts a client: `start(server, "tail", "--json")`."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    clients: list[Client] = []

    def start_one(server: HostileServer, form: str, *options: str) -> Client:
        place = tmp_path / str(len(clients))
        place.mkdir()
        clients.append(Client(server, place, form, *options))
        return clients[-1]

    yield start_one
    for client in clients:
        client.process.kill()
        client.process.wait()


def script(answer: Callable[[m.Hello], bytes]) -> Script:
    """The same for each hello, and nothing else."""

    def say(request: m.Request) -> Iterator[bytes]:
        if isinstance(request, m.Hello):
            yield answer(request)

    return say


def message(id: int, text: str = "hello", **options: object) -> bytes:
    return packed("msg", id, 1_700_000_000_000, m.LOBBY, "eve", id, text, {"conv": m.LOBBY, "from": "geve", **options})


def after_welcome(said: bytes) -> Script:
    return script(lambda hello: welcome(hello) + said)


def test_nothing_that_a_server_says_acts_on_the_terminal(start: Start) -> None:
    def act(request: m.Request) -> Iterator[bytes]:
        match request:
            case m.Hello(ref):
                yield welcome(request, server=ACTING, log=ACTING, refused={ACTING: ACTING})
                about = {"topic": ACTING, "topic_by": ACTING, "topic_ms": 2**63 - 1}
                yield packed("joined", ref, ACTING, {"conv": ACTING, "members": [ACTING], "last": 1, "count": 1, **about})
                yield packed("presence", ACTING, {key: [ACTING] for key in ("joined", "left", "away", "back")})
                yield packed("presence", m.LOBBY, {"joined": [ACTING], "left": ["bob"], "renamed": [["bob", ACTING]]})
                yield packed("away", ref, ACTING)
                yield packed("error", None, ACTING, ACTING)
                yield packed("msg", 11, 1, m.LOBBY, ACTING, 1, f"live {ACTING}", {"conv": m.LOBBY, "from": ACTING})
                yield packed("msg", 12, 1, m.LOBBY, ACTING, 1, ACTING, {"conv": m.LOBBY, "from": ACTING, "topic": True})
            case m.History(ref):
                yield packed(
                    "page", ref, ACTING, [[5, 1, ACTING, ACTING, 1, f"old {ACTING}", {"conv": m.LOBBY}]], {"more": False}
                )
                yield packed("bye", ACTING, ACTING)
                raise ConnectionAbortedError

    for options in ([], ["--json"]):
        with HostileServer(act) as server:
            client = start(server, "tail", "--history", "5", *options)
            wait_until(lambda client=client: "old" in client.out and "again" in client.err, "it has heard all")  # type: ignore[misc]
            client.stop()
            if options:
                assert all(json.loads(line)["text"] for line in client.out.splitlines())


UNREADABLE = {
    "a frame over the limit": HEADER.pack(2**32 - 1),
    "an empty frame": HEADER.pack(0),
    "what msgpack never uses": HEADER.pack(1) + b"\xc1",
    "arrays of a million": HEADER.pack(5000) + b"\xdd\x00\x0f\x42\x40" * 1000,
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "an id that is none": packed("msg", -1, 1, m.LOBBY, "eve", 1, "x", {}),
    "a text that is none": packed("msg", 11, 1, m.LOBBY, "eve", 1, None, {}),
    "options that are none": packed("msg", 11, 1, m.LOBBY, "eve", 1, "x", {"conv": 5}),
    "members that are none": packed("joined", 1, m.LOBBY, {"members": [1]}),
    "a topic that is none": packed("joined", 1, m.LOBBY, {"topic": 7}),
    "a topic of no time": packed("joined", 1, m.LOBBY, {"topic": "x", "topic_ms": 2**63}),
    "a message that is neither a topic nor none": packed("msg", 11, 1, m.LOBBY, "eve", 1, "x", {"topic": "x"}),
    "people away that are none": packed("presence", m.LOBBY, {"away": [1]}),
    "names before that are none": packed("presence", m.LOBBY, {"joined": ["eve"], "renamed": [["eve"]]}),
    "devices that are none": packed("whois", 1, "eve", {"devices": -1}),
    "rooms of somebody that are none": packed("whois", 1, "eve", {"rooms": ["#x", 7]}),
    "somebody typing who is none": packed("typing", m.LOBBY, 7, {}),
    "a reason to be away that is none": packed("away", 1, None),
    "rows that are none": packed("page", 1, m.LOBBY, [[1]], {}),
    "too many rows": packed("page", 1, m.LOBBY, [[1]] * 300, {}),
    "too few fields": packed("welcome"),
    "half a character": HEADER.pack(3) + b"\x91\xa1\xff",
}


def test_what_cannot_be_understood_is_told_in_one_line_and_tried_again(start: Start) -> None:
    said_of = all_at_once(start, {what: after_welcome(said) for what, said in UNREADABLE.items()})
    line = re.compile(r"chat-client: not connected to \S+: the server sent something unreadable: .+; trying again until .+\n")
    assert not [what for what, said in said_of.items() if not line.match(said)], said_of


def all_at_once(start: Start, scripts: Mapping[str, Script]) -> dict[str, str]:
    """A client for each of these servers; what each says until it has come back."""
    with contextlib.ExitStack() as stack:
        servers = {what: stack.enter_context(HostileServer(script)) for what, script in scripts.items()}
        clients = {what: start(server, "tail") for what, server in servers.items()}
        wait_until(lambda: all(server.visits >= 2 for server in servers.values()), "all come back", limit=20)
        for client in clients.values():
            client.stop()
        return {what: client.err for what, client in clients.items()}


WELCOMES = {
    "another name": lambda hello: packed("welcome", hello.ref, "eve", {"from": "g", "last": 1, "log": "l", "token": "t"}),
    "another ref": lambda hello: packed("welcome", hello.ref + 1, hello.name, {"from": "g", "last": 1, "log": "l", "token": "t"}),
    "no token": lambda hello: packed("welcome", hello.ref, hello.name, {"from": "g", "last": 1, "log": "l"}),
    "a token without end": lambda hello: welcome(hello, token="x" * 60_000),
    "an id beyond all": lambda hello: welcome(hello, last=2**64 - 1),
    "twice": lambda hello: welcome(hello) * 2,
}


def test_a_welcome_that_is_none(start: Start) -> None:
    said_of = all_at_once(start, {what: script(answer) for what, answer in WELCOMES.items()})
    assert all(re.match(r"chat-client: not connected to \S+: the server", said) for said in said_of.values()), said_of


def test_ids_that_do_not_rise_are_passed_over(start: Start) -> None:
    ids = [20, 30, 30, 25, 11, 31, 2**63 - 1, 32]
    with HostileServer(after_welcome(b"".join(message(id, f"text {id}") for id in ids))) as server:
        client = start(server, "tail", "--json")
        wait_until(lambda: str(2**63 - 1) in client.out, "it has heard all")
        client.stop()
        assert [json.loads(line)["id"] for line in client.out.splitlines()] == [20, 30, 31, 2**63 - 1]


def test_pages_without_end(start: Start) -> None:
    """A server that has the same message again and again, and one that has none and says that there are more."""
    row = [1, 1, m.LOBBY, "eve", 1, "again", {"conv": m.LOBBY}]
    for rows in ([row] * 3, []):

        def say(request: m.Request, rows: Sequence[object] = rows) -> Iterator[bytes]:
            if isinstance(request, m.Hello):
                yield welcome(request)
                yield message(12, "live")
            if isinstance(request, m.History):
                yield packed("page", request.ref, m.LOBBY, rows, {"more": True})

        with HostileServer(say) as server:
            client = start(server, "tail", "--history", "9")
            wait_until(lambda client=client: "live" in client.out, "it goes on")  # type: ignore[misc]
            client.stop()


def test_earlier_messages_that_the_server_cannot_give_now_are_asked_for_again(start: Start) -> None:
    asked = 0

    def be_busy(request: m.Request) -> Iterator[bytes]:
        nonlocal asked
        match request:
            case m.Hello():
                yield welcome(request)
            case m.History(ref, to):
                asked += 1
                if asked == 1:
                    yield packed("msg", 11, 1, m.LOBBY, "eve", 1, "a new one", {"conv": m.LOBBY})
                    yield packed("error", ref, "busy", "not now")
                else:
                    yield packed("page", ref, to, [[5, 1, to, "eve", 1, "an old one", {"conv": m.LOBBY}]], {"more": False})

    with HostileServer(be_busy) as server:
        client = start(server, "tail", "--history", "9", "--count", "2", "--json")
        assert client.wait() == 0
        assert [json.loads(line)["text"] for line in client.out.splitlines()] == ["an old one", "a new one"]
        assert (asked, client.err) == (2, "")


def test_a_flood_is_borne(start: Start) -> None:
    """Twenty megabytes of what nobody asked for, in each kind."""
    flood = b"".join(
        packed(*said)
        for said in (
            ("presence", m.LOBBY, {"joined": [f"n{number}" * 8 for number in range(200)]}),
            ("joined", 7, "#x", {"members": ["x" * 200] * 200}),
            ("msg", 1, 1, m.LOBBY, "eve", 1, "x" * 20_000, {"conv": m.LOBBY, "topic": True}),
            ("rooms", 7, [[f"#r{number}" * 30, 1] for number in range(200)], {"more": True}),
            ("members", 7, m.LOBBY, ["x" * 200] * 200, {"more": True}),
            ("page", 7, m.LOBBY, [[1, 1, m.LOBBY, "eve", 1, "x" * 200, {}]] * 100, {"more": True}),
            ("error", 7, "x" * 1000, "x" * 20_000),
            ("confetti", 7),
            ("pong", 7),
            ("ping", 7),
        )
    )

    def say(request: m.Request) -> Iterator[bytes]:
        if isinstance(request, m.Hello):
            yield welcome(request)
            for _ in range(20 * 1024 * 1024 // len(flood)):
                yield flood
            yield message(12, "the end")

    with HostileServer(say) as server:
        client = start(server, "tail")
        wait_until(lambda: "the end" in client.out, "it goes on", limit=20)
        assert client.resident() < MEMORY_BYTES
        client.stop()


def test_half_a_frame_and_silence_does_not_hold_it(start: Start) -> None:
    with HostileServer(after_welcome(HEADER.pack(60_000) + b"x" * 100)) as server:
        client = start(server, "tail")
        wait_until(lambda: server.visits, "it is there")
        time.sleep(seconds(0.3))
        client.stop()


SENDS = {
    "refused with what acts": ("not_in_room", f"no {ACTING}", 1, "no"),
    "refused with a code that there is not": (ACTING, f"what? {ACTING}", 1, "what?"),
    "refused with nothing": ("", "", 1, "not sent"),
}


@pytest.mark.parametrize(("code", "text", "status", "told"), SENDS.values(), ids=SENDS.keys())
def test_what_send_is_told(code: str, text: str, status: int, told: str, start: Start) -> None:
    def say(request: m.Request) -> Iterator[bytes]:
        if isinstance(request, m.Hello):
            yield welcome(request)
        if isinstance(request, m.Send):
            yield packed("error", request.ref, code, text)

    with HostileServer(say) as server:
        client = start(server, "send", "--to", m.LOBBY, "hello")
        assert client.wait() == status
        client.check()
        assert told in client.err


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a server that does this with each who comes, one after the other."""

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(seconds(5))
                answer(client)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def saying(data: bytes) -> Callable[[socket.socket], object]:
    """Says this to one who says anything, and waits for the end."""

    def say(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(data)
        while client.recv(65536):
            pass

    return say


def showing(made: Made, chain: bytes = b"", change: tuple[bytes, bytes] = (b"", b"")) -> Callable[[socket.socket], object]:
    """Shows a certificate that was changed somewhere; nothing may be said behind it."""
    der = made.certificate.public_bytes(Encoding.DER).replace(*change, 1)
    context = server_context(ssl.DER_cert_to_PEM_cert(der).encode() + chain + made.key_pem())

    def show(client: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(client, server_side=True) as encrypted:
            assert not encrypted.recv(1), "something was said to one who is not believed"

    return show


def acting_certificate() -> Made:
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ACTING.replace("\0", ""))])
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    certificate = certificate.not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2040, 1, 1))
    return Made(certificate.sign(key, hashes.SHA256()), key)


ENCRYPTED = {
    "a record that is too long": (saying(b"\x16\x03\x03\xff\xff" + b"x" * 70_000), "does not speak TLS"),
    "another protocol, and what acts": (saying(b"HTTP/1.1 400 " + ACTING.encode() + b"\r\n\r\n"), "does not speak TLS"),
    "an alert that there is not": (saying(b"\x15\x03\x03\x00\x02\x02\xff"), "was cut before it was encrypted"),
    "half a hello": (lambda client: client.sendall(b"\x16\x03\x03\x40\x00\x02"), "was cut before it was encrypted"),
    "a name that acts": (showing(acting_certificate()), "is not known here yet, its key is SHA256:"),
    "a chain without end": (showing(make(), make("a.test").pem * 150), "is not known here yet, its key is SHA256:"),
    "a version that there is not": (
        showing(make(), change=(bytes.fromhex("a003020102"), bytes.fromhex("a003020101"))),
        "shows a certificate that cannot be read",
    ),
}


@pytest.mark.parametrize(("answer", "told"), ENCRYPTED.values(), ids=ENCRYPTED.keys())
def test_what_a_server_does_before_it_is_believed(answer: Callable[[socket.socket], object], told: str, tmp_path: Path) -> None:
    with answering(answer) as port:
        command: list[str | Path] = [SCRIPTS / "chat-client", "send", "--tls", "--port", str(port), "--name", "ada"]
        command += ["--data-dir", tmp_path / "ada", "--to", m.LOBBY, "hello"]
        ended = subprocess.run(command, capture_output=True, check=False, timeout=seconds(8))
    err = ended.stderr.decode()
    assert (ended.returncode, ended.stdout, err.count("\n")) == (1, b"", 1), err
    assert told in err
    assert not CONTROLS.search(err), ascii(err)


def test_an_acknowledgement_for_something_else_is_none(start: Start) -> None:
    """The message of another one with the same ref, and one's own that was never sent."""

    def say(request: m.Request) -> Iterator[bytes]:
        if isinstance(request, m.Hello):
            yield welcome(request)
        if isinstance(request, m.Send):
            yield packed("msg", 20, 1, m.LOBBY, "eve", request.ref, "hello", {"conv": m.LOBBY, "from": "gother"})
            yield packed("msg", 21, 1, m.LOBBY, "ada", request.ref + 1, "hello", {"conv": m.LOBBY, "from": "gme"})

    with HostileServer(say) as server:
        client = start(server, "send", "--to", m.LOBBY, "hello")
        wait_until(lambda: server.visits, "it is there")
        with pytest.raises(subprocess.TimeoutExpired):
            client.process.wait(1)
        client.process.send_signal(signal.SIGINT)
        assert client.wait() == 1, "it does not say that it was sent"
        client.check()
