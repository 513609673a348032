"""The client's side of a conversation with a server, without sockets and clocks: bytes in, events out, bytes to send.

One `ClientProtocol` lives as long as the program. It outlives its connections: what was seen (the cursor), what was
sent and not yet committed (the outbox), which rooms one is in. A shell calls `connected` for each new connection, hands
it what arrives (`receive`), writes what `data_to_send` gives, and calls `disconnected` when the connection is gone.

    connected() -> hello -> Welcomed -> [shell keeps the token] -> token_kept() -> the outbox goes out
                         -> NameRefused -> choose_name(other) -> hello again, on the same connection

Why nothing is sent before `token_kept`: who sends and then forgets the token cannot repeat the message as the same
person, and would either lose it or say it twice.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Container, Sequence
from typing import Any, NamedTuple

from common import messages as m
from common.client_absence import Absence
from common.client_events import (
    Acknowledged,
    AwayDelayed,
    AwayRefused,
    Broken,
    CaughtUp,
    Closed,
    Delivered,
    Event,
    JoinRefused,
    NameRefused,
    RequestFailed,
    RoomJoined,
    RoomParted,
    SendDelayed,
    SendFailed,
    Topic,
    Welcomed,
)
from common.codec import ARRAY_ITEMS
from common.errors import PASSING, Code, Refused, wait_in
from common.framing import FrameDecoder
from common.limits import FRAME_BYTES
from common.names import fold

_TOKEN_CHARS = 1_000
"""No token is longer."""
TOKENS_SHOWN = 8
"""How many tokens are shown at most, one after the other, until one is known to the server."""
RETRY_SECONDS = 1.0
"""After what time a message is sent again that was refused for a passing reason, unless it was told."""
_WAIT_MOST = 60
_RETRIED_AT_ONCE = 64
"""How many of those that were refused are sent again before the first of them is in the log."""


class Phase(enum.Enum):
    """Where a connection stands."""

    OFFLINE = "offline"
    GREETING = "greeting"
    """hello is under way, or was refused and waits for another name."""
    REPLAYING = "replaying"
    """Welcomed; what was missed is coming."""
    LIVE = "live"
    LEAVING = "leaving"
    """One side said bye."""


class _Outgoing(NamedTuple):
    """A message that is not known to be committed."""

    to: str
    conv: str | None
    text: str
    topic: bool


class ClientProtocol:
    """See the module's docstring."""

    def __init__(self, name: str, *, instance: int, token: str | None = None, after: int | None = None) -> None:
        """`instance` is a random 32-bit number, drawn once per run of the program; `after` an id to begin behind."""
        self.name = name
        self.identity: str | None = None
        self.log: str | None = None
        self.cursor: int | None = after
        self.limits: dict[str, Any] = {}
        self.phase = Phase.OFFLINE
        self.rooms: dict[str, None] = {}
        """The rooms to be in, in the order of joining; they are joined again after a reconnect. Without the lobby."""
        self.outbox: dict[int, _Outgoing] = {}
        """What was sent and is not yet known to be committed, by ref, in order."""
        self._absence = Absence()
        self._typing: int | None = 0
        """The ref of what told last that one is typing; None where the server does not know what to make of that."""
        self.use_tokens([] if token is None else [token])
        self._instance = instance
        self._counter = 0
        self._last_committed: int | None = None
        """The greatest counter of one's own messages that is known to be in the log."""
        self._hello_ref: int | None = None
        self._resuming = False
        self._sending = False
        self._joining: dict[int, str] = {}
        """The rooms that are asked for, by ref; empty if one was parted again meanwhile."""
        self._left: set[str] = set()
        """The rooms that were parted on this connection, and not joined again."""
        self._begin: dict[str, int] = {}
        """Of conversations that were joined again after that: the id behind which they begin anew."""
        self._named: list[str] = []
        """The rooms of the last hello, but for those that were parted behind it."""
        self._retry: set[int] = set()
        """What was refused for a passing reason, or stands behind such a one; until `retry` none of it is sent."""
        self._retried: set[int] = set()
        """What was sent again and is not answered."""
        self.retry_after = RETRY_SECONDS
        """How long to wait until `retry` (seconds)."""
        self._decoder = FrameDecoder(FRAME_BYTES)
        self._out: list[bytes] = []
        self._handlers: dict[type, Callable[[Any], list[Event]]] = {
            m.Msg: self._on_msg,
            m.Error: self._on_error,
            m.Welcome: self._on_welcome,
            m.Resumed: self._on_resumed,
            m.Joined: self._on_joined,
            m.Parted: self._on_parted,
            m.Away: self._on_away,
            m.Ping: self._on_ping,
            m.Goodbye: self._on_goodbye,
        }

    # --- the connection -----------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """A new connection is open: says hello on it."""
        self._decoder = FrameDecoder(FRAME_BYTES)
        self._out.clear()
        self._tokens_refused = 0
        self._say_hello()

    def disconnected(self) -> None:
        """The connection is gone. What was not answered is asked again after the next `connected`, where it matters."""
        self.phase = Phase.OFFLINE
        self._sending = False
        self._out.clear()
        self._retry.clear()
        self._retried.clear()
        self._joining.clear()
        self._left.clear()
        self._begin.clear()
        self._absence.lost()

    def choose_name(self, name: str) -> None:
        """Another name, after `NameRefused` or before connecting. Another person's token does not go with it."""
        self.name = name
        if self.phase is Phase.GREETING:
            self._say_hello()

    def use_tokens(self, tokens: Sequence[str]) -> None:
        """What proves who one is, to be shown with the next hello.

        The later ones are of other servers that had this address: each is shown where those before it are not known.
        """
        self.tokens = list(tokens)
        self._tokens_refused = 0

    def token_kept(self) -> None:
        """The token of `Welcomed` is stored: what is in the outbox may go out."""
        if self.phase in (Phase.REPLAYING, Phase.LIVE) and not self._sending:
            self._sending = True
            self._send_outbox(self.outbox)

    def receive(self, data: bytes) -> list[Event]:
        """What the server's bytes mean. After `Broken` the connection is of no use."""
        bodies, problem = self._decoder.feed(data)
        events: list[Event] = []
        for body in bodies:
            try:
                reply = m.parse_reply(body)
            except Refused as refused:
                return [*events, Broken(f"the server sent something unreadable: {refused.text}")]
            if reply is not None:
                events += self._handle(reply)
        if problem is not None:
            events.append(Broken(f"the server sent something unreadable: {problem}"))
        return events

    def data_to_send(self) -> bytes:
        """What is to be written; each byte is given out once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # --- requests -----------------------------------------------------------------------------------------------------

    def send(self, to: str, text: str, conv: str | None = None, topic: bool = False) -> int:
        """Puts a message into the outbox, and on its way if one is connected: its ref, which `Acknowledged` names.

        As a `topic` it sets that of the room; an empty text clears it.
        """
        before = self._newest()
        ref = self._next_ref()
        self.outbox[ref] = _Outgoing(to, conv, text, topic)
        if self._retry:
            self._retry.add(ref)  # it follows what was refused
        elif self._sending:
            self._send_one(ref, before)
        return ref

    def join(self, room: str) -> None:
        """Into a room, now or as soon as there is a welcome; `RoomJoined` or `JoinRefused` answers.

        One that is not answered before the connection is gone is joined by the next hello.
        """
        self._remember(room)
        if self.phase in (Phase.REPLAYING, Phase.LIVE):
            self._joining[self._request(m.Join, room, {})] = room

    def part(self, room: str) -> None:
        """Out of a room. One that the hello under way has asked for is left as soon as it is answered."""
        self._forget(room)
        if self.phase in (Phase.REPLAYING, Phase.LIVE):
            self._named = [named for named in self._named if fold(named) != fold(room)]
            self._joining = {ref: "" if fold(asked) == fold(room) else asked for ref, asked in self._joining.items()}
            self._request(m.Part, room, {})

    def history(self, to: str, *, conv: str | None = None, before: int | None = None, limit: int | None = None) -> int:
        options = {"conv": conv, "before": before, "limit": limit}
        return self._request(m.History, to, {key: value for key, value in options.items() if value is not None})

    def members(self, room: str, after: str | None = None) -> int:
        return self._request(m.Members, room, {} if after is None else {"after": after})

    def list_rooms(self, after: str | None = None) -> int:
        return self._request(m.Rooms, {} if after is None else {"after": after})

    def whois(self, name: str) -> int:
        return self._request(m.Whois, name, {})

    def typing(self, to: str, conv: str | None = None) -> None:
        """Tells that the user is writing something; forgotten where there is no connection that is up to date."""
        if self.phase is Phase.LIVE and self._typing is not None:
            self._typing = self._request(m.Typing, to, {} if conv is None else {"conv": conv})

    def be_away(self, text: str) -> int:
        """Away from now on, whatever connection there is, or back with an empty text. The ref, 0 where it is said later."""
        self._absence.say(text)
        return self._say_away() if self.phase in (Phase.REPLAYING, Phase.LIVE) else 0

    def _say_away(self) -> int:
        ref = self._request(m.Away, self.away, {})
        self._absence.ask(ref)
        return ref

    @property
    def away(self) -> str:
        """Why one is away; empty while one is not. The server is told again where it has forgotten that."""
        return self._absence.text

    @property
    def away_unsaid(self) -> bool:
        """That has been said here, and the server has not answered."""
        return self._absence.unsaid

    def ping(self) -> int:
        return self._request(m.Ping)

    def bye(self) -> None:
        """Says goodbye; the server answers with `Closed` and closes."""
        self._request(m.Bye)
        self.phase = Phase.LEAVING

    def retry(self) -> None:
        """Sends again what was refused for a passing reason (a full disk, say). To be called after `retry_after`.

        Not all at once: the rest follows what is accepted, so that a server which takes little is not sent everything each time.
        """
        if not self._sending:
            return
        self.retry_after = RETRY_SECONDS
        if self._absence.waits:
            self._say_away()
        self._retry_some()

    def _retry_some(self) -> None:
        if self._retry:
            self._retried = {*itertools.islice(filter(self._retry.__contains__, self.outbox), _RETRIED_AT_ONCE)}
            self._retry -= self._retried
            self._send_outbox(self._retried)

    @property
    def wants_retry(self) -> bool:
        return bool(self._retry) or self._absence.waits

    # --- sending ------------------------------------------------------------------------------------------------------

    def _next_ref(self) -> int:
        self._counter += 1
        return m.make_ref(self._instance, self._counter)

    def _request(self, build: Any, *fields: Any) -> int:
        ref = self._next_ref()
        self._write(build(ref, *fields))
        return ref

    def _write(self, message: m.Request) -> None:
        if self.phase is not Phase.OFFLINE:
            self._out.append(m.encode(message))

    def _say_hello(self) -> None:
        self.phase = Phase.GREETING
        self._named = list(self.rooms)[:ARRAY_ITEMS]  # a frame holds no more; the others are joined after the welcome
        options: m.Options = {"rooms": self._named}
        if (token := self._shown) is not None:
            options["token"] = token
        self._resuming = self.cursor is not None
        if self._resuming:
            options["after"] = self.cursor
        if self._resuming and self.log is not None:
            options["log"] = self.log
        self._hello_ref = self._next_ref()
        self._write(m.Hello(self._hello_ref, m.VERSION, self.name, options))

    @property
    def _shown(self) -> str | None:
        """The token of the hello: the first one that was not refused."""
        return next(iter(self.tokens[self._tokens_refused :]), None)

    def _send_outbox(self, refs: Container[int]) -> None:
        """Sends these of the outbox, in its order. What is on its way is not among them: it would be decided twice."""
        before = self._last_committed
        for ref in self.outbox:
            if ref in refs:
                self._send_one(ref, before)
            before = m.split_ref(ref)[1]

    def _send_one(self, ref: int, before: int | None) -> None:
        """Each message names the one `before` it, so that a refused one is not overtaken by those behind it."""
        to, conv, text, topic = self.outbox[ref]
        options: m.Options = {}
        if conv is not None:
            options["conv"] = conv
        if before is not None:
            options["prev"] = before
        if topic:
            options["topic"] = True
        self._write(m.Send(ref, to, text, options))

    def _newest(self) -> int | None:
        """The counter of the message that the next one follows."""
        newest = next(reversed(self.outbox), None)
        return self._last_committed if newest is None else m.split_ref(newest)[1]

    # --- replies ------------------------------------------------------------------------------------------------------

    def _handle(self, reply: m.Reply) -> list[Event]:
        """What a reply means for the connection; all others are told as they are."""
        does = self._handlers.get(type(reply))
        return [reply] if does is None else does(reply)  # type: ignore[list-item] # those that are no events are handled

    def _on_resumed(self, resumed: m.Resumed) -> list[Event]:
        self.cursor = max(self.cursor or 0, resumed.id)
        self.phase = Phase.LIVE
        return [CaughtUp(resumed.id)]

    def _on_parted(self, parted: m.Parted) -> list[Event]:
        self._left.add(fold(parted.room))
        if self._is_asked_for(parted.room):
            return []
        self._forget(parted.room)
        return [RoomParted(parted.room)]

    def _on_away(self, away: m.Away) -> list[Event]:
        self._absence.told(away.ref, away.text)
        return [away]

    def _on_away_refused(self, error: m.Error) -> list[Event]:
        passing = error.code in PASSING
        counts = self._absence.refused(error.ref, passing)
        if not counts:
            return [] if passing else [RequestFailed(error.ref, error.code, error.text)]
        if not passing:
            return [AwayRefused(error.code, error.text, self.away)]
        self._wait_as_told(error)
        return [AwayDelayed(error.code, error.text)]

    def _wait_as_told(self, error: m.Error) -> None:
        self.retry_after = max(self.retry_after, min(wait_in(error.text) or 0, _WAIT_MOST))

    def _on_ping(self, ping: m.Ping) -> list[Event]:
        self._write(m.Pong(ping.ref))
        return []

    def _on_goodbye(self, goodbye: m.Goodbye) -> list[Event]:
        self.phase = Phase.LEAVING
        return [Closed(goodbye.reason, goodbye.text)]

    def _on_welcome(self, welcome: m.Welcome) -> list[Event]:
        if self.phase is not Phase.GREETING or welcome.ref != self._hello_ref:
            return [Broken("the server welcomes whom it was not asked to")]
        options = welcome.options
        identity, log, token, last = (options.get(key) for key in ("from", "log", "token", "last"))
        if identity is None or log is None or token is None or last is None:
            return [Broken("the server's welcome lacks from, log, token or last")]
        if fold(welcome.name) != fold(self.name) or len(token) > _TOKEN_CHARS:
            return [Broken("the server welcomes somebody else, or with more than can be kept")]
        stranger = self.identity is not None and identity != self.identity
        afresh = not self._resuming
        if not self._resuming:
            self.cursor = last
        self.name, self.identity, self.log, shown = welcome.name, identity, log, self._shown
        self.use_tokens([token, *(other for other in self.tokens if other not in (token, shown))][:TOKENS_SHOWN])
        self.limits = options.get("limits", {})
        refused = options.get("refused", {})
        for room in refused:
            self._forget(room)
        self.phase = Phase.REPLAYING if self._resuming else Phase.LIVE
        late = tuple(room for room in self.rooms if room not in self._named)
        for room in late:
            self.join(room)
        wanted = {fold(room) for room in (*self.rooms, *refused)}
        for room in [room for room in self._named if fold(room) not in wanted]:
            self.part(room)
        self._typing = 0
        if self._absence.welcomed(options.get("away")):
            self._say_away()
        failed = self._abandon_outbox() if stranger else []
        return [Welcomed(welcome.name, identity, token, afresh, refused, self.cursor or 0, shown, late), *failed]

    def _abandon_outbox(self) -> list[Event]:
        """As another person one cannot repeat what may have been committed already: it is given back instead."""
        given_back: list[Event] = [
            SendFailed(
                ref,
                to,
                text,
                Code.BAD_TOKEN,
                "the server takes you for somebody new, and may have it from before",
            )
            for ref, (to, _, text, _) in self.outbox.items()
        ]
        self.outbox.clear()
        self._last_committed = None
        return given_back

    def _on_joined(self, joined: m.Joined) -> list[Event]:
        named = joined.ref == self._hello_ref and fold(joined.room) in map(fold, (m.LOBBY, *self._named))
        asked = bool(self._joining.pop(joined.ref, ""))
        if not asked and not named:
            return []  # nobody wants to be there, or not any more
        self._remember(joined.room)
        options = joined.options
        position, conv = options.get("last", 0), options.get("conv", joined.room)
        if asked and conv in self._left:
            self._left.discard(conv)
            self._begin[conv] = position
        return [
            RoomJoined(
                joined.room,
                conv,
                position,
                options.get("count", 0),
                options.get("members", []),
                options.get("away", ()),
                Topic(options.get("topic", ""), options.get("topic_by", ""), options.get("topic_ms", 0), position),
            )
        ]

    def _on_join_refused(self, room: str, error: m.Error) -> list[Event]:
        if not room or self._is_asked_for(room):
            return []
        self._forget(room)
        return [JoinRefused(room, error.code, error.text)]

    def _is_asked_for(self, room: str) -> bool:
        """Whether it was asked for once more than is answered: what was before that does not count."""
        return fold(room) in map(fold, self._joining.values())

    def _remember(self, room: str) -> None:
        """Under the spelling that was heard last, and in the place that it had."""
        if fold(room) != m.LOBBY:
            self.rooms = {room if fold(known) == fold(room) else known: None for known in [*self.rooms, room]}

    def _forget(self, room: str) -> None:
        self.rooms = {known: None for known in self.rooms if fold(known) != fold(room)}

    def _on_msg(self, msg: m.Msg) -> list[Event]:
        events: list[Event] = []
        if msg.options.get("from") == self.identity and self.outbox.pop(msg.ref, None) is not None:
            self._retry.discard(msg.ref)
            if msg.ref in self._retried:
                self._retried.discard(msg.ref)
                if not self._retried:
                    self._retry_some()  # all of them were accepted
            self._last_committed = max(self._last_committed or 0, m.split_ref(msg.ref)[1])
            events.append(Acknowledged(msg.ref, msg))
        if not msg.options.get("again") and msg.id > (self.cursor or 0):
            self.cursor = msg.id
            if msg.id > self._begin.get(msg.options.get("conv", ""), 0):
                events.append(Delivered(msg))  # else it is of an earlier stay, and what was said in between is missing behind it
        return events

    def _on_error(self, error: m.Error) -> list[Event]:
        if error.ref is not None:
            if error.ref == self._hello_ref and self.phase is Phase.GREETING:
                return self._on_hello_refused(error)
            if error.ref in self.outbox:
                return self._on_send_refused(error.ref, error)
            if error.ref == self._typing:
                self._typing = None if error.code == Code.UNKNOWN_TYPE else 0
                return []  # it was not worth an answer
            if error.ref in self._absence.asked:
                return self._on_away_refused(error)
            if error.ref in self._joining:
                return self._on_join_refused(self._joining.pop(error.ref), error)
        return [RequestFailed(error.ref, error.code, error.text)]

    def _on_hello_refused(self, error: m.Error) -> list[Event]:
        match error.code:
            case Code.BAD_RESUME if self._resuming:
                # The server has another log than the one we know: what we hold of it is history.
                self.cursor = self.log = self._last_committed = None
                self._say_hello()
                return []
            case Code.BAD_TOKEN if self._shown is not None:
                self._tokens_refused += 1
                self._say_hello()
                return []
            case Code.NAME_TAKEN | Code.NAME_CONFUSABLE | Code.BAD_NAME | Code.RESERVED_NAME:
                return [NameRefused(self.name, error.code, error.text)]
            case code if code in PASSING:
                return [Broken(f"the server cannot take anybody in now: {error.text}")]
            case _:
                return [RequestFailed(error.ref, error.code, error.text)]

    def _on_send_refused(self, ref: int, error: m.Error) -> list[Event]:
        """A passing refusal, and what was refused for it, wait for `retry`; anything else is given back for good."""
        self._retried.clear()
        if error.code == Code.OUT_OF_ORDER:
            self._retry.add(ref)
            return []
        if error.code in PASSING:
            self._retry.add(ref)
            self._wait_as_told(error)
            return [SendDelayed(ref, error.code, error.text)]
        self._retry.discard(ref)
        to, _, text, _ = self.outbox.pop(ref)
        return [SendFailed(ref, to, text, error.code, error.text)]
