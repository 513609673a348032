"""The connection to the server: moves bytes between a socket and a `ClientProtocol`, and comes back whenever it is lost.

What the bytes mean is the protocol's business, when to try again is `reconnecting`'s, what the user is told the caller's.
"""

from __future__ import annotations

import asyncio
import errno
import math
import os
import random
import re
import socket
import time
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from common.addresses import is_loopback
from common.client_events import Broken, Closed, Event, NameRefused, RequestFailed, Welcomed
from common.client_protocol import ClientProtocol, Phase
from common.errors import Code
from common.messages import Ping, Pong, encode
from common.text import clean_line
from urwid_client.dialing import Dialer
from urwid_client.errors import Failed
from urwid_client.reconnecting import Backoff, Due, Lag, Route, Sleep, Stage, Status, Watch
from urwid_client.tokens import Tokens, TokensUnusable
from urwid_client.trust import EncryptionRequired, UnknownKey, Unsafe

CONNECT_SECONDS = 10.0
GOODBYE_SECONDS = 1.0
_SLEEP_CHECK_SECONDS = 5.0
"""How often it is looked whether the machine was asleep, or something is not answered."""
_READ_BYTES = 65_536
_UNSENT_BYTES = 16 * 1024 * 1024
"""What may wait for a server that does not read. One does not wait for it: it may be waiting for us to read."""
_LINES_END = int.from_bytes(b"\r\n\r\n")
"""A ref that makes what waits for the end of a line (HTTP, mail) answer at once."""
_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, socket.EAI_AGAIN)
_OTHER_RUN_SECONDS = 0.4
"""How long another run of this program may take to store the token for the name that it was given a moment ago."""


class TokenNotKept(NamedTuple):
    """The token could not be stored: whoever comes back with the next run of the program is somebody new."""

    text: str


class NotKnown(NamedTuple):
    """The server did not know the token: it is another one than before, or one was away for too long."""

    text: str


Told: TypeAlias = Event | TokenNotKept | NotKnown | Unsafe
Report: TypeAlias = Callable[[Told], None]


class Unreachable(Failed):
    """The server could not be reached for as long as the caller wanted to try."""


