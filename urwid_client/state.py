"""What the client knows: the buffers, who is there, what is on its way. Takes the protocol's events and the user's wishes.

`Chat` sits on a `ClientProtocol` and asks the server through it; whoever calls a method of `Chat` sends what the protocol has to
send afterwards. Times are given by the caller (milliseconds since 1970). What the server says is cleaned here, where it comes in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, NamedTuple

from common import messages as m
from common.client_events import (
    Acknowledged,
    AwayDelayed,
    AwayRefused,
    CaughtUp,
    Delivered,
    Event,
    JoinRefused,
    RequestFailed,
    RoomJoined,
    RoomParted,
    SendDelayed,
    SendFailed,
    Topic,
    Welcomed,
)
from common.client_protocol import ClientProtocol
from common.errors import MEANINGS, PASSING, Code
from common.names import as_room, check_name, check_room, fold
from common.text import clean_line
from urwid_client.buffers import Buffer, Kind, Note, Said
from urwid_client.conversations import by_importance
from urwid_client.errors import WrongInput
from urwid_client.keys import Action
from urwid_client.listings import Listings
from urwid_client.markup import because
from urwid_client.missing import Missing
from urwid_client.reconnecting import Route
from urwid_client.sending import Lookup, Purpose, Sending, check_as_input
from urwid_client.typists import Typists
from urwid_client.whois import describe

PAGE = 100
"""How many older messages are asked for at once."""
_SPEAKERS_AMONG = 1_000
"""Among so many of the newest messages it is looked who spoke."""
_MOMENT_MS = 5_000
"""A break of the connection that lasts no longer is told once it is over."""
_AGAIN_MS = 5_000
"""After so long earlier messages are asked for again that the server could not give."""
_TRAFFIC_SHOWN = 100
"""In rooms with more people nobody is told who comes and goes."""


class Arrival(NamedTuple):
    """A message of somebody else that came just now, or that was missed."""

    buffer: Buffer
    said: Said


class Break(NamedTuple):
    """There is no connection."""

    at: int
    """Since when (milliseconds)."""
    why: str
    said: str
    """That, as it is told to the user."""
    told_in: tuple[Buffer, ...] = ()
    """Where they looked when they were told. Of one that was over within a moment they are told afterwards, with the server."""


class Chat(Sending):
    """The state of the client."""

    def __init__(self, protocol: ClientProtocol) -> None:
        super().__init__(protocol)
        self.rooms_seen: dict[str, str] = {m.LOBBY: m.LOBBY}
        """Rooms that there were, by their folded name: for completion."""
        self.identity: str | None = None
        """Who one was by the last welcome."""
        self.returning = False
        """Whether one comes back with what an earlier run of the program left, and has not been told what came meanwhile."""
        self.mark_next = False
        """The user has begun to look elsewhere: what comes next into the conversation on the screen is new to them."""
        self.arrived: list[Arrival] = []
        """What others said and nobody was alerted of yet; whoever alerts takes it out."""
        self.wrote_elsewhere = 0
        """When one wrote last from another device."""
        self._welcomed = False
        self._distrust = ""
        """Why the server is not believed, as it was said last."""
        self._break: Break | None = None
        """Since when there is no connection, and why."""
        self._away_told: str | None = ""
        """Why the user is away, as it was told to them; None while they wait for the answer to what they said of it."""
        self.typists = Typists()
        self._former_name = ""
        """The folded name that the user left last. Who still goes by it are they, as long as nobody else has come by it."""
        self._missing = Missing()
        self._put_off: dict[int, int] = {}
        """When earlier messages that the server could not give are asked for again, by the ref of the request."""
        self._listings = Listings(protocol)
        self._handlers: dict[type, Callable[[Any, int], None]] = {
            Welcomed: self._on_welcomed,
            RoomJoined: self._on_joined,
            JoinRefused: self._on_join_refused,
            RoomParted: self._on_parted,
            Delivered: self._on_delivered,
            Acknowledged: self.on_acknowledged,
            SendFailed: self.on_send_failed,
            SendDelayed: self.on_send_delayed,
            AwayRefused: self._on_away_refused,
            AwayDelayed: self._on_away_delayed,
            RequestFailed: self._on_request_failed,
            CaughtUp: self._on_caught_up,
            m.Page: self._on_page,
            m.Presence: self._on_presence,
            m.Away: self._on_away,
            m.Whois: self._on_whois,
            m.IsTyping: self._on_typing,
            m.MemberList: self._on_members,
            m.RoomList: self._on_rooms,
        }

    @property
    def was_welcome(self) -> bool:
        """Whether one was on this server, now or at an earlier start."""
        return self.identity is not None

    # --- for the screen -----------------------------------------------------------------------------------------------

    def speakers(self) -> list[str]:
        """Names that could be meant in the active buffer, the likeliest first: those who are there, by who spoke last."""
        newest = itertools.islice(reversed(self.active.entries), _SPEAKERS_AMONG)
        spoken = [entry.sender for entry in newest if isinstance(entry, Said) and not entry.own]
        there = [self.active.title] if self.active.kind is Kind.DIRECT else self.active.people.values()
        present = {fold(name) for name in there}
        everyone = [*(name for name in spoken if fold(name) in present), *there, *spoken, *self.lobby.people.values()]
        names: dict[str, str] = {}
        for name in everyone:
            names.setdefault(fold(name), name)
        names.pop(fold(self.name), None)
        return list(names.values())

    # --- what the user does -------------------------------------------------------------------------------------------

    def join(self, room: str) -> None:
        """Into a room, which is on the screen at once: what is written from now on is written there. Raises `WrongInput`."""
        room = as_room(room)
        check_as_input(check_room, room)
        buffer = self.find_room(room)
        if buffer is None:
            buffer = self.add(Buffer(Kind.ROOM, room))
            buffer.joined = False
        if not buffer.joined:
            buffer.joining = True
            self.protocol.join(room)
        self.open(buffer)

    def close(self, buffer: Buffer) -> None:
        """Leaves a room, or puts a direct conversation away. Raises `WrongInput`."""
        if buffer is self.server:
            raise WrongInput("this is not a conversation; it cannot be left")
        if buffer is self.lobby:
            raise WrongInput(f"everybody is in {m.LOBBY}; /quit leaves the server")
        if buffer.kind is Kind.ROOM:
            if buffer.joined or buffer.joining:
                self.protocol.part(buffer.title)
            self._missing.forget(fold(buffer.title))
        self.remove(buffer)

    def ignore(self, name: str) -> None:
        """Shows nothing of somebody any more. Raises `WrongInput`."""
        check_as_input(check_name, name)
        if fold(name) == fold(self.name):
            raise WrongInput("that is you")
        self._hide(name)
        if self.online:
            self._ask_who_is_ignored([name])

    def _ask_who_is_ignored(self, names: Iterable[str]) -> None:
        """Of those who go by these names now: who is ignored, and known only by the name, could be read again by another one."""
        unknown = self.ignored.keys() - self.ignored_as.keys()
        for name in names:
            if fold(name) in unknown:
                self.lookups[self.protocol.whois(name)] = Lookup(self.active, name, Purpose.IDENTITY)

    def _learn_who_is_ignored(self, name: str, identity: str | None) -> None:
        """Whoever goes by the name of somebody who is ignored, where it was not known yet who that is."""
        if identity is not None and fold(name) in self.ignored:
            self.ignored_as.setdefault(fold(name), identity)

    def _hide(self, name: str) -> None:
        self.ignored[fold(name)] = name
        for buffer in self.buffers:
            buffer.drop(name)

    def _go_on_ignoring(self, renamed: Mapping[str, str], now: int) -> None:
        """Who is ignored stays so by another name (by that: the one before, which may soon be somebody else's).

        It is not told where the user reads: who is ignored could be seen again by that, as often as they like.
        """
        for name, before in renamed.items():
            if fold(name) != fold(self.name) and self.ignored.pop(fold(before), None) is not None:
                self._hide(name)
                if (identity := self.ignored_as.pop(fold(before), None)) is not None:
                    self.ignored_as[fold(name)] = identity
                self.note(f"{before}, whom you ignore, is now {name}, and ignored by that name", now, self.server)

    def unignore(self, name: str) -> None:
        """Shows what somebody says again, what they said before too. Raises `WrongInput`."""
        if self.ignored.pop(fold(name), None) is None:
            raise WrongInput(f"you do not ignore {clean_line(name)}")
        self.ignored_as.pop(fold(name), None)
        for buffer in self.buffers:
            if buffer.conv is not None:  # else it was had as somebody else, and cannot be loaded again
                buffer.unload()

    def load_older(self) -> None:
        """Asks for earlier messages of the active buffer, if there are any and none are on their way."""
        buffer = self.active
        if self.online and buffer.older_exist and buffer.loading is None and not buffer.joining:
            buffer.loading = self.protocol.history(buffer.title, conv=buffer.conv, before=buffer.first_id, limit=PAGE)

    def be_away(self, text: str, now: int) -> None:
        """Tells that the user is away, and why; with an empty text, that they are back."""
        if self.protocol.be_away(text):
            self._away_told = None
        else:
            self._away_told = text
            self.note(f"{_about_away(text)}; it is told as soon as you are connected", now)

    def go_by(self, name: str, now: int) -> None:
        """The user has another name from now on, and is who they were; the connection is made anew for it."""
        self._former_name = fold(self.name)
        for buffer in self.buffers:
            if fold(self.name) in buffer.people:
                buffer.move_people([name], [self.name], buffer.head_count)
        self.note(f"you are {name} now, and were {self.name}; your rooms and conversations go on", now)

    def look_up(self, name: str, now: int) -> None:
        """Shows what is known about somebody: by the server, and here."""
        if self.online:
            self.lookups[self.protocol.whois(name)] = Lookup(self.active, name)
        else:
            lost_at = self._break.at if self._break is not None and self._welcomed else None
            self.note(describe(self, name, now, as_of=lost_at), now)

    @property
    def away(self) -> bool:
        """Whether the user is away: they said so here, or on another device of theirs."""
        return bool(self.protocol.away)

    def list_people(self, room: str) -> None:
        """Shows who is in a room, in the active buffer. Raises `WrongInput`."""
        self._check_online(f"who is in {room}")
        self._listings.people(room, self.active)

    def list_rooms(self) -> None:
        """Shows which rooms there are, in the active buffer. Raises `WrongInput`."""
        self._check_online("which rooms there are")
        self._listings.rooms(self.active)

    def _check_online(self, asked: str) -> None:
        if not self.online:
            raise WrongInput(f"you are not connected; ask {asked} once you are")

    # --- what the server says -----------------------------------------------------------------------------------------

    def handle(self, event: Event, now: int) -> None:
        """Takes in what the protocol reports; before a `Welcomed`, `connected` is called."""
        does = self._handlers.get(type(event))
        if does is not None:
            does(event, now)

    def distrust(self, why: str, now: int) -> None:
        """Nothing is said to this server, and trying again does not help: told once, where the user looks."""
        said = f"not connected: {clean_line(why)}"
        lost = self._break or Break(now, "", "")
        told_in = lost.told_in
        if said != self._distrust:
            self._distrust = said
            self.note(said, now, important=True)
            told_in = (*told_in, self.active)
        self._break = Break(lost.at, clean_line(why), said, told_in)

    def disconnected(self, server: str, reason: str, now: int) -> None:
        """The connection is gone, and with it what was asked and not answered; or there was none, once more."""
        where, why = "" if server in reason else f" to {clean_line(server)}", clean_line(reason)
        said = f"not connected{where}: {why}"
        if self._break is None:
            self._break = Break(now, why, said)
            if not self._welcomed:
                self._tell_of_break(self._break, now)
        if self._break.told_in:
            last = self.server.entries[-1] if self.server.entries else None
            if not isinstance(last, Note) or not last.text.startswith(said):  # else it is the next attempt, and nothing new
                self.note(said, now, self.server)
        self.forget_what_was_asked(now)

    def _tell_of_break(self, lost: Break, now: int) -> None:
        self._break = lost._replace(told_in=(self.active,))
        away = "/quit leaves" if self.was_welcome else "/connect SERVER goes to another one, /quit leaves"
        self.note(f"{lost.said}; what you write is sent as soon as there is a connection, {away}", now, important=True)

    def _tell_of_lasting_break(self, now: int) -> int | None:
        """Not of one that is over within a moment; after how long (ms) it is to be told, if it is not yet."""
        if self._break is None or self._break.told_in:
            return None
        if 0 <= now - self._break.at < _MOMENT_MS:
            return self._break.at + _MOMENT_MS - now
        self._tell_of_break(self._break, now)
        return None

    def connected(self, route: Route, now: int) -> None:
        """There is a connection, and a welcome. Only who was told that there was none is told so, there and where they look."""
        lost, self._break = self._break, None
        connected = "connected again" if self._welcomed else "connected"
        said = f"{connected} as {clean_line(self.name)} to {clean_line(str(route))}"
        if lost is not None:
            after = f"after {_lasting(now - lost.at)}"
            said += f", {after}" if lost.told_in else f", {after}; lost: {lost.why}"
            for buffer in {*lost.told_in, self.active} - {self.server} if lost.told_in else ():
                self.note(f"{connected} {after}", now, buffer)
        self.note(said, now, self.server)

    def forget_what_was_asked(self, now: int) -> None:
        """Of a connection that is gone no answer comes any more."""
        for buffer in self.buffers:
            buffer.loading = None
        self._put_off.clear()
        self.typists.clear()
        asked = [lookup.buffer for lookup in self.lookups.values() if lookup.purpose is Purpose.USER]
        self.lookups.clear()
        for buffer in [*self._listings.lose(), *asked]:
            self.note("the connection was lost before the answer came; ask again", now, buffer)

    def _on_welcomed(self, welcomed: Welcomed, now: int) -> None:
        self._welcomed, self._distrust = True, ""
        is_other = self.identity not in (None, welcomed.identity)
        if is_other:
            self.begin_directs_anew()
        self.identity = welcomed.identity
        if welcomed.afresh:
            self.returning = False
            for buffer in self.buffers:
                buffer.begin_anew(welcomed.cursor)
        if is_other and welcomed.shown is not None:
            self.note("the server knows you from before: you are again who you were then", now, important=True)
        for room in welcomed.late:
            if (late := self.find_room(room)) is not None and late.joined:
                late.clear()
        self._tell_away(now)
        for room, code in welcomed.refused.items():
            self._shut_out(room, _meaning(code), now)

    def _on_joined(self, joined: RoomJoined, now: int) -> None:
        buffer = self.find_room(joined.room)
        if buffer is None:
            buffer = self.add(Buffer(Kind.ROOM, clean_line(joined.room), joined.conv))
        elif not buffer.joined:
            buffer.joined, buffer.title = True, clean_line(joined.room)
            buffer.clear()
        buffer.conv, buffer.joining = joined.conv, False
        before = {**self._missing.of(fold(buffer.title)), **buffer.people}
        buffer.topic = joined.topic._replace(text=clean_line(joined.topic.text), by=clean_line(joined.topic.by))
        buffer.set_people(map(clean_line, joined.members), joined.people, map(clean_line, joined.away))
        self._tell_who_changed(buffer, before, now)
        self.rooms_seen.setdefault(fold(buffer.title), buffer.title)
        if buffer is self.lobby:
            self.ask_who_is([direct.title for direct in self.buffers if fold(direct.title) in buffer.people])
            self._ask_who_is_ignored(buffer.people.values())

    def _tell_who_changed(self, buffer: Buffer, before: dict[str, str], now: int) -> None:
        """After a break: who was there `before` it, and who came in it. Whoever is missing is waited for a while."""
        room = fold(buffer.title)
        if not before or max(len(before), buffer.head_count) > _TRAFFIC_SHOWN:
            self._missing.forget(room)
            return
        buffer.add_traffic(self._others(buffer.people, before), (), now, self.known)
        self._missing.await_in(room, {fold(name): name for name in self._others(before, buffer.people)}, now)

    def expire(self, now: int) -> int | None:
        """Gives up waiting for people and for a connection, and for a server that was busy; after how long (ms) there is more."""
        if self.online:
            for room, people in self._missing.give_up(now).items():
                if (buffer := self.find_room(room)) is not None:
                    buffer.add_traffic((), people.values(), now, self.known)
        missing_for = self._missing.wait(now) if self.online else None
        waits = self.typists.expire(now), missing_for, self._tell_of_lasting_break(now), self._let_load_again(now)
        return min(filter(None, waits), default=None)

    def _let_load_again(self, now: int) -> int | None:
        """What the server could not give may be asked for again after a while; after how long (ms) there is more."""
        due = {ref for ref, at in self._put_off.items() if not now < at <= now + _AGAIN_MS}
        for buffer in self.buffers:
            if buffer.loading in due:
                buffer.loading = None
        for ref in due:
            del self._put_off[ref]
        return min(self._put_off.values()) - now if self._put_off else None

    def _on_join_refused(self, refused: JoinRefused, now: int) -> None:
        self._shut_out(refused.room, clean_line(refused.text), now)

    def _shut_out(self, room: str, why: str, now: int) -> None:
        """One is not in a room. One that was opened for that stays: what is being typed meanwhile is meant for it."""
        buffer = self.find_room(room)
        if buffer is None:
            return  # it was left meanwhile
        opened, buffer.joined, buffer.joining = buffer.joining, False, False
        buffer.set_people((), 0)
        self._missing.forget(fold(buffer.title))
        said = f"{buffer.title} could not be joined: {why}"
        self.note(f"{said}; /part puts this away" if opened else said, now, buffer if opened else None, important=True)

    def _on_parted(self, parted: RoomParted, now: int) -> None:
        buffer = self.find_room(parted.room)
        if buffer is not None and buffer is not self.lobby:
            self._missing.forget(fold(buffer.title))
            self.remove(buffer)

    def _on_presence(self, presence: m.Presence, now: int) -> None:
        buffer = self.find_room(presence.room)
        if buffer is None:
            return
        options = presence.options
        came, left, away, back = (list(map(clean_line, options.get(key, ()))) for key in ("joined", "left", "away", "back"))
        if (members := options.get("members")) is not None:
            buffer.set_people(map(clean_line, members), options.get("count", len(members)), away)
            self._missing.came(fold(buffer.title), buffer.people)
            return
        renamed = {clean_line(name): clean_line(former) for former, name in options.get("renamed", ())}
        before = dict(buffer.people)
        buffer.move_people(came, [*left, *renamed.values()], options.get("count"))
        buffer.turn_people(away, back)
        self._forget_that_it_was_asked(back)
        renamed = {name: former for name, former in renamed.items() if fold(name) != fold(self.name)}  # the user was told
        if self._former_name in map(fold, came):
            self._former_name = ""
        if buffer is self.lobby:
            self.follow(renamed, now)
            self._go_on_ignoring(renamed, now)
            self.ask_who_is(came)
            self._ask_who_is_ignored(came)
        known = {**before, **self._missing.of(fold(buffer.title))}
        if buffer.head_count <= _TRAFFIC_SHOWN:
            told = {name: former for name, former in renamed.items() if fold(former) in known or buffer.unsay_that_left(former)}
            # The lists also have those who came and left again before anybody was told that they were here.
            came = [name for name in self._others(buffer.people, known) if name not in told]
            left = [name for name in self._others(before, buffer.people) if name not in told.values()]
            buffer.add_traffic(came, left, now, self.known, told)
        self._missing.came(fold(buffer.title), {*buffer.people, *map(fold, renamed.values())})

    def _forget_that_it_was_asked(self, back: list[str]) -> None:
        """Who is back can be away once more, and that is to be told, too."""
        folded = {*map(fold, back)}
        for buffer in self.buffers if folded else ():
            if buffer.kind is Kind.DIRECT and fold(buffer.title) in folded:
                buffer.away_asked = 0

    def _on_away(self, told: m.Away, now: int) -> None:
        self._tell_away(now)

    def _tell_away(self, now: int) -> None:
        """Whether the user is away, if that is news: as answer to what they said, or since they said so on another device."""
        away = clean_line(self.protocol.away)
        if away != self._away_told and not self.protocol.away_unsaid:
            self._away_told = away
            self.note(_about_away(away), now)

    def _on_away_refused(self, refused: AwayRefused, now: int) -> None:
        self._away_told = clean_line(refused.away)
        self.note(clean_line(refused.text), now, important=True)

    def _on_away_delayed(self, delayed: AwayDelayed, now: int) -> None:
        """Said once, however often it is tried."""
        if self._away_told is None:
            self._away_told = clean_line(self.protocol.away)
            why = clean_line(delayed.text)
            self.note(f"{_about_away(self._away_told)}; it is told as soon as the server can take it: {why}", now, important=True)

    def _on_whois(self, answer: m.Whois, now: int) -> None:
        lookup = self.lookups.pop(answer.ref, None)
        if lookup is None:
            return
        buffer = lookup.buffer if lookup.buffer in self.buffers else self.active
        self.tell_of_former(self.learn_who_is(answer.name, answer.options.get("from")), now)
        self._learn_who_is_ignored(answer.name, answer.options.get("from"))
        if lookup.purpose is Purpose.RENAMED and lookup.buffer.peer == answer.options.get("from"):
            self.call(lookup.buffer, lookup.name, now)
        if lookup.purpose is Purpose.USER:
            self.note(describe(self, answer.name, now, answer.options), now, buffer)
        elif lookup.purpose is Purpose.AWAY and (why := clean_line(answer.options.get("away", ""))):
            self.note(f"{lookup.name} is away{because(why)}", now, buffer)

    def _on_not_found(self, lookup: Lookup, code: str, text: str, now: int) -> None:
        if lookup.purpose is Purpose.USER:
            self.note(describe(self, lookup.name, now, {}) if code == Code.NO_SUCH_USER else text, now, lookup.buffer)

    def _on_typing(self, typing: m.IsTyping, now: int) -> None:
        conv, identity = (typing.options.get(key, "") for key in ("conv", "from"))
        known = self.find_conv(conv) is not None and identity != self.protocol.identity
        if self.typing and known and not self.is_ignored(typing.sender, identity):
            self.typists.heard(conv, identity, clean_line(typing.sender), now)

    def _others(self, people: Mapping[str, str], known: Container[str]) -> list[str]:
        """The names of those who are not known, but for one's own."""
        own = fold(self.name), self._former_name
        return [name for folded, name in people.items() if folded not in known and folded not in own]

    def _on_delivered(self, delivered: Delivered, now: int) -> None:
        message = delivered.message
        self.typists.stopped(message.options.get("conv", ""), message.options.get("from", ""))
        self._learn_topic(message)
        self._learn_who_is_ignored(message.sender, message.options.get("from"))
        if self._is_ignored(message):
            return
        buffer = self.buffer_of(message)
        self.tell_whose_name_it_is(message, buffer, now)
        if buffer is None:
            return
        self.forget_given_back(buffer, message)
        said = self.said_of(message)
        if not buffer.add(said):
            return
        buffer.trim()
        if said.own:
            self.wrote_elsewhere = max(self.wrote_elsewhere, min(said.time_ms, now))
        elif said.is_news:
            self._count(buffer, said)
            self.arrived.append(Arrival(buffer, said))

    def _learn_topic(self, message: m.Msg) -> None:
        """Whoever said so, and unless one was told a newer one when one came in."""
        buffer = self.find_conv(message.options.get("conv", message.to)) if message.options.get("topic") else None
        if buffer is not None and message.id > buffer.topic.at:
            buffer.topic = Topic(clean_line(message.text), clean_line(message.sender), message.time_ms, message.id)

    def _count(self, buffer: Buffer, said: Said) -> None:
        """Marks what is new in a buffer; in the active one, what came before this run of the program, or while nobody looked."""
        shown = buffer is self.active
        if (self.mark_next or (self.returning and buffer.unread_from is None)) if shown else not buffer.unread:
            buffer.unread_from = (said.key[0], -1)
        if shown:
            self.mark_next = False
        else:
            buffer.unread += 1
            buffer.mentions += bool(said.mentioned) or buffer.kind is Kind.DIRECT

    def _on_caught_up(self, caught_up: CaughtUp, now: int) -> None:
        """Tells once what came while the program did not run."""
        if not self.returning:
            return
        self.returning = False
        waiting = [f"{buffer.unread:,} in {buffer.title}" for buffer in by_importance(self.buffers) if buffer.unread]
        if waiting:
            key = self.keymap.called(Action.NEXT_UNREAD)
            self.note(f"unread: {', '.join(waiting[:10])}{f' ({key} leads there)' if key else ''}", now)

    def _on_page(self, page: m.Page, now: int) -> None:
        buffer = next((buffer for buffer in self.buffers if buffer.loading == page.ref), None)
        if buffer is None:
            return
        buffer.loading = None
        if buffer.conv is None and "conv" in page.options:
            buffer = self.bind(buffer, page.options["conv"])
        buffer.older_exist = bool(page.rows) and page.options.get("more", False)
        messages = [m.Msg(*row) for row in page.rows]
        if messages:
            buffer.reached = min(messages[0].id, buffer.first_id or messages[0].id)
        for message in messages:
            self.meet(buffer, message)
            self.forget_given_back(buffer, message)
            if not self._is_ignored(message):
                buffer.add(self.said_of(message))

    def _on_request_failed(self, failed: RequestFailed, now: int) -> None:
        if failed.code == Code.LOGIN_TIMEOUT:
            return  # the user was asked for a name, and takes their time: the connection is made anew
        ref, text = failed.ref, clean_line(failed.text)
        asked = next((buffer for buffer in self.buffers if ref is not None and buffer.loading == ref), None)
        if asked is not None and ref is not None and failed.code in PASSING:
            self._put_off[ref] = now + _AGAIN_MS
            return
        if asked is not None:
            asked.loading, asked.older_exist = None, False
            if asked.conv is not None:
                self.note(f"earlier messages could not be loaded: {text}", now, asked)
            elif failed.code == Code.NO_SUCH_USER:
                said = f"nobody goes by the name {asked.title} at present; /list shows who is there, /part puts this away"
                self.note(said, now, asked, important=True)  # it stays: what is being typed meanwhile is meant for it
            return
        if ref in self.lookups:
            self._on_not_found(self.lookups.pop(ref), failed.code, text, now)
            return
        if failed.code == Code.NO_SUCH_USER:
            return  # of a conversation that is not there any more
        self.note(text, now, self._listings.fail(ref), important=True)

    # --- lists --------------------------------------------------------------------------------------------------------

    def _on_members(self, answer: m.MemberList, now: int) -> None:
        room = self.find_room(answer.room)
        away = room.away if room is not None else set()
        items = [f"{name} (away)" if fold(name) in away else name for name in answer.names]
        self._on_listed(answer.ref, items, answer.names[-1:], answer.options, now)

    def _on_rooms(self, answer: m.RoomList, now: int) -> None:
        if answer.ref in self._listings.refs:
            self.rooms_seen |= {fold(room): clean_line(room) for room, _ in answer.rooms}
        items = [f"{room} ({count})" for room, count in answer.rooms]
        self._on_listed(answer.ref, items, [room for room, _ in answer.rooms[-1:]], answer.options, now)

    def _on_listed(self, ref: int, items: list[str], last: list[str], options: m.Options, now: int) -> None:
        complete = self._listings.take(ref, items, last, options)
        if complete is not None:
            buffer, text = complete
            self.note(text, now, buffer)

    # --- messages -----------------------------------------------------------------------------------------------------

    def _is_ignored(self, message: m.Msg) -> bool:
        return bool(self.ignored) and not self.is_own(message) and self.is_ignored(message.sender, message.options.get("from"))


def _about_away(text: str) -> str:
    return f"you are away{because(text)}; /back ends it" if text else "you are back"


def _lasting(ms: int) -> str:
    seconds = max(round(ms / 1000), 1)
    return f"{seconds} s" if seconds < 100 else f"{round(seconds / 60)} min" if seconds < 100 * 60 else f"{seconds // 3600} h"


def _meaning(code: str) -> str:
    return MEANINGS[Code(code)].sentence if code in MEANINGS else clean_line(code)
