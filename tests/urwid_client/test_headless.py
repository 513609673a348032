from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest

from common import client_protocol
from common import messages as m
from common.client_events import Delivered
from common.errors import Code
from tests.support.model_server import ModelServer
from tests.support.timeouts import seconds
from tests.urwid_client.listener import Listener, listening
from urwid_client import headless
from urwid_client.errors import Failed, OutputClosed
from urwid_client.headless import Wanted
from urwid_client.settings import ClientSettings

EVERYTHING = Wanted(json=True, after=None, history=None, most=None)


def settings(directory: Path, port: int, name: str | None = "ada", room: str | None = None) -> ClientSettings:
    return ClientSettings("127.0.0.1", port, name, room, directory)


async def texts(words: Iterable[str]) -> AsyncIterator[tuple[str, str]]:
    for number, word in enumerate(words, 1):
        yield f"line {number} was", word


def play(scene: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner() as runner:
        runner.run(scene)


async def sent(server: Listener, directory: Path, to: str, *words: str) -> None:
    async with asyncio.timeout(seconds(10)):
        await headless._Send(settings(directory, server.port), to).run(texts(words))


def log_of(model: ModelServer) -> list[str]:
    return [entry.text for entry in model.entries]


# --- send -------------------------------------------------------------------------------------------------------------


def test_each_text_is_sent_once_and_in_order(tmp_path: Path) -> None:
    async def scene() -> None:
        model = ModelServer()
        async with listening(model) as server:
            await sent(server, tmp_path, "#dev", *map(str, range(300)))
            assert log_of(model) == [str(number) for number in range(300)]
            assert {entry.to for entry in model.entries} == {"#dev"}
            assert server.goodbyes == 1

    play(scene())


def test_no_more_than_a_few_are_on_their_way(tmp_path: Path) -> None:
    """The input is not read faster than the server takes it."""

    async def scene() -> None:
        taken = 0

        async def counted() -> AsyncIterator[tuple[str, str]]:
            nonlocal taken
            for number in range(10_000):
                taken += 1
                yield "a line", str(number)

        async with listening(ModelServer()) as server:
            server.silent = True
            sending = asyncio.create_task(headless._Send(settings(tmp_path, server.port), m.LOBBY).run(counted()))
            await until(lambda: taken > headless._PIPELINED)
            await asyncio.sleep(0.3)
            sending.cancel()
            await asyncio.wait([sending])
            assert taken == headless._PIPELINED + 1

    play(scene())


def test_a_lost_connection_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        model = ModelServer()
        async with listening(model) as server:

            async def interrupted() -> AsyncIterator[tuple[str, str]]:
                for number in range(200):
                    if number % 50 == 25:
                        server.cut()
                        await asyncio.sleep(0)
                    yield "a line", str(number)

            async with asyncio.timeout(seconds(20)):
                await headless._Send(settings(tmp_path, server.port), m.LOBBY).run(interrupted())
            assert log_of(model) == [str(number) for number in range(200)]
            assert server.accepted > 1

    play(scene())


def test_a_refused_line_is_named_and_nothing_behind_it_is_sent(tmp_path: Path) -> None:
    async def scene() -> None:
        model = ModelServer()
        async with listening(model) as server:
            with pytest.raises(Failed, match=r"^line 3 was not sent: a message needs a text$"):
                await sent(server, tmp_path, m.LOBBY, "one", "two", "", "four", "five")
        assert log_of(model) == ["one", "two"]

    play(scene())


def test_a_server_that_takes_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headless, "PATIENCE", seconds(0.3))
    monkeypatch.setattr(client_protocol, "RETRY_SECONDS", 0.05)

    async def scene() -> None:
        model = ModelServer()
        model.failing = Code.STORAGE_FULL
        async with listening(model) as server:
            with pytest.raises(Failed, match=r"took nothing for .* \(the server's disk is full\); gave up"):
                await sent(server, tmp_path, m.LOBBY, "one")

    play(scene())


def test_a_taken_name_says_what_to_do(tmp_path: Path) -> None:
    async def scene() -> None:
        model = ModelServer()
        model.taken.add("ada")
        async with listening(model) as server:
            with pytest.raises(Failed, match="the name ada is taken; choose another one with --name"):
                await sent(server, tmp_path, m.LOBBY, "one")

    play(scene())


