"""The least server that keeps the protocol's promises, without sockets and clocks: one log in memory, bytes in, bytes out.

It is what the client's protocol is tested against, and knows nothing of how the real server is built.
"""

from __future__ import annotations

import dataclasses

from common import messages as m
from common.errors import Code, Refused
from common.framing import FrameDecoder
from common.limits import FRAME_BYTES
from common.log import Entry, direct, is_direct, parties
from common.names import fold
from common.text import is_blank
from tests.support.frames import request_of


def identity_of(name: str) -> str:
    return "id" + fold(name)


class ModelServer:
    """All of a server's state. Ids have gaps. Who one is follows from the name; names are free unless a test takes them."""

    def __init__(self, uuid: str = "log-1", realm: str = "") -> None:
        """With a `realm` ("@two") those who are new are others than on a server with another one, which does not know them."""
        self.uuid = uuid
        self.realm = realm
        self.entries: list[Entry] = []
        self.connections: list[ModelConnection] = []
        self.taken: set[str] = set()
        """Names that only their owners' tokens get."""
        self.expired: set[str] = set()
        """Tokens that are not valid any more."""
        self.away: dict[str, str] = {}
        """Who is away, by name, and what they said."""
        self.full: set[str] = set()
        """Rooms that nobody gets into any more."""
        self.failing: Code | None = None
        """The passing reason for which nothing is committed at present."""

    @property
    def last(self) -> int:
        return self.entries[-1].id if self.entries else 0

    def names_in(self, room: str) -> set[str]:
        return {connection.name for connection in self.connections if room in connection.rooms}

    def connect(self) -> ModelConnection:
        connection = ModelConnection(self)
        self.connections.append(connection)
        return connection

    def topic_of(self, conv: str) -> Entry | None:
        """The message that set it last."""
        return next((entry for entry in reversed(self.entries) if entry.topic and entry.conv == conv), None)

    def say(self, sender: str, to: str, text: str, topic: bool = False) -> Entry:
        """Somebody who needs no connection says something."""
        identity = identity_of(sender)
        conv = fold(to) if m.is_room(to) else direct(identity, identity_of(to))
        return self.commit(Entry(0, 0, conv, to, sender, identity, self.last + 1, text, topic))

    def turn(self, name: str, text: str) -> None:
        """Somebody in the lobby, who needs no connection, is away or back; everybody in it hears of it."""
        self.away.pop(name, None)
        if text:
            self.away[name] = text
        for connection in self.connections:
            if m.LOBBY in connection.rooms:
                connection.reply(m.Presence(m.LOBBY, {"away" if text else "back": [name]}))
            if connection.name == name:
                connection.reply(m.Away(None, text, {}))

    def commit(self, entry: Entry) -> Entry:
        entry = entry._replace(id=self.last + 3)
        self.entries.append(entry)
        for connection in self.connections:
            if connection.may_see(entry):
                connection.reply(entry.as_msg())
        return entry