class Connection:
    """Keeps a protocol connected. `run` does the work; everything else may be called meanwhile, from the same loop."""

    def __init__(
        self,
        dialer: Dialer,
        protocol: ClientProtocol,
        tokens: Tokens,
        report: Report,
        changed: Callable[[Status], None],
        *,
        patience: float | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`report` gets each event, `changed` each change of the status.

        With `patience` (seconds), `run` gives up when there was no connection for so long; at once if there is no server at all
        the first time. `draw` gives random numbers from 0 up to 1.
        """
        self.server = dialer.server
        """The server's address, as tokens are kept by it."""
        self.status = Status(Stage.CONNECTING)
        self._dialer = dialer
        self._protocol = protocol
        self._tokens = tokens
        self._report = report
        self._changed = changed
        self._patience = patience
        self._backoff = Backoff(draw)
        self._writer: asyncio.StreamWriter | None = None
        self.route: Route | None = None
        """Which way goes what is said, while there is a connection."""
        self.unknown: UnknownKey | None = None
        """The server's key, as long as the user has not said that it is the right one."""
        self._answered = asyncio.Event()
        self._answered.set()
        self._leaving = False
        self._at_once = False
        """The connection was ended here, for the next one."""
        self._lost_at: float | None = None
        self._welcomed_at: float | None = None
        self._lag = Lag()
        self._retry_at: float | None = None

    @property
    def lag(self) -> float | None:
        """How many seconds the server takes to answer; None if that is not known yet."""
        return self._lag.seconds(_now())

    @property
    def token(self) -> str | None:
        """What proves who one is, as it was shown first or given last."""
        return next(iter(self._protocol.tokens), None)

    def flush(self) -> None:
        """Sends what the protocol has to send."""
        if self._writer is not None and (data := self._protocol.data_to_send()):
            self._writer.write(data)

    def choose_name(self, name: str, token: str | None = None) -> None:
        """Goes on under this name: after another one was refused, or before `run`. Raises `TokensUnusable`.

        As whoever has the `token`, else as whom one was under the name, else as whom one has been so far.
        """
        tokens = [token] if token else self._tokens.find_all(self.server, name)
        self._protocol.use_tokens(tokens or self._protocol.tokens)
        self._protocol.choose_name(name)
        if not self._answered.is_set():
            self._set(Status(Stage.GREETING))
        self._answered.set()
        self.flush()

    def go_by(self, name: str) -> None:
        """Comes back at once under another name, as the same person: a connection has one name for as long as it lasts."""
        self._protocol.choose_name(name)
        self._at_once = self._writer is not None
        if self._writer is not None:
            self._writer.transport.abort()

    def believe(self, fingerprint: str) -> None:
        """Goes on after `UnknownKey`: the user says that this is the server's key. Raises `PinsUnusable`."""
        self._dialer.believe(fingerprint)
        self.unknown = None
        self._answered.set()

    async def leave(self) -> None:
        """Says goodbye, and waits a moment for the server to take everything in."""
        self._leaving = True
        if self._writer is None:
            return
        self._protocol.bye()
        self.flush()
        deadline = _now() + GOODBYE_SECONDS
        while self._writer is not None and _now() < deadline:
            await asyncio.sleep(0.005)

    async def run(self) -> None:
        """Connects, and again whenever the connection is lost, until `leave`. Raises `Unreachable` and `Unsafe`."""
        while True:
            self._set(Status(Stage.CONNECTING))
            problem, to_do = await self._attempt()
            if self._leaving:
                return
            if self._at_once:
                self._at_once = False
                continue
            self._lost_at = self._lost_at or _now()
            if self._patience is not None and _now() - self._lost_at >= self._patience:
                raise Unreachable(f"{self.server} cannot be reached: {problem}{to_do}")
            if not self._answered.is_set():
                await self._answered.wait()
                continue
            delay = self._backoff.failed(0.0 if self._welcomed_at is None else _now() - self._welcomed_at)
            self._welcomed_at = None
            self._set(Status(Stage.WAITING, problem, _now() + delay, to_do))
            await asyncio.sleep(delay)

    async def _attempt(self) -> tuple[str, str]:
        """One connection from its beginning to its end; why it ended, and what to do about that, if there is something."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, self._writer = await self._dialer.dial()
        except Unsafe as unsafe:
            return self._refuse(unsafe), ""
        except (OSError, ValueError) as problem:
            if self._patience is not None and self._protocol.identity is None:
                raise Unreachable(f"{self.server} cannot be reached: {in_words(problem)}{advice(problem)}") from None
            return in_words(problem), advice(problem)
        self.route = _route(self.server, self._writer)
        try:
            return await self._converse(reader), ""
        except Unsafe as unsafe:
            return self._refuse(unsafe), ""
        except OSError as problem:
            return in_words(problem), ""
        finally:
            self._writer.transport.abort()  # closing would wait until the server has read everything
            self._writer = self.route = None
            self._protocol.disconnected()

    def _refuse(self, unsafe: Unsafe) -> str:
        """Why nothing is said: whoever watches sees it, or is asked. For others that is the end, which raises `Unsafe`."""
        if self._patience is not None:
            raise unsafe
        if isinstance(unsafe, UnknownKey):
            self._ask(unsafe)
        else:
            self._report(unsafe)
        return str(unsafe)

    async def _converse(self, reader: asyncio.StreamReader) -> str:
        """Talks to the server; why that ended."""
        self._set(Status(Stage.GREETING))
        self._retry_at, self._lag = None, Lag()
        self._protocol.connected()
        self.flush()
        watch, sleep = Watch(_now()), Sleep(_counting_sleep(), _now())
        goodbye = "the server closed the connection"
        while (data := await self._read(reader, watch)) != b"":
            if data is not None:
                watch.heard(_now())
                for event in self._protocol.receive(data):
                    if isinstance(event, RequestFailed) and event.code == Code.TLS_REQUIRED:
                        raise EncryptionRequired(self.server)
                    if isinstance(event, Broken) or (isinstance(event, RequestFailed) and self._protocol.phase is Phase.GREETING):
                        return event.text
                    if isinstance(event, Closed):
                        goodbye = event.text or event.reason
                    await self._take(event)
            self._look_for_doubts(watch, sleep)
            self._tell_lag(silent=data is None)
            match watch.due(_now()):
                case Due.GIVE_UP:
                    return "the server does not answer"
                case Due.PING:
                    self._ping()
            self._retry()
            self.flush()
            if self._writer is not None and self._writer.transport.get_write_buffer_size() > _UNSENT_BYTES:
                return "the server does not read what it is sent"
        return goodbye

    def _look_for_doubts(self, watch: Watch, sleep: Sleep) -> None:
        """Whether there is reason to think that the connection is dead without anybody having been told."""
        if sleep.ended(_counting_sleep(), _now()):
            watch.doubt(_now())
        if self._protocol.outbox:
            watch.waits(_now())

    def _tell_lag(self, silent: bool) -> None:
        """An answer that is late is told while it is waited for; so it is if something that was said is not answered."""
        if silent and self._protocol.outbox and self.status.stage is Stage.ONLINE and not self._lag.waits:
            self._ping()
        if self._lag.is_late(_now()):
            self._changed(self.status)

    async def _read(self, reader: asyncio.StreamReader, watch: Watch) -> bytes | None:
        """What arrives; None when there may be something else to do first."""
        now = _now()
        wake = min(watch.next_check(), self._retry_at or math.inf, self._lag.next_look(now), now + _SLEEP_CHECK_SECONDS)
        try:
            async with asyncio.timeout_at(wake):
                return await reader.read(_READ_BYTES)
        except TimeoutError:
            return None

    async def _take(self, event: Event) -> None:
        """Does what an event asks of the connection, and reports it."""
        match event:
            case Welcomed():
                self._lost_at = None
                self._welcomed_at = _now()
                self._keep_token(event)
                self._protocol.token_kept()
                self._ping()
                self._set(Status(Stage.ONLINE))
            case NameRefused(name, code, _):
                if code == Code.NAME_TAKEN and await self._took_it_myself(name):
                    return
                self._ask(event)
                return
            case Pong():
                self._lag.answered(_now())
        self._report(event)
        if isinstance(event, Welcomed) and event.shown is None and len(self._protocol.tokens) > 1:
            self._report(
                NotKnown(
                    f"{self.server} does not know who you were there, so you go on as somebody new; if another server has taken"
                    " its place, you are who you were once it is back"
                )
            )

    def _ask(self, question: NameRefused | UnknownKey) -> None:
        """Waits until the user has answered."""
        self._answered.clear()
        self.unknown = question if isinstance(question, UnknownKey) else None
        way = f"/connect {self.server} shows its key" if self.unknown else "/nick NAME goes on under another name"
        self._set(Status(Stage.ASKING, advice=way))
        self._report(question)

    def _keep_token(self, welcomed: Welcomed) -> None:
        """Without a token on the disk one goes on all the same: it is known for as long as this program runs."""
        try:
            self._tokens.keep(self.server, welcomed.name, welcomed.token, welcomed.shown)
        except TokensUnusable as problem:
            self._report(TokenNotKept(str(problem)))

    async def _took_it_myself(self, name: str) -> bool:
        """Whether another run of this program has the name: then its token is new in the file, and both are one person."""
        deadline = _now() + _OTHER_RUN_SECONDS
        while _now() < deadline:
            token = self._tokens.find(self.server, name)
            if token is not None and token != self.token:
                self._protocol.use_tokens(self._tokens.find_all(self.server, name))
                self._protocol.choose_name(name)
                return True
            await asyncio.sleep(0.05)
        return False

    def _ping(self) -> None:
        self._lag.asked(_now())
        self._protocol.ping()

    def _retry(self) -> None:
        if not self._protocol.wants_retry:
            self._retry_at = None
        elif self._retry_at is None:
            self._retry_at = _now() + self._protocol.retry_after
        elif self._retry_at <= _now():
            self._retry_at = None
            self._protocol.retry()

    def _set(self, status: Status) -> None:
        self.status = status
        self._changed(status)


async def why_unreachable(dialer: Dialer) -> str:
    """Why one cannot go to a server, in a sentence; empty if one can, perhaps after a question about its key."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            streams = await dialer.dial()
    except UnknownKey:
        return ""
    except Unsafe as unsafe:
        return str(unsafe)
    except (OSError, ValueError) as problem:
        return f"{dialer.server} cannot be reached: {in_words(problem)}{advice(problem)}"
    return await _why_no_chat(dialer.server, *streams)


async def _why_no_chat(server: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Asks for a sign of life, which a chat-broker gives to anybody: nothing is said of who asks, and no name is taken."""
    try:
        writer.write(encode(Ping(_LINES_END)))
        async with asyncio.timeout(CONNECT_SECONDS):
            return await _sign_of_life(server, reader)
    except TimeoutError:
        return f"{server} does not answer as a chat-broker does, see whether the port is right"
    except OSError as problem:
        return f"{server} cannot be reached: {in_words(problem)}"
    finally:
        writer.transport.abort()


async def _sign_of_life(server: str, reader: asyncio.StreamReader) -> str:
    """Why there is none, in a sentence; empty once it came."""
    protocol = ClientProtocol("", instance=0)
    while data := await reader.read(_READ_BYTES):
        events = protocol.receive(data)
        protocol.data_to_send()  # nothing is answered, and nothing kept for that
        for event in events:
            match event:
                case Pong() | RequestFailed(_, Code.TLS_REQUIRED, _):  # encrypted one can go there
                    return ""
                case RequestFailed(_, _, text):
                    return f"{server} lets nobody in: {clean_line(text)}"
                case Broken():
                    return f"{server} is no chat-broker, see whether the port is right"
    return f"{server} closed the connection without an answer, see whether the port is right"


def _route(server: str, writer: asyncio.StreamWriter) -> Route:
    encryption, peer = writer.get_extra_info("ssl_object"), writer.get_extra_info("peername")
    tls = encryption.version().replace("TLSv", "TLS ") if encryption is not None else ""
    return Route(server, tls, peer is not None and is_loopback(peer[0]))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _counting_sleep() -> float:
    """A clock like that of the loop, which goes on while the machine sleeps; where there is none, the same."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def in_words(problem: Exception) -> str:
    """Why a connection failed, without the numbers and addresses."""
    if isinstance(problem, TimeoutError) and problem.errno is None:
        return "no answer in time"
    if not isinstance(problem, OSError):
        return "this is not the name of a host"
    number = _number_of(problem)
    text = os.strerror(number) if number > 0 else problem.strerror or str(problem)
    return text[:1].lower() + text[1:]


def advice(problem: Exception) -> str:
    """What to look at where there is no connection at all, to be said behind `in_words`."""
    number = _number_of(problem) if isinstance(problem, OSError) else 0
    if isinstance(problem, TimeoutError) or number in _NO_WAY:
        return ", see whether the address is right, and the network up"
    if isinstance(problem, socket.gaierror | ValueError):
        return ", see whether the name is right"
    return ", see whether a server runs there" if number == errno.ECONNREFUSED else ""


def _number_of(problem: OSError) -> int:
    """What went wrong, as `errno` has it; 0 if that is not told. There may have been one attempt for each address of the host."""
    several = re.search(r"\[Errno (\d+)\]", str(problem))
    return problem.errno if problem.errno is not None else int(several[1]) if several else 0
