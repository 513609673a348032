"""Who is here: connections, the people behind them, and what goes by person: names, rooms, being away, what the log knows.

Whoever was here is known by the log, if they did something that lasts, and has their name for a grace.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from broker.core.away import Away
from broker.core.debts import Debts
from broker.core.names import Names
from broker.core.rooms import Room, Rooms
from broker.core.sessions import Person, Session, Worker
from broker.log import Log, PersonUpdate, StorageError
from common import messages as m
from common.errors import Code, Refused
from common.limits import ROOMS_SHOWN, Limits
from common.log import direct, is_direct, parties
from common.names import check_name, fold

LOBBY = fold(m.LOBBY)
_UNWRITTEN_MOST = 100_000
"""While so many wait to be written, since the log takes nothing, nobody new is to be remembered."""


class People:
    """See the module's docstring. Times are milliseconds since 1970; `rooms` are those that people are in."""

    def __init__(self, log: Log, rooms: Rooms, limits: Limits, now_ms: int) -> None:
        self._log = log
        self._rooms = rooms
        self._limits = limits
        self._here: dict[str, Person] = {}
        """By identity."""
        self._names = Names(limits.name_grace_seconds * 1000)
        self._away = Away()
        self._debts = Debts()
        self._spread: set[str] = set()
        """Who is at several workers, or owes something, and has come or gone in this turn: the workers are to be told."""
        self.updates: dict[str, PersonUpdate] = {}
        """What is to be written into the log of them, by identity."""
        self._keep_names(now_ms)

    def __len__(self) -> int:
        return len(self._here)

    def __contains__(self, identity: str) -> bool:
        return identity in self._here

    def use_limits(self, limits: Limits) -> None:
        """These hold from now on."""
        self._limits = limits
        self._names.grace_ms = limits.name_grace_seconds * 1000

    def _keep_names(self, now_ms: int) -> None:
        """Who was here when the last broker ended gets the grace from now on; workers that live will speak for theirs.

        No name is kept for longer than that: if one is, then the clock was ahead when it was written.
        """
        latest = now_ms + self._limits.name_grace_seconds * 1000
        for person in self._log.kept_people(now_ms):
            until = person.kept_until_ms
            if until is None or until > latest:
                until = latest
                self.updates[person.identity] = PersonUpdate(person.identity, person.name, person.name_key, until)
            self._names.keep(person.name_key, person.name, person.identity, until)

    def clock_jumped(self, by_ms: int) -> None:
        """The clock was set, by so much: what lasts a while still lasts as long as it should, and has begun when it did."""
        self._names.clock_jumped(by_ms)
        self._debts.clock_jumped(by_ms)
        for person in self._here.values():
            if person.since_ms is not None:
                person.since_ms += by_ms

    def forget_expired(self, now_ms: int) -> None:
        """Frees names that are kept no longer, and forgets what was paid."""
        self._names.forget_expired(now_ms)
        self._debts.forget_paid(now_ms)

    # --- coming and going ------------------------------------------------------------------------------------------------

    def begin(
        self, worker: Worker, sid: int, identity: str, name: str, now_ms: int, known: bool = True, since_ms: int | None = None
    ) -> Session:
        """One more connection. Raises `Refused` where the name is somebody else's.

        `known`: the person may have been here before. `since_ms`: since when they are here, if this is their first connection.
        """
        key = fold(name)
        session = Session(worker.number, sid, identity, self._names.claim(key, name, identity, now_ms), key)
        person = self._here.get(identity)
        if person is None:
            person = self._here[identity] = Person(known and self._is_stored(identity), since_ms=since_ms)
        person.sessions.append(session)
        worker.sessions[sid] = session
        self._away.goes_by(identity, session.name)
        self.note_spread(identity, now_ms)
        if person.stored:
            self._store(session, kept_until_ms=None)
        return session

    def _is_stored(self, identity: str) -> bool:
        try:
            return self._log.person(identity) is not None
        except StorageError:
            return True  # as may be; to store somebody for no reason does no harm

    def end(self, worker: Worker, session: Session, now_ms: int) -> None:
        """One connection fewer. The name is kept for a while if it was the last with it."""
        del worker.sessions[session.sid]
        for conv in [*session.rooms]:
            self.leave(session, conv)
        kept_until_ms = self._names.release(session.key, now_ms)
        if kept_until_ms is not None:
            self._away.forget_name(session.name)
        person = self._here[session.identity]
        self.note_spread(session.identity, now_ms)
        person.sessions.remove(session)
        if not person.sessions:
            del self._here[session.identity]
            self._away.forget(session.identity)
        if kept_until_ms is None or not person.stored:
            return
        if person.sessions:  # under another name
            self._store(person.sessions[-1], kept_until_ms=None)
        else:
            self._store(session, kept_until_ms)

    def gone(self, worker: Worker, session: Session, untold: bool, owed_ms: int, now_ms: int) -> None:
        """The same for one that owes something; `untold`: nobody can come back as this person, so the name is free."""
        self.end(worker, session, now_ms)
        self._debts.add(session.identity, owed_ms, now_ms)
        if untold:
            self._names.free(session.key)

    def note_spread(self, identity: str, now_ms: int) -> None:
        """The workers are to be told how many connections somebody has elsewhere, if that matters to any."""
        if self._here[identity].is_spread or self._debts.owed(identity, now_ms):
            self._spread.add(identity)

    def take_spread(self, now_ms: int) -> Iterator[tuple[int, str, int, int]]:
        """Each worker counts its own connections of a person; how many there are beside those, it is told.

        The worker, the identity, how many connections, and the milliseconds that are owed.
        """
        spread, self._spread = self._spread, set()
        for identity in spread:
            sessions = self.sessions_of(identity)
            owed_ms = self._debts.owed(identity, now_ms)
            for number, here in Counter(session.worker for session in sessions).items():
                yield number, identity, len(sessions) - here, owed_ms

    def _store(self, session: Session, kept_until_ms: int | None) -> None:
        self.updates[session.identity] = PersonUpdate(session.identity, session.name, session.key, kept_until_ms)

    def remember(self, session: Session) -> None:
        """The person has done something that lasts: from now on the log knows them."""
        person = self._here[session.identity]
        if not person.stored and len(self.updates) < _UNWRITTEN_MOST:
            person.stored = True
            self._store(session, kept_until_ms=None)

    # --- rooms -------------------------------------------------------------------------------------------------------------

    def enter(self, session: Session, conv: str, name: str) -> None:
        """The session is in this room from now on."""
        session.rooms[conv] = self._rooms.add(conv, name, session.worker, session.name)
        if conv != LOBBY:
            self._here[session.identity].enters(conv)
            self.remember(session)

    def leave(self, session: Session, conv: str) -> None:
        """It is not in it any more."""
        del session.rooms[conv]
        self._rooms.remove(conv, session.worker, session.name)
        if conv != LOBBY:
            self._here[session.identity].leaves(conv)

    def join(self, session: Session, conv: str, name: str) -> None:
        """It enters a room that it is not in, since its client asked for that. Raises `Refused` where it may not."""
        self._check_rooms_of(self._here[session.identity], conv)
        self._check_room(session, conv, name)
        self.enter(session, conv, name)

    def _check_rooms_of(self, person: Person, conv: str) -> None:
        """Raises `Refused` if they are in as many as they may be, and not in this one. The lobby counts, and is always free."""
        if conv == LOBBY or conv in person.rooms:
            return
        rooms = len(person.rooms) + 1
        if rooms >= self._limits.rooms_per_user:
            raise Refused(Code.TOO_MANY_ROOMS, f"you are in {rooms} rooms already, part one first")

    def _check_room(self, session: Session, conv: str, name: str) -> None:
        """Raises `Refused` where nobody else may come in."""
        room = self._rooms.get(conv)
        if room is None:
            if (other := self._rooms.like(conv, name)) is not None:
                raise Refused(
                    Code.ROOM_CONFUSABLE,
                    f"{name} looks like {other.name}, which is another room: join that, or pick another name",
                )
        elif conv != LOBBY and session.name not in room.people and len(room.people) >= self._limits.members_per_room:
            raise Refused(Code.ROOM_FULL, f"{room.name} has {len(room.people)} people, as many as may be in one room")

    # --- being away --------------------------------------------------------------------------------------------------------

    def why_away(self, identity: str) -> str:
        """What they said; empty if they are not away."""
        return self._away.text_of(identity)

    def say_away(self, session: Session, text: str) -> None:
        """The person is away, or back if the text is empty."""
        if text != self._away.text_of(session.identity):
            self._set_away(session, text)

    def learn_away(self, session: Session, text: str, is_new: bool) -> None:
        """A worker says so of a session: that counts where nothing is known. Else the worker is told what it has missed."""
        known = self._away.text_of(session.identity)
        if text and is_new and not known:
            self._set_away(session, text)
        elif text != known:
            self._away.tell_again(session.identity)

    def _set_away(self, session: Session, text: str) -> None:
        self._away.say(session.identity, {one.name for one in self.sessions_of(session.identity)}, text)

    def away_among(self, names: list[str]) -> list[str]:
        """Those of the names whose people are away."""
        return self._away.among(names)

    def away_in(self, room: Room) -> list[str]:
        """Who in the room is away; of a large room that is not told."""
        return [] if room.is_large else self._away.among(room.members())

    def renamed(self, room: Room, came: list[str], left: list[str]) -> dict[str, str]:
        """Of those who came, by their names, who has gone by another one until just now: that one.

        Also of those who came before that and have left the other name only now: two workers do not wait for each other.
        """
        names = [*came, *filter(None, (self._stays_as(room, name) for name in left))]
        return {name: former for name in names if (former := self._names.former(fold(name))) is not None}

    def _stays_as(self, room: Room, name: str) -> str | None:
        """By which name, taken later, somebody is still in the room who has left it by this one."""
        key = fold(name)
        sessions = self.sessions_of(self._names.left_by(key) or "")
        there = [one.name for one in sessions if room.conv in one.rooms and self._names.is_later(one.key, key)]
        return there[-1] if there else None

    def told_who_is_where(self) -> None:
        """All rooms have been told of all that changed."""
        self._names.told()

    def presence(self, room: Room) -> m.Presence:
        """Who is there, whatever was told before."""
        options: m.Options = {"count": len(room.people)}
        if not room.is_large:
            options["members"] = room.members()
        if away := self.away_in(room):
            options["away"] = away
        return m.Presence(room.name, options)

    def take_turned(self) -> Iterator[tuple[int, list[int], str]]:
        """Who went away or is back, once in a turn, however often they said so: the worker, the sessions, and the text.

        Their rooms take note of it.
        """
        for identity, tell_rooms in self._away.take_turned().items():
            sessions = self._here[identity].sessions
            for number, sids in by_worker(sessions):
                yield number, sids, self._away.text_of(identity)
            for session in sessions if tell_rooms else ():
                for conv in session.rooms:
                    self._rooms.turn(conv, session.name)

    # --- who is who --------------------------------------------------------------------------------------------------------

    def sessions_of(self, identity: str) -> list[Session]:
        """All connections of somebody; none if they are not here."""
        person = self._here.get(identity)
        return person.sessions if person is not None else []

    def find(self, name: str, now_ms: int) -> tuple[str, str]:
        """Who a name stands for now, and how it is written: whoever has it, else who had it last. Raises `Refused`."""
        key = fold(name)
        owner = self._names.owner(key, now_ms)
        if owner is not None:
            return owner.identity, owner.name
        named = self._log.people_named(key) if key else []  # without a name are those who never said anything
        if not named:
            raise Refused(Code.NO_SUCH_USER, f"nobody is called {name}")
        return named[0].identity, named[0].name

    def other_party(self, session: Session, conv: str, to: str) -> tuple[str, str]:
        """The other person of a direct conversation, and what they are called now. Raises `Refused`."""
        pair = parties(conv)
        if session.identity not in pair or conv != direct(*pair):
            raise Refused(Code.NO_SUCH_CONVERSATION)
        other = pair[0] if pair[1] == session.identity else pair[1]
        person = self._here.get(other)
        if person is not None:
            return other, person.sessions[0].name
        stored = self._log.person(other)
        if stored is None:
            raise Refused(Code.NO_SUCH_CONVERSATION)
        return other, stored.name or check_name(to)

    def others_sessions(self, session: Session, to: str, conv: str | None, now_ms: int) -> list[Session]:
        """Those of the other one of a direct conversation, without a look at the log; none where it is with oneself."""
        if conv is None:
            owner = self._names.owner(fold(to), now_ms)
            other = owner.identity if owner is not None else ""
        elif is_direct(conv) and session.identity in (pair := parties(conv)):
            other = pair[0] if pair[1] == session.identity else pair[1]
        else:
            other = ""
        return self.sessions_of(other) if other != session.identity else []

    def whois(self, asking: Session, ref: int, name: str, now_ms: int) -> m.Whois:
        """Of the rooms those are told that whoever asks could look into. Raises `Refused`."""
        identity, written = self.find(name, now_ms)
        options: m.Options = {"from": identity, "devices": 0}
        known: dict[str, int | str | None]
        if (person := self._here.get(identity)) is None:
            known = {"seen": self._last_seen(identity, fold(name), now_ms)}
        else:
            shared = sorted(conv for conv in asking.rooms if conv == LOBBY or conv in person.rooms)
            rooms = [asking.rooms[conv].name for conv in shared]
            options |= {"devices": len(person.sessions), "rooms": rooms[:ROOMS_SHOWN], "more": len(rooms) > ROOMS_SHOWN}
            known = {"since": person.since_ms, "away": self._away.text_of(identity) or None}
        options |= {key: value for key, value in known.items() if value is not None}
        return m.Whois(ref, written, options)

    def _last_seen(self, identity: str, key: str, now_ms: int) -> int | None:
        """When somebody who is not here left, as far as it is known."""
        owner = self._names.owner(key, now_ms)
        if owner is not None:
            return min(owner.left_ms, now_ms)
        stored = self._log.person(identity)
        until = stored.kept_until_ms if stored is not None else None
        return None if until is None else min(self._names.left(until), now_ms)


def by_worker(sessions: Iterable[Session]) -> Iterable[tuple[int, list[int]]]:
    """The sids of the sessions, with the worker that each is at."""
    by_worker: defaultdict[int, list[int]] = defaultdict(list)
    for session in sessions:
        by_worker[session.worker].append(session.sid)
    return by_worker.items()