@dataclasses.dataclass
class ModelConnection:
    """One connection: `receive` what the client wrote, and give it what stands in `out`."""

    server: ModelServer
    out: bytearray = dataclasses.field(default_factory=bytearray)
    name: str = ""
    identity: str = ""
    rooms: set[str] = dataclasses.field(default_factory=set)
    requests: list[m.Request] = dataclasses.field(default_factory=list)
    """Everything that was asked on this connection."""
    decoder: FrameDecoder = dataclasses.field(default_factory=lambda: FrameDecoder(FRAME_BYTES))

    def reply(self, *replies: m.Reply) -> None:
        for reply in replies:
            self.out += m.encode(reply)

    def close(self) -> None:
        self.server.connections.remove(self)

    def may_see(self, entry: Entry) -> bool:
        return entry.conv in self.rooms or (is_direct(entry.conv) and self.identity in parties(entry.conv))

    def receive(self, data: bytes) -> None:
        bodies, problem = self.decoder.feed(data)
        assert problem is None
        for body in bodies:
            request = request_of(body)
            self.requests.append(request)
            try:
                self._answer(request)
            except Refused as refused:
                self.reply(m.Error(request.ref, refused.code, refused.text))

    def _answer(self, request: m.Request) -> None:
        match request:
            case m.Hello():
                self._hello(request)
            case m.Join(ref, room):
                self._join(ref, room)
            case m.Part(ref, room):
                self.rooms.discard(fold(room))
                self.reply(m.Parted(ref, room))
            case m.Send():
                self._send(request)
            case m.History():
                self._history(request)
            case m.Members() | m.Rooms() | m.Away() | m.Whois() | m.Typing():
                self._tell_of_people(request)
            case m.Ping(ref):
                self.reply(m.Pong(ref))
            case m.Bye():
                self.reply(m.Goodbye("bye", "see you"))
            case _:
                raise AssertionError(f"the model does not know {request}")

    def _tell_of_people(self, request: m.Members | m.Rooms | m.Away | m.Whois | m.Typing) -> None:
        match request:
            case m.Members(ref, room):
                names = sorted(self.server.names_in(fold(room)))
                self.reply(m.MemberList(ref, room, names, {"count": len(names)}))
            case m.Rooms(ref):
                rooms = sorted({room for connection in self.server.connections for room in connection.rooms})
                self.reply(m.RoomList(ref, [[room, len(self.server.names_in(room))] for room in rooms], {}))
            case m.Away(ref, text):
                self.reply(m.Away(ref, text, {}))
                self.server.turn(self.name, text)
            case m.Whois(ref, name):
                devices = sum(connection.name == name for connection in self.server.connections)
                if not devices and not any(entry.sender == name for entry in self.server.entries):
                    raise Refused(Code.NO_SUCH_USER)
                away = {"away": self.server.away[name]} if name in self.server.away else {}
                self.reply(m.Whois(ref, name, {"from": identity_of(name), "devices": devices, **away}))

    def _hello(self, hello: m.Hello) -> None:
        token, after, log = (hello.options.get(key) for key in ("token", "after", "log"))
        if token is not None and (token in self.server.expired or "".join(token.partition("@")[1:]) != self.server.realm):
            raise Refused(Code.BAD_TOKEN)
        if log not in (None, self.server.uuid) or (after or 0) > self.server.last:
            raise Refused(Code.BAD_RESUME)
        if hello.name in self.server.taken and token != f"token of {identity_of(hello.name)}":
            raise Refused(Code.NAME_TAKEN)
        self.name = hello.name
        self.identity = identity_of(hello.name) + self.server.realm if token is None else token.removeprefix("token of ")
        options: m.Options = {"from": self.identity, "last": self.server.last, "log": self.server.uuid}
        if any(other.name == self.name for other in self.server.connections if other is not self):
            options["away"] = self.server.away.get(self.name, "")
        rooms = [m.LOBBY, *hello.options.get("rooms", ())]
        if refused := {room: Code.ROOM_FULL for room in rooms if fold(room) in self.server.full}:
            options["refused"] = refused
        self.reply(m.Welcome(hello.ref, hello.name, {**options, "token": f"token of {self.identity}"}))
        for room in rooms:
            if room not in refused:
                self._join(hello.ref, room)
        if after is not None:
            missed = [entry for entry in self.server.entries if entry.id > after and self.may_see(entry)]
            self.reply(*(entry.as_msg() for entry in missed), m.Resumed(hello.ref, self.server.last))

    def _join(self, ref: int, room: str) -> None:
        if fold(room) in self.server.full:
            raise Refused(Code.ROOM_FULL)
        self.rooms.add(fold(room))
        names = sorted(self.server.names_in(fold(room)))
        options = {"last": self.server.last, "conv": fold(room), "count": len(names), "members": names}
        if away := [name for name in names if name in self.server.away]:
            options["away"] = away
        if (topic := self.server.topic_of(fold(room))) is not None and topic.text:
            options |= {"topic": topic.text, "topic_by": topic.sender, "topic_ms": topic.time_ms}
        self.reply(m.Joined(ref, fold(room), options))

    def _history(self, history: m.History) -> None:
        conv = fold(history.to) if m.is_room(history.to) else direct(self.identity, identity_of(history.to))
        conv = history.options.get("conv", conv)
        before, limit = history.options.get("before", m.ID_MAX), history.options.get("limit", 200)
        found = [entry for entry in self.server.entries if entry.conv == conv and entry.id < before]
        rows = [list(entry.as_msg()) for entry in found[-limit:]]
        self.reply(m.Page(history.ref, history.to, rows, {"more": len(found) > limit, "conv": conv}))

    def _send(self, send: m.Send) -> None:
        first, topic = self._committed(send.ref), send.options.get("topic", False)
        if first is not None:
            if (first.text, first.topic) != (send.text, topic):
                raise Refused(Code.ID_REUSED)
            self.reply(first.as_msg(again=True))
            return
        conv = fold(send.to) if m.is_room(send.to) else direct(self.identity, identity_of(send.to))
        if m.is_room(send.to) and conv not in self.rooms:
            raise Refused(Code.NOT_IN_ROOM)
        if topic and not m.is_room(send.to):
            raise Refused(Code.BAD_ROOM)
        if is_blank(send.text) and not (topic and not send.text):
            raise Refused(Code.EMPTY_TEXT)
        before = send.options.get("prev")
        if before is not None and self._committed(m.make_ref(m.split_ref(send.ref)[0], before)) is None:
            raise Refused(Code.OUT_OF_ORDER)
        if self.server.failing is not None:
            raise Refused(self.server.failing)
        self.server.commit(Entry(0, 0, conv, send.to, self.name, self.identity, send.ref, send.text, topic))

    def _committed(self, ref: int) -> Entry | None:
        key = (self.identity, ref)
        return next((entry for entry in self.server.entries if (entry.identity, entry.ref) == key), None)
