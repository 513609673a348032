"""The client without a screen: `send` and `tail`, for scripts and bots, on the same connection as the screen."""

from __future__ import annotations

import asyncio
import getpass
import json
import logging
import math
import os
import signal
import stat
import sys
import unicodedata
from collections.abc import AsyncIterator, Callable, Coroutine
from operator import attrgetter
from types import FrameType
from typing import Any, NamedTuple

from common import messages as m
from common.client_events import (
    Acknowledged,
    Delivered,
    NameRefused,
    RequestFailed,
    RoomJoined,
    SendDelayed,
    SendFailed,
    Welcomed,
)
from common.client_protocol import ClientProtocol, Phase
from common.errors import PASSING, Code, Refused
from common.limits import PAGE_MESSAGES
from common.names import as_room, check_name, fold
from common.text import clean, clean_line
from urwid_client import output
from urwid_client.connection import Connection, NotKnown, TokenNotKept, Told
from urwid_client.dialing import dialer_for
from urwid_client.errors import Failed
from urwid_client.loop import Loop
from urwid_client.markup import topic_change
from urwid_client.output import complain, remark, say
from urwid_client.reconnecting import Stage, Status
from urwid_client.rendering import local
from urwid_client.settings import ClientSettings, find_data_dir
from urwid_client.tokens import Tokens

PATIENCE = 30.0
"""Seconds that `send` waits for a lost server to come back, and for one that takes nothing."""
_WAITING = 5_000
"""So many messages may come while `tail` waits for the earlier ones."""
_AGAIN_SECONDS = 1.0
"""When `tail` asks again for earlier ones that the server could not give."""
_PIPELINED = 64
"""So many messages may be on their way before the first of them is committed."""
_LINE_BYTES = 1024 * 1024
_CHUNK_BYTES = 65_536
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Wanted(NamedTuple):
    """What `tail` was asked for."""

    json: bool
    after: int | None
    """Begin behind this id."""
    history: int | None
    """Begin with so many earlier messages."""
    most: int | None
    """End after so many messages."""


def send(settings: ClientSettings, to: str, text: str | None) -> int:
    """Sends a text, or each line of the standard input; returns 0 when all are committed. Raises `Failed`."""
    return _until_interrupted(_Send(settings, to).run(_once(text) if text is not None else _lines()), interrupted=1)


def tail(settings: ClientSettings, wanted: Wanted) -> int:
    """Prints messages until there were as many as wanted. Raises `Failed` and `OutputClosed`."""
    if sys.stdout is None:
        raise Failed("the standard output is closed, so nothing can be printed")
    return _until_interrupted(_Tail(settings, wanted).run(), interrupted=0 if wanted.most is None else 1)


def _until_interrupted(main: Coroutine[Any, Any, None], interrupted: int) -> int:
    """Runs to the end, or until a signal comes; `interrupted` is the status then."""
    logging.getLogger().addHandler(logging.NullHandler())  # what asyncio warns of is told in our own words
    loop = Loop()
    task = loop.create_task(main)

    def end(number: int, frame: FrameType | None) -> None:
        if output.is_waiting():
            raise asyncio.CancelledError  # the loop waits for whoever reads, too, and would not hear of it
        loop.call_soon_threadsafe(task.cancel)

    for number in _ENDING:
        signal.signal(number, end)
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        return interrupted
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # there is nothing left that they could end
        loop.close()
    return 0


