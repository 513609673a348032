from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from common import client_protocol
from common import messages as m
from common.client_events import Acknowledged, Closed, Delivered, NameRefused, SendDelayed, Welcomed
from common.client_protocol import ClientProtocol
from common.errors import Code
from tests.support.model_server import ModelServer
from tests.support.timeouts import seconds
from tests.urwid_client.listener import Listener, free_port, listening
from urwid_client import connection as connection_module
from urwid_client import reconnecting
from urwid_client.connection import Connection, NotKnown, TokenNotKept, Told, Unreachable, advice, in_words, why_unreachable
from urwid_client.dialing import Dialer
from urwid_client.pins import Pins
from urwid_client.reconnecting import Stage, Status
from urwid_client.tokens import Tokens, TokensUnusable
from urwid_client.trust import Wishes


class Client:
    """A connection that remembers what it reported."""

    def __init__(self, port: int, directory: Path, name: str = "ada", patience: float | None = None) -> None:
        self.events: list[Told] = []
        self.stages: list[Status] = []
        self.name = name
        self.protocol = ClientProtocol(name, instance=7)
        self.tokens = Tokens(directory)
        self.connection = Connection(
            Dialer("127.0.0.1", port, Wishes(), Pins(directory)),
            self.protocol,
            self.tokens,
            self.events.append,
            self.stages.append,
            patience=patience,
            draw=lambda: 0.0,
        )

    def reported(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(seconds(5)):
            while not holds():
                await asyncio.sleep(0.005)

    def send(self, text: str) -> None:
        self.protocol.send(m.LOBBY, text)
        self.connection.flush()


@contextlib.asynccontextmanager
async def connected(client: Client) -> AsyncIterator[asyncio.Task[None]]:
    """Runs the connection; with a welcome at once."""
    client.connection.choose_name(client.name)
    task = asyncio.create_task(client.connection.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def play(scene: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner() as runner:
        runner.run(scene)


def test_a_server_that_asks_on_and_on_and_reads_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be written to it would fill the memory."""
    monkeypatch.setattr(connection_module, "_UNSENT_BYTES", 100_000)

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                writer.write(m.encode(m.Ping(1)) * 10_000)
                await writer.drain()
        writer.transport.abort()

    async def scene() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # else it takes megabytes before anything has to wait
        async with await asyncio.start_server(ask, sock=listening, limit=1000):
            client = Client(listening.getsockname()[1], tmp_path)
            async with connected(client):
                await client.until(lambda: any("does not read" in status.problem for status in client.stages))

    play(scene())


def test_messages_go_out_and_come_back(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: client.connection.status.stage is Stage.ONLINE)
                client.send("hello")
                await client.until(lambda: client.reported(Delivered))
                assert [ref for ref, _ in client.reported(Acknowledged)] == [m.make_ref(7, 3)]  # behind hello and a ping
                await client.until(lambda: client.connection.lag is not None)
        assert [status.stage for status in client.stages[:3]] == [Stage.CONNECTING, Stage.GREETING, Stage.ONLINE]

    play(scene())


def test_the_token_is_kept_before_anything_is_sent(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path)
            client.protocol.send(m.LOBBY, "hello")
            kept: list[str | None] = []
            client.protocol.token_kept = lambda: kept.append(client.tokens.find(client.connection.server, "ada"))  # type: ignore[method-assign]
            async with connected(client):
                await client.until(lambda: client.reported(Welcomed))
            assert kept == ["token of idada"]
            assert not server.model.entries

    play(scene())


def test_the_token_is_shown_the_next_time(tmp_path: Path) -> None:
    async def scene() -> None:
        model = ModelServer()
        async with listening(model) as server:
            first = Client(server.port, tmp_path)
            async with connected(first):
                await first.until(lambda: first.reported(Welcomed))
            model.taken.add("ada")  # from now on the name is only for whoever proves to be its owner
            second = Client(server.port, tmp_path)
            async with connected(second):
                await second.until(lambda: second.reported(Welcomed))

    play(scene())


def test_a_server_that_does_not_know_one_is_told_and_takes_no_identity_away(tmp_path: Path) -> None:
    async def visit(port: int) -> tuple[str | None, list[NotKnown]]:
        client = Client(port, tmp_path)
        async with connected(client):
            await client.until(lambda: client.connection.status.stage is Stage.ONLINE)
        return client.protocol.identity, client.reported(NotKnown)

    async def scene() -> None:
        async with listening(ModelServer()) as server:
            right, wrong = server.model, ModelServer("log-2", realm="@two")
            visits = [await visit(server.port) for server.model in (right, wrong, wrong, right)]
        assert [identity for identity, _ in visits] == ["idada", "idada@two", "idada@two", "idada"]
        assert [len(told) for _, told in visits] == [0, 1, 0, 0]
        assert "does not know who you were there, so you go on as somebody new" in visits[1][1][0].text

    play(scene())


def test_without_a_place_for_the_token_one_goes_on_and_is_told(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "file").write_text("")
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path / "data")
            client.connection.choose_name("ada")
            client.tokens = client.connection._tokens = Tokens(tmp_path / "file")
            client.send("hello")
            task = asyncio.create_task(client.connection.run())
            await client.until(lambda: client.reported(Acknowledged))
            assert len(client.reported(TokenNotKept)) == 1
            task.cancel()
            await asyncio.wait([task])

    play(scene())


def test_damaged_tokens_are_told_before_anything_happens(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text("{")
    with pytest.raises(TokensUnusable):
        Client(1, tmp_path).connection.choose_name("ada")


def test_it_comes_back_and_misses_nothing_and_sends_what_was_pending_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: client.reported(Welcomed))
                await server.close()
                await client.until(lambda: client.connection.status.stage is Stage.WAITING)
                client.send("while it was away")
                server.model.say("bob", m.LOBBY, "missed?")
                await server.open()
                await client.until(lambda: client.reported(Acknowledged))
                texts = [event.message.text for event in client.reported(Delivered)]
                assert texts == ["missed?", "while it was away"]
                assert len(server.model.entries) == 2

    play(scene())


@pytest.mark.parametrize("steady", [60, 0])
def test_a_server_that_lets_everybody_in_and_closes_is_asked_ever_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steady: float
) -> None:
    """Unless such a connection counts as a good one."""
    monkeypatch.setattr(reconnecting, "FIRST_DELAY", 0.1)
    monkeypatch.setattr(reconnecting, "STEADY", steady)
    delays: list[float] = []

    async def scene() -> None:
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path)
            failed = client.connection._backoff.failed

            def noted(lasted: float) -> float:
                delays.append(failed(lasted))
                return delays[-1]

            monkeypatch.setattr(client.connection._backoff, "failed", noted)
            async with connected(client):
                for number in range(1, 5):
                    await client.until(lambda number=number: len(client.reported(Welcomed)) == number)  # type: ignore[misc]
                    server.cut()
                    await client.until(lambda number=number: len(delays) == number)  # type: ignore[misc]

    play(scene())
    assert delays == ([0.05, 0.1, 0.2, 0.4] if steady else 4 * [0.05])


def test_a_taken_name_waits_for_another_one_on_the_same_connection(tmp_path: Path) -> None:
    async def scene() -> None:
        model = ModelServer()
        model.taken.add("ada")
        async with listening(model) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: client.reported(NameRefused))
                assert client.connection.status.stage is Stage.ASKING
                client.connection.choose_name("eve")
                await client.until(lambda: client.reported(Welcomed))
                assert client.reported(Welcomed)[0].name == "eve"
                assert server.accepted == 1

    play(scene())


def test_who_has_lost_a_name_is_the_same_person_by_another_one(tmp_path: Path) -> None:
    async def scene() -> None:
        model = ModelServer()
        async with listening(model) as server:
            client = Client(server.port, tmp_path)
            client.tokens.keep(client.connection.server, "ada", "token of idlovelace")
            model.taken.add("ada")
            async with connected(client):
                await client.until(lambda: client.reported(NameRefused))
                client.connection.choose_name("eve")
                await client.until(lambda: client.reported(Welcomed))
                assert client.reported(Welcomed)[0].identity == "idlovelace"

    play(scene())


def test_a_connection_that_is_lost_while_a_name_is_thought_of_is_made_again_for_it(tmp_path: Path) -> None:
    async def scene() -> None:
        model = ModelServer()
        model.taken.add("ada")
        async with listening(model) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: client.connection.status.stage is Stage.ASKING)
                server.cut()
                await asyncio.sleep(0.1)
                assert (server.accepted, client.connection.status.stage) == (1, Stage.ASKING)
                client.connection.choose_name("eve")
                await client.until(lambda: client.reported(Welcomed))

    play(scene())


def test_a_name_that_another_run_was_given_a_moment_ago_is_one_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_OTHER_RUN_SECONDS", seconds(5))

    async def scene() -> None:
        model = ModelServer()
        model.taken.add("ada")
        async with listening(model) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: server.accepted)
                client.tokens.keep(client.connection.server, "ada", "token of idada")
                await client.until(lambda: client.reported(Welcomed))
                assert not client.reported(NameRefused)

    play(scene())


def test_goodbye_is_said_and_answered(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path)
            async with connected(client) as task:
                await client.until(lambda: client.reported(Welcomed))
                server_side = server.model.connections[0]
                await client.connection.leave()
                assert client.reported(Closed)
                await asyncio.wait_for(task, seconds(2))
                assert isinstance(server_side.requests[-1], m.Bye)

    play(scene())


def test_no_server_the_first_time_is_told_at_once_to_the_impatient(tmp_path: Path) -> None:
    async def scene() -> None:
        client = Client(free_port(), tmp_path, patience=math.inf)
        client.connection.choose_name("ada")
        with pytest.raises(
            Unreachable, match=r"127\.0\.0\.1:\d+ cannot be reached: connection refused, see whether a server runs there"
        ):
            await asyncio.wait_for(client.connection.run(), seconds(2))

    play(scene())


def test_patience_has_an_end(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path, patience=0.2)
            async with connected(client) as task:
                await client.until(lambda: client.reported(Welcomed))
                await server.close()
                with pytest.raises(Unreachable, match="connection refused"):
                    await asyncio.wait_for(task, seconds(3))
            await server.open()

    play(scene())


def test_after_the_machine_slept_a_dead_connection_is_soon_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = 0.0
    clock = connection_module._counting_sleep
    monkeypatch.setattr(connection_module, "_counting_sleep", lambda: clock() + slept)
    monkeypatch.setattr(connection_module, "_SLEEP_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(reconnecting, "DOUBTED", seconds(0.2))

    async def scene() -> None:
        nonlocal slept
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: client.reported(Welcomed))
                slept = 3600.0
                await asyncio.sleep(seconds(0.3))
                assert client.connection.status.stage is Stage.ONLINE  # the network is as it was
                server.silent = True
                slept = 7200.0
                await client.until(lambda: client.connection.status.stage is Stage.WAITING)

    play(scene())


def test_where_no_answer_comes_the_connection_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_SLEEP_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(reconnecting, "UNANSWERED", 0.1)
    monkeypatch.setattr(reconnecting, "DOUBTED", 0.1)

    async def scene() -> None:
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: client.reported(Welcomed))
                server.silent = True
                client.send("hello")
                await client.until(lambda: client.connection.status.stage is Stage.WAITING)
                server.silent = False
                await client.until(lambda: client.reported(Acknowledged))
                assert [entry.text for entry in server.model.entries] == ["hello"]

    play(scene())


def test_an_answer_that_does_not_come_is_told_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_SLEEP_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(reconnecting, "LATE", 0.1)

    async def scene() -> None:
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: client.connection.lag is not None)
                server.silent = True
                client.stages.clear()
                client.send("hello")
                await client.until(lambda: (client.connection.lag or 0) > 0.2 and client.stages)
                assert {status.stage for status in client.stages} == {Stage.ONLINE}  # so it is drawn anew

    play(scene())


def test_a_server_that_falls_silent_is_asked_and_then_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "PING_EVERY", seconds(0.05))
    monkeypatch.setattr(reconnecting, "DEAD", seconds(0.25))

    async def scene() -> None:
        async with listening(ModelServer()) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: client.reported(Welcomed))
                await asyncio.sleep(seconds(0.35))
                assert client.connection.status.stage is Stage.ONLINE  # it answers its pings
                server.silent = True
                await client.until(lambda: client.connection.status.stage is Stage.WAITING)
                assert client.connection.status.problem == "the server does not answer"

    play(scene())


def test_what_the_server_could_not_take_is_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_protocol, "RETRY_SECONDS", 0.1)

    async def scene() -> None:
        model = ModelServer()
        model.failing = Code.STORAGE_FULL
        async with listening(model) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: client.reported(Welcomed))
                client.send("hello")
                await client.until(lambda: len(client.reported(SendDelayed)) == 2)
                model.failing = None
                await client.until(lambda: client.reported(Acknowledged))

    play(scene())


@pytest.mark.parametrize("nonsense", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\1\xc1", b"\xff" * 100])
def test_something_else_that_answers_is_told_and_tried_again(tmp_path: Path, nonsense: bytes) -> None:
    async def scene() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(nonsense)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        client = Client(server.sockets[0].getsockname()[1], tmp_path)
        async with connected(client):
            await client.until(lambda: client.connection.status.stage is Stage.WAITING)
            assert "unreadable" in client.connection.status.problem
        server.close()

    play(scene())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (m.encode(m.Pong(1)), ""),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no chat-broker, see whether the port is right"),
        (m.encode(m.Goodbye("bye", "")), "closed the connection without an answer, see whether the port is right"),
        (b"", "closed the connection without an answer, see whether the port is right"),
        (None, "does not answer as a chat-broker does, see whether the port is right"),
        (m.encode(m.Error(None, Code.TOO_MANY_CONNECTIONS, "come\x1b back")), "lets nobody in: come back"),
        (m.encode(m.Error(None, Code.TLS_REQUIRED, "")), ""),
    ],
)
def test_one_does_not_go_where_no_chat_broker_answers(
    answer: bytes | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only who waits for the end of a line, as servers of HTTP do, has to be told that it has come."""
    if answer is None:
        monkeypatch.setattr(connection_module, "CONNECT_SECONDS", 0.3)
    asked = b""

    async def scene() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            asked = await reader.readline() + await reader.readline()
            if answer is None:
                with contextlib.suppress(OSError):
                    await reader.read()
            else:
                writer.write(answer)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            there = Dialer("127.0.0.1", server.sockets[0].getsockname()[1], Wishes(), Pins(tmp_path))
            said = await why_unreachable(there)
            assert said.startswith(f"{there.server} {why}" if why else "")
            assert bool(said) == bool(why)
            await asyncio.sleep(0.01)  # until the connection is closed on this side, too

    play(scene())
    assert asked.endswith(b"ping\xce\r\n\r\n")
    assert not list(tmp_path.iterdir()), "nothing is remembered of it"


def test_who_asks_whether_a_server_is_there_takes_no_name(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(ModelServer()) as server:
            assert await why_unreachable(Dialer("127.0.0.1", server.port, Wishes(), Pins(tmp_path))) == ""
            assert [*map(type, server.model.connections[0].requests)] == [m.Ping]

    play(scene())


def test_a_refused_greeting_is_tried_again_later(tmp_path: Path) -> None:
    async def scene() -> None:
        class Busy(Listener):
            def deliver(self) -> None:
                for connection in self.model.connections:
                    if self.accepted == 1 and connection.requests:
                        hello = connection.requests[0]
                        connection.out = bytearray(m.encode(m.Error(hello.ref, "busy", "the broker is away")))
                super().deliver()

        async with listening(ModelServer(), Busy) as server:
            client = Client(server.port, tmp_path)
            async with connected(client):
                await client.until(lambda: client.reported(Welcomed))
        (waiting,) = [status for status in client.stages if status.stage is Stage.WAITING]
        assert "the broker is away" in waiting.problem

    play(scene())


RUNNING, NAME = ", see whether a server runs there", ", see whether the name is right"
NETWORK = ", see whether the address is right, and the network up"


@pytest.mark.parametrize(
    ("problem", "words", "what_to_do"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused", RUNNING),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), …"), "connection refused", RUNNING),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known", NAME),
        (socket.gaierror(-3, "Temporary failure in name resolution"), "temporary failure in name resolution", NETWORK),
        (TimeoutError(), "no answer in time", NETWORK),
        (TimeoutError(110, "Connect call failed"), "connection timed out", NETWORK),
        (OSError(113, "Connect call failed"), "no route to host", NETWORK),
        (OSError(101, "Connect call failed"), "network is unreachable", NETWORK),
        (UnicodeError("label too long"), "this is not the name of a host", NAME),
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset by peer", ""),
    ],
)
def test_problems_in_words(problem: Exception, words: str, what_to_do: str) -> None:
    assert (in_words(problem), advice(problem)) == (words, what_to_do)