def test_no_server_is_told_at_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(ModelServer()) as server:
            await server.close()
            with pytest.raises(Failed, match="cannot be reached: connection refused"):
                await sent(server, tmp_path, m.LOBBY, "one")
            await server.open()

    play(scene())


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (b"a\nb\n", {1: "a", 2: "b"}),
        (b"a\n\n  \n\tb  \r\nc", {1: "a", 4: "\tb", 5: "c"}),
        (b"", {}),
        (b"\xff\xfe\n\x1b[2J\x00\n", {1: "��", 2: "[2J"}),
        ("ü".encode() * 50_000 + b"\nx", {1: "ü" * 50_000, 2: "x"}),
    ],
)
def test_the_lines_of_the_standard_input(given: bytes, read: dict[int, str]) -> None:
    async def scene() -> None:
        lines = [line async for line in headless._lines()]
        assert {int(what.split()[1]): text for what, text in lines} == read

    with_input(given, scene)


def test_something_without_lines_is_no_text() -> None:
    async def scene() -> None:
        with pytest.raises(Failed, match=r"line 1 is longer than 1,048,576 bytes; is this text\?"):
            [line async for line in headless._lines()]

    with_input(bytes(1_200_000), scene)


def with_input(given: bytes, scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Plays a scene with a pipe as the standard input, that `given` comes through."""

    def feed() -> None:
        left = memoryview(given)
        try:
            while left:
                left = left[os.write(entrance, left) :]
        except BrokenPipeError:
            pass
        os.close(entrance)

    kept = os.dup(0)
    outlet, entrance = os.pipe()
    os.dup2(outlet, 0)
    os.close(outlet)
    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        play(scene())
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        feeding.join()


# --- tail -------------------------------------------------------------------------------------------------------------


class Output:
    """What `tail` prints."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []
        monkeypatch.setattr(headless, "say", self.lines.append)
        monkeypatch.setattr(headless, "complain", self.warnings.append)

    @property
    def texts(self) -> list[str]:
        return [json.loads(line)["text"] for line in self.lines]


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    return Output(monkeypatch)


async def tailed(server: Listener, directory: Path, wanted: Wanted, room: str | None = None) -> None:
    async with asyncio.timeout(seconds(10)):
        await headless._Tail(settings(directory, server.port, room=room), wanted).run()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(seconds(5)):
        while not holds():
            await asyncio.sleep(0.005)


def filled(count: int, to: str = m.LOBBY) -> ModelServer:
    model = ModelServer()
    for number in range(count):
        model.say("bob", to, str(number))
    return model


def test_the_last_messages_and_then_what_comes(tmp_path: Path, output: Output) -> None:
    async def scene() -> None:
        model = filled(10)
        async with listening(model) as server:
            tailing = asyncio.create_task(tailed(server, tmp_path, EVERYTHING._replace(history=3, most=5)))
            await until(lambda: len(output.lines) == 3)
            for text in ("live", "and more", "too much"):
                model.say("bob", m.LOBBY, text)
            server.deliver()
            await tailing
        assert output.texts == ["7", "8", "9", "live", "and more"]

    play(scene())


def test_more_than_a_page_of_history(tmp_path: Path, output: Output) -> None:
    async def scene() -> None:
        async with listening(filled(500)) as server:
            await tailed(server, tmp_path, EVERYTHING._replace(history=450, most=450))
        assert output.texts == [str(number) for number in range(50, 500)]

    play(scene())


def test_less_history_than_wanted(tmp_path: Path, output: Output) -> None:
    async def scene() -> None:
        async with listening(filled(3)) as server:
            await tailed(server, tmp_path, EVERYTHING._replace(history=450, most=3))
        assert output.texts == ["0", "1", "2"]

    play(scene())


def test_a_page_without_anything_ends_the_history_whatever_it_says(tmp_path: Path, output: Output) -> None:
    tail = headless._Tail(settings(tmp_path, 1), EVERYTHING._replace(history=3))
    tail._on_page([], more=True)
    tail.on_event(Delivered(m.Msg(1, 1, m.LOBBY, "bob", 5, "live", {"conv": None})))
    assert output.texts == ["live"]


def test_what_came_again_while_earlier_messages_were_loaded_is_printed_once(tmp_path: Path, output: Output) -> None:
    """The connection broke before they came: what is replayed stands in them, too."""
    tail = headless._Tail(settings(tmp_path, 1), EVERYTHING._replace(history=3))
    page = [m.Msg(number, number, m.LOBBY, "bob", number, str(number), {"conv": None}) for number in (5, 6, 7)]
    for message in page[1:]:
        tail.on_event(Delivered(message))
    tail._on_page(page, more=True)
    assert output.texts == ["5", "6", "7"]


def test_what_follows_an_id(tmp_path: Path, output: Output) -> None:
    async def scene() -> None:
        model = filled(10)
        async with listening(model) as server:
            await tailed(server, tmp_path, EVERYTHING._replace(after=model.entries[6].id, most=3))
        assert output.texts == ["7", "8", "9"]

    play(scene())


def test_an_id_that_the_log_does_not_reach(tmp_path: Path, output: Output) -> None:
    async def scene() -> None:
        async with listening(filled(1)) as server:
            with pytest.raises(Failed, match="the log of this server does not reach the id 999"):
                await tailed(server, tmp_path, EVERYTHING._replace(after=999))

    play(scene())


def test_one_room_is_one_room_and_otherwise_there_are_direct_messages_too(tmp_path: Path, output: Output) -> None:
    async def scene() -> None:
        model = ModelServer()
        async with listening(model) as server:
            for room, count in ((None, 2), ("#dev", 1)):
                tailing = asyncio.create_task(tailed(server, tmp_path, EVERYTHING._replace(most=count), room))
                await until(lambda: model.names_in(m.LOBBY))
                for to in ("ada", m.LOBBY, "#dev"):
                    model.say("bob", to, f"to {to} for {room}")
                server.deliver()
                await tailing
                await until(lambda: not model.connections)
        assert output.texts == ["to ada for None", "to #lobby for None", "to #dev for #dev"]

    play(scene())


def test_a_lost_connection_is_told_and_nothing_is_missed(tmp_path: Path, output: Output) -> None:
    async def scene() -> None:
        model = filled(5)
        async with listening(model) as server:
            tailing = asyncio.create_task(tailed(server, tmp_path, EVERYTHING._replace(history=5, most=7)))
            await until(lambda: len(output.lines) == 5)
            server.cut()
            model.say("bob", m.LOBBY, "missed?")
            await until(lambda: len(output.lines) == 6)
            model.say("bob", m.LOBBY, "live")
            server.deliver()
            await tailing
        assert output.texts == ["0", "1", "2", "3", "4", "missed?", "live"]
        assert output.warnings == [
            f"not connected to 127.0.0.1:{server.port}: the server closed the connection; trying again until it is back",
            "connected again",
        ]

    play(scene())


def test_nobody_reads_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*words: object, **more: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", broken)

    async def scene() -> None:
        async with listening(filled(3)) as server:
            with pytest.raises(OutputClosed):
                await tailed(server, tmp_path, EVERYTHING._replace(history=3))

    play(scene())


def test_how_a_message_is_printed() -> None:
    message = m.Msg(7, 1_767_265_200_123, "#dev", "b\x1bob", 5, "one\ntwo\x1b[2J", {"conv": "#dev", "from": "id"})
    assert json.loads(headless._as_json(message)) == {
        "id": 7,
        "time": 1_767_265_200_123,
        "to": "#dev",
        "sender": "bob",
        "text": "one\ntwo[2J",
        "conv": "#dev",
        "from": "id",
        "topic": False,
    }
    line = headless._as_line(message)
    assert line.endswith(" #dev bob: one ⏎ two[2J")
    assert len(line.split(" #dev")[0]) == len("2026-01-01 10:00:00")


def test_how_a_topic_is_printed() -> None:
    options = {"conv": "#dev", "from": "id", "topic": True}
    message = m.Msg(7, 1_767_265_200_123, "#dev", "b\x1bob", 5, "tea\x1b[2J", options)
    assert json.loads(headless._as_json(message))["topic"] is True
    assert headless._as_line(message).endswith(" #dev bob changed the topic to: tea[2J")
    assert headless._as_line(message._replace(text="")).endswith(" #dev bob cleared the topic")


def test_a_message_of_no_calendar_is_printed_too() -> None:
    line = headless._as_line(m.Msg(7, m.ID_MAX, "#dev", "bob", 5, "late", {}))
    assert line.endswith(" #dev bob: late")
    assert line.startswith("19")


@pytest.mark.parametrize(
    ("user", "name"),
    [("ada", "ada"), ("root", "root_"), ("DOMAIN\\ada", "DOMAINada"), ("a b", "ab"), ("---", "guest"), ("", "guest")],
)
def test_the_user_s_name_made_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: str, name: str
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: user)
    assert headless._own_name() == name
    assert capsys.readouterr().err == "", "there is no terminal"


@pytest.mark.parametrize(
    ("user", "said"),
    [("ada", ""), ("root", "chat-client: root cannot be a name here, so it goes by root_; choose another with --name\r\n")],
)
def test_a_person_is_told_of_a_name_that_was_made_fit(monkeypatch: pytest.MonkeyPatch, user: str, said: str) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: user)
    terminal, shown = os.openpty()
    with os.fdopen(shown, "w") as stream, contextlib.redirect_stderr(stream):
        headless._own_name()
        print("and goes on", file=stream, flush=True)
        expected, read = f"{said}and goes on\r\n".encode(), b""
        while len(read) < len(expected):  # a terminal may give out a line at a time
            read += os.read(terminal, 1000)
        assert read == expected
    os.close(terminal)