class _Headless:
    """What `send` and `tail` have in common: one protocol, one connection, and no way to ask for another name."""

    def __init__(self, settings: ClientSettings, room: str | None, patience: float, after: int | None = None) -> None:
        self.name = settings.name or _own_name()
        self.room = room
        self.protocol = ClientProtocol(self.name, instance=int.from_bytes(os.urandom(4)), after=after)
        if room is not None:
            self.protocol.join(room)
        tokens = Tokens(find_data_dir(settings))
        self.connection = Connection(
            dialer_for(settings), self.protocol, tokens, self.on_event, self.on_status, patience=patience
        )

    async def run_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Keeps the connection up until the work is done, or one of both fails."""
        self.connection.choose_name(self.name)
        connected, working = asyncio.ensure_future(self.connection.run()), asyncio.ensure_future(work)
        try:
            await asyncio.wait((connected, working), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                await self.connection.leave()
            else:
                connected.result()
        finally:
            for task in (connected, working):
                task.cancel()
            await asyncio.gather(connected, working, return_exceptions=True)

    def on_event(self, event: Told) -> None:
        """Raises `Failed` on what makes going on useless."""
        match event:
            case NameRefused(name, Code.NAME_TAKEN, _):
                raise Failed(f"the name {name} is taken; choose another one with --name")
            case NameRefused(name, _, text):
                raise Failed(f"the name {name} is not accepted: {text}; choose another one with --name")
            case Welcomed() if self.room in event.refused:
                raise Failed(f"{self.room} could not be joined: {event.refused[self.room]}")
            case TokenNotKept(text) | NotKnown(text):
                complain(text)

    def on_status(self, status: Status) -> None:
        """How the connection stands has changed."""


# --- send -------------------------------------------------------------------------------------------------------------


class _Send(_Headless):
    def __init__(self, settings: ClientSettings, to: str) -> None:
        super().__init__(settings, to if m.is_room(to) else settings.room, PATIENCE)
        self._to = to
        self._lines: dict[int, str] = {}
        """How to speak of a message that is on its way ("line 7 was"), by its ref."""
        self._delay = ""
        """Why the server cannot take anything at the moment."""
        self._moved = asyncio.Event()

    async def run(self, texts: AsyncIterator[tuple[str, str]]) -> None:
        await self.run_beside(self._work(texts))

    async def _work(self, texts: AsyncIterator[tuple[str, str]]) -> None:
        async for what, text in texts:
            await self._until(lambda: len(self.protocol.outbox) < _PIPELINED)
            self._lines[self.protocol.send(self._to, text)] = what
            self.connection.flush()
        await self._until(lambda: not self.protocol.outbox)

    async def _until(self, reached: Callable[[], bool]) -> None:
        """Waits for the server to take messages. Raises `Failed` when it takes none for too long."""
        while not reached():
            self._moved.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._moved.wait()
            except TimeoutError:
                raise Failed(f"the server took nothing for {PATIENCE:.0f} s{self._delay}; gave up") from None

    def on_event(self, event: Told) -> None:
        """Raises `Failed` also when a message is refused: nothing behind it is accepted either, as each names the one before."""
        super().on_event(event)
        match event:
            case Acknowledged(ref, _):
                self._lines.pop(ref, None)
                self._moved.set()
            case SendFailed(ref, _, _, code, text):
                hint = f"; a room is written '{as_room(self._to)}'" if code == Code.NO_SUCH_USER else ""
                raise Failed(f"{self._lines[ref]} not sent: {text}{hint}")
            case SendDelayed(_, _, text):
                self._delay = f" ({text})"


async def _once(text: str) -> AsyncIterator[tuple[str, str]]:
    yield "the message was", text


async def _lines() -> AsyncIterator[tuple[str, str]]:
    """The lines of the standard input as they come, without the empty ones, each with how to speak of it. Raises `Failed`."""
    number, rest = 0, b""
    while chunk := await _read_input():
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LINE_BYTES:
            raise Failed(f"line {number + len(lines) + 1} is longer than {_LINE_BYTES:,} bytes; is this text?")
        for line in lines:
            number += 1
            if text := _text(line):
                yield f"line {number} and what follows it were", text
    if text := _text(rest):
        yield f"line {number + 1} was", text


def _text(line: bytes) -> str:
    """What is in a line, without what surrounds it; "" if that is nothing."""
    return clean(line.decode(errors="replace")).rstrip() if line else ""


async def _read_input() -> bytes:
    """What the standard input has; waits without blocking, where it is something that can be waited for. Raises `Failed`."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(0, readable.set)
    except PermissionError:  # a file: it never makes anybody wait
        readable.set()
    except OSError as problem:
        raise Failed(f"the standard input cannot be read: {problem.strerror}") from None
    try:
        await readable.wait()
        return os.read(0, _CHUNK_BYTES)
    except OSError as problem:
        raise Failed(f"the standard input cannot be read: {problem.strerror}") from None
    finally:
        loop.remove_reader(0)


# --- tail -------------------------------------------------------------------------------------------------------------


class _Tail(_Headless):
    def __init__(self, settings: ClientSettings, wanted: Wanted) -> None:
        super().__init__(settings, settings.room or m.LOBBY, math.inf, wanted.after)
        self._wanted = wanted
        self._directs = settings.room is None
        """Messages between two people are printed as well."""
        self._conv: str | None = None
        """The room's id, once one is in it."""
        self._printed = 0
        self._earlier: list[m.Msg] = []
        self._missing = wanted.history or 0
        """How many earlier messages are still to be loaded; what comes live waits until then."""
        self._live: list[m.Msg] = []
        self._request = 0
        self._before = 0
        """What is asked for is earlier than this id."""
        self._lost = False
        self._done = asyncio.Event()

    async def run(self) -> None:
        if stat.S_ISFIFO(os.fstat(1).st_mode):
            # Nothing can be read from this end of the pipe; it only becomes "readable" when nobody reads at the other one.
            asyncio.get_running_loop().add_reader(1, self._done.set)
        await self.run_beside(self._work())

    async def _work(self) -> None:
        await self._done.wait()

    def on_event(self, event: Told) -> None:
        super().on_event(event)
        match event:
            case Welcomed(afresh=afresh):
                self._on_welcomed(afresh)
            case RoomJoined(room, conv, position) if fold(room) == fold(self.room or m.LOBBY):
                self._conv = conv
                if self._missing:
                    self._load(self._earlier[0].id if self._earlier else position + 1)
            case m.Page(ref, _, rows, options) if ref == self._request:
                self._on_page([m.Msg(*row) for row in rows], bool(options.get("more")))
            case RequestFailed(ref, code, _) if ref == self._request and code in PASSING:
                asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._load_again, ref)
            case RequestFailed(ref, _, text) if ref == self._request:
                raise Failed(f"earlier messages cannot be read: {text}")
            case Delivered(message) if self._is_wanted(message):
                self._live.append(message)
                self._print_live()
                if len(self._live) > _WAITING:
                    raise Failed("the server does not answer with earlier messages; try again without --history")

    def on_status(self, status: Status) -> None:
        if status.stage is Stage.WAITING and not self._lost:
            self._lost = True
            complain(f"not connected to {self.connection.server}: {status.problem}; trying again until it is back")
        elif status.stage is Stage.ONLINE and self._lost:
            self._lost = False
            complain("connected again")

    def _on_welcomed(self, afresh: bool) -> None:
        after, self._wanted = self._wanted.after, self._wanted._replace(after=None)
        if afresh and after is not None:
            raise Failed(f"the log of this server does not reach the id {after}; begin without --after")
        if afresh and self._printed:
            complain("this server has another log than before: what was said meanwhile may be missing")

    def _load(self, before: int) -> None:
        self._before = before
        limit = min(self._missing, PAGE_MESSAGES)
        self._request = self.protocol.history(self.room or m.LOBBY, conv=self._conv, before=before, limit=limit)
        self.connection.flush()

    def _load_again(self, ref: int) -> None:
        """The server could not answer this request. By another connection one has asked, or will, anyway."""
        if ref == self._request and self.protocol.phase in (Phase.REPLAYING, Phase.LIVE):
            self._load(self._before)

    def _on_page(self, page: list[m.Msg], more: bool) -> None:
        self._earlier = page + self._earlier
        self._missing = self._missing - len(page) if more and page else 0
        if self._missing > 0:
            self._load(self._earlier[0].id)
            return
        self._missing = 0
        # What came live while the connection broke may stand in the page, too.
        known = {message.id: message for message in [*self._earlier, *self._live]}
        self._live = sorted(known.values(), key=attrgetter("id"))
        self._earlier = []
        self._print_live()

    def _is_wanted(self, message: m.Msg) -> bool:
        if not m.is_room(message.to):
            return self._directs
        return message.options.get("conv") == self._conv

    def _print_live(self) -> None:
        if self._missing:
            return
        for message in self._live:
            if self._printed == self._wanted.most:
                break
            say(_as_json(message) if self._wanted.json else _as_line(message))
            self._printed += 1
        self._live.clear()
        if self._printed == self._wanted.most:
            self._done.set()


def _as_json(message: m.Msg) -> str:
    """`time` in milliseconds since 1970; `conv` and `from` are the stable ids of the conversation and of the sender."""
    return json.dumps(
        {
            "id": message.id,
            "time": message.time_ms,
            "to": clean_line(message.to),
            "sender": clean_line(message.sender),
            "text": clean(message.text),
            "conv": message.options.get("conv"),
            "from": message.options.get("from"),
            "topic": message.options.get("topic", False),
        }
    )


def _as_line(message: m.Msg) -> str:
    at = local(message.time_ms)
    text = clean(message.text).replace("\n", " ⏎ ")
    said = f" {topic_change(text)}{text}" if message.options.get("topic") else f": {text}"
    return f"{at:%Y-%m-%d %H:%M:%S} {clean_line(message.to)} {clean_line(message.sender)}{said}"


def _own_name() -> str:
    """The name to go by where none was given; a person is told, if it is not the user's own."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = ""
    name = _name_of(user)
    if name != user:
        remark(f"{user or 'nobody'} cannot be a name here, so it goes by {name}; choose another with --name")
    return name


def _name_of(user: str) -> str:
    """The name of the operating system's user, as far as it is one that the server would take."""
    name = unicodedata.normalize("NFC", "".join(sign for sign in user if sign.isalnum() or sign in "_-."))
    for candidate in (name, f"{name}_") if name else ():
        try:
            return check_name(candidate)
        except Refused:
            pass
    return "guest"
