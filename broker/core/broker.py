"""The broker's decisions: batches of requests in, one append to the log, batches of answers out.

A turn is `receive` for each batch that the pipes hold, then one `settle`. Requests are decided in the order in which they
arrive, and what each leads to is noted as a step. `settle` appends all messages of the turn in one commit and only then turns
the steps into answers, in their order: so nobody learns of a message that is not on the disk, a group of messages costs one
wait for the disk, and whoever joins between two messages of one turn gets exactly the second.
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from broker.core.away import Away
from broker.core.debts import Debts
from broker.core.names import Names
from broker.core.repeats import Repeats
from broker.core.rooms import Room, Rooms
from broker.core.sessions import Person, Session, Worker
from broker.core.steps import NewTopic, Place, Post, Repeat, Step, Tell
from broker.log import Log, PersonUpdate, StorageError, StorageFull, make_draft
from common import messages as m
from common.codec import MAP_ITEMS
from common.errors import MEANINGS, Code, Refused
from common.limits import ROOM_CHARS, ROOMS_SHOWN, Limits
from common.log import Entry, direct, is_direct, parties
from common.names import check_name, check_room, fold
from common.routing import Batch, Item

_LOBBY = fold(m.LOBBY)
_TYPISTS = 5
"""Of one conversation so many a second are told of who are typing: of more, a client says no more than that there are several."""


class Broker:
    """See the module's docstring. Times are milliseconds since 1970."""

    def __init__(self, log: Log, limits: Limits, now_ms: int) -> None:
        self._log = log
        self._limits = limits
        self._names = Names(limits.name_grace_seconds * 1000)
        self._rooms = Rooms()
        self._repeats = Repeats(log)
        self._people: dict[str, Person] = {}
        self._away = Away()
        self._typists: Counter[str] = Counter()
        """How many were told of in this second, by conversation."""
        self._debts = Debts()
        self._spread: set[str] = set()
        """Who is at several workers, or owes something, and has come or gone in this turn: the workers are to be told."""
        self._workers: dict[int, Worker] = {}
        self._begun = False
        self.ready = False
        """Names can be granted: every worker that lived when this broker began has introduced itself, or is dead."""
        self._postponed: list[tuple[int, Batch]] = []
        """Requests that came before this broker was ready."""
        self._steps: list[Step] = []
        self._updates: dict[str, PersonUpdate] = {}
        self._out: defaultdict[int, list[Item]] = defaultdict(list)
        self._now_ms = now_ms
        self.trouble: StorageError | None = None
        """Why the log could not be used last, until an append succeeds."""
        self._position = log.last
        """The id up to which the workers were told everything."""
        self._handlers: dict[str, Callable[..., None]] = {
            "join": self._join,
            "part": self._part,
            "send": self._send,
            "topic": partial(self._send, topic=True),
            "find": self._find,
            "members": self._list_members,
            "rooms": self._list_rooms,
            "present": self._list_present,
            "away": self._say_away,
            "whois": self._who_is,
            "typing": self._type,
            "gone": self._gone,
        }
        self._keep_names()

    def use_limits(self, limits: Limits) -> None:
        """These hold from now on."""
        self._limits = limits
        self._names.grace_ms = limits.name_grace_seconds * 1000

    def _keep_names(self) -> None:
        """Who was here when the last broker ended gets the grace from now on; workers that live will speak for theirs.

        No name is kept for longer than that: if one is, then the clock was ahead when it was written.
        """
        latest = self._now_ms + self._limits.name_grace_seconds * 1000
        for person in self._log.kept_people(self._now_ms):
            until = person.kept_until_ms
            if until is None or until > latest:
                until = latest
                self._updates[person.identity] = PersonUpdate(person.identity, person.name, person.name_key, until)
            self._names.keep(person.name_key, person.name, person.identity, until)

    def figures(self) -> dict[str, Any]:
        """What `chat-broker status` shows of the broker."""
        return {
            "users": len(self._people),
            "rooms": len(self._rooms),
            "messages": self._log.count,
            "last": self._log.last,
            "workers": [
                {"number": number, "behind": 0 if worker.listening else self._log.last - worker.position}
                for number, worker in sorted(self._workers.items())
            ],
        }

    # --- workers come and go -------------------------------------------------------------------------------------------

    def worker_came(self, number: int, generation: int) -> None:
        """There is a pipe to this worker. One that comes after `begin` is new: nobody's name has to wait for it."""
        self._workers[number] = Worker(generation, known=self._begun)

    def worker_gone(self, number: int, generation: int, now_ms: int) -> None:
        """The worker is dead for certain. Its clients will come back; their names are kept for a grace."""
        self._now_ms = now_ms
        worker = self._workers.get(number)
        if worker is None or worker.generation != generation:
            return
        for session in [*worker.sessions.values()]:
            self._end(worker, session)
        del self._workers[number]
        self._out.pop(number, None)
        self._forget_postponed(number)
        self._get_ready()

    def begin(self, now_ms: int) -> None:
        """All workers that are alive have been named by `worker_came`."""
        self._now_ms = now_ms
        self._begun = True
        self._get_ready()

    def fell_behind(self, number: int) -> None:
        """This worker does not read: what is meant for it is thrown away until it does."""
        worker = self._workers[number]
        worker.behind = True
        worker.listening = False
        self._forget_postponed(number)

    def caught_up(self, number: int) -> None:
        """A worker that was behind reads again: it is to introduce itself, and to repeat what it asked for."""
        worker = self._workers[number]
        worker.behind = False
        worker.to_ask = True
        self._out.setdefault(number, [])

    @property
    def strangers(self) -> list[tuple[int, int]]:
        """The workers, as number and generation, that may hold names which this broker does not know of."""
        return [(number, worker.generation) for number, worker in self._workers.items() if not worker.known]

    def _introduce(self, number: int, worker: Worker, sessions: list[list[Any]], more: bool) -> None:
        worker.introducing += sessions
        if more:
            return
        introduced, worker.introducing = worker.introducing, []
        present = {sid for sid, *_ in introduced}
        for session in [session for sid, session in worker.sessions.items() if sid not in present]:
            self._end(worker, session)
        worker.known = worker.listening = True
        self._out[number].append(self._snapshot())
        for sid, identity, name, rooms, *away in introduced:
            self._restore(number, worker, sid, identity, name, rooms, *away)
        for session in worker.sessions.values():
            self._note_spread(session.identity)
        if self.ready:
            self._tell_who_is_where(number)
        self._get_ready()

    def _restore(self, number: int, worker: Worker, sid: int, identity: str, name: str, rooms: list[str], away: str = "") -> None:
        """A session as its worker knows it; it may have been in more rooms, or in fewer, as far as this broker knew.

        Who is away is learned where nothing is known, and the worker told where it has missed something.
        """
        session = worker.sessions.get(sid)
        is_new = session is None
        if session is None:
            try:
                session = self._begin_session(number, worker, sid, identity, name)
            except Refused as refused:
                self._out[number].append(["lost", sid, refused.code, refused.text])
                return
        if away and is_new and not self._away.text_of(identity):
            self._set_away(session, away)
        elif away != self._away.text_of(identity):
            self._away.tell_again(identity)
        present = {fold(room): room for room in rooms}
        for conv in sorted(session.rooms.keys() - present.keys()):
            self._leave(session, conv)
        for conv in sorted(present.keys() - session.rooms.keys()):
            self._enter(session, conv, present[conv])

    def _get_ready(self) -> None:
        """Goes on as soon as all that there is to know about names and rooms is known."""
        if self.ready or not self._begun or self.strangers:
            return
        self.ready = True
        self._rooms.take_changes()  # they are told all of it
        for number in self._workers:
            self._tell_who_is_where(number)
        postponed, self._postponed = self._postponed, []
        for number, batch in postponed:
            self._decide(number, self._workers[number], batch)

    def _tell_who_is_where(self, number: int) -> None:
        """After an introduction: who came or left while this worker was not told is not known to it otherwise."""
        for room in self._rooms:
            if number in room.workers:
                self._out[number].append(self._present(room))

    def clock_jumped(self, by_ms: int) -> None:
        """The clock was set, by so much: what lasts a while still lasts as long as it should, and has begun when it did."""
        self._names.clock_jumped(by_ms)
        self._debts.clock_jumped(by_ms)
        for person in self._people.values():
            if person.since_ms is not None:
                person.since_ms += by_ms

    def _forget_postponed(self, number: int) -> None:
        self._postponed = [(other, batch) for other, batch in self._postponed if other != number]

    # --- a turn --------------------------------------------------------------------------------------------------------

    def receive(self, number: int, batch: Batch, now_ms: int) -> None:
        """Decides what one batch of a worker asks for."""
        self._now_ms = now_ms
        worker = self._workers.get(number)
        if worker is None:
            return
        if batch[0] == "intro":
            _, sessions, more = batch
            self._introduce(number, worker, sessions, more)
        elif not worker.listening:
            return  # it will be repeated after the introduction that this worker was asked for
        elif self.ready:
            self._decide(number, worker, batch)
        else:
            self._postponed.append((number, batch))

    def settle(self) -> dict[int, Batch]:
        """Commits the turn's messages and gives out the answers, by worker."""
        problem = self._commit([step for step in self._steps if type(step) is Post])
        for step in self._steps:
            if type(step) is Post:
                self._deliver(step, problem)
            elif type(step) is Tell:
                self._tell(step)
            elif type(step) is Repeat:
                self._repeat(step, problem)
            elif type(step) is NewTopic:
                self._note_topic(step.post)
        self._steps.clear()
        self._tell_who_is_elsewhere()
        if self.ready:
            self._tell_presence()
        return self._take_batches()

    def _snapshot(self) -> Item:
        return ["snapshot", self._log.uuid, self._log.key]

    def tick(self, now_ms: int) -> None:
        """Once a second or so: frees names, and lets every worker know the position."""
        self._now_ms = now_ms
        self._names.forget_expired(now_ms)
        self._typists.clear()
        self._debts.forget_paid(now_ms)
        for number, worker in self._workers.items():
            if worker.listening and worker.position < self._position:
                self._out.setdefault(number, [])

    def _decide(self, number: int, worker: Worker, batch: Batch) -> None:
        _, first, requests = batch
        for tag, sid, *fields in requests:
            session = worker.sessions.get(sid)
            if tag == "hello":
                self._hello(number, worker, sid, *fields)
            elif session is not None:  # else it is gone
                try:
                    self._handlers[tag](session, *fields)
                except (Refused, StorageError) as problem:
                    self._fail(session, fields[0], problem)
        worker.answered = first + len(requests) - 1
        self._out.setdefault(number, [])

    def _commit(self, posts: list[Post]) -> StorageError | None:
        """Puts the turn's messages into the log, or tells why they are not there."""
        if posts or self._updates:
            try:
                runs = self._log.append([post.draft for post in posts], [*self._updates.values()])
            except StorageError as problem:
                self._repeats.failed()
                self.trouble = problem
                return problem
            for post, run in zip(posts, runs, strict=True):
                post.run = run
            self._updates.clear()
            self.trouble = None
        self._repeats.committed()
        return None

    def _deliver(self, post: Post, problem: StorageError | None) -> None:
        """Gives messages to those who are to see them, or says why they are not in the log."""
        run = post.run
        if run is None:
            for ref in range(post.draft.ref, post.draft.last_ref + 1):
                self._refuse(post.sender, ref, problem)
            return
        self._position = run.last
        frames = run.frames()
        for number, tag, whom in post.recipients:
            items = self._out[number]
            if items and items[-1][0] == tag and items[-1][1] == whom:  # those for the same ones go together
                items[-1][2].append(run.last)
                items[-1][3].append(frames)
            else:
                items.append([tag, whom, [run.last], [frames]])

    def _repeat(self, repeat: Repeat, problem: StorageError | None) -> None:
        """Gives the sender the first message of two that are the same."""
        first, ref, sender = repeat
        if isinstance(first, Post) and first.run is None:
            self._refuse(sender, ref, problem)
            return
        entry = first.entry(ref) if isinstance(first, Post) else first
        self._out[sender.worker].append(["reply", sender.sid, m.encode(entry.as_msg(again=True))])

    def _note_topic(self, post: Post) -> None:
        """It is told with each `joined` from here on, if it is in the log."""
        room = self._rooms.get(post.draft.conv)
        if post.run is not None and room is not None:
            room.set_topic(post.entry(post.draft.last_ref))

    def _refuse(self, sender: Session, ref: int, problem: StorageError | None) -> None:
        assert problem is not None
        self._out[sender.worker].append(_reply(sender, _error(ref, problem)))

    def _tell(self, tell: Tell) -> None:
        if tell.position_at is not None:
            tell.item[tell.position_at] = self._position
        for _, conv, _, _, options in tell.joined:
            if (room := self._rooms.get(conv)) is not None:
                options |= room.topic()
        self._out[tell.worker].append(tell.item)

    def _tell_presence(self) -> None:
        self._tell_who_turned()
        for room, came, left, turned, anew in self._rooms.take_changes():
            items: list[Item] = []
            if anew:
                items.append(self._present(room))
            elif came or left or room.is_large:
                items.append(["presence", room.conv, room.name, came, left, len(room.people)])
            away = self._away.among([*dict.fromkeys([*came, *turned])])
            back = [name for name in turned if name not in away]
            if (away or back) and not anew:
                items.append(["turned", room.conv, room.name, away, back, len(room.people)])
            for number in room.workers:
                self._out[number] += items

    def _tell_who_turned(self) -> None:
        """Once in a turn, however often they said so."""
        for identity, tell_rooms in self._away.take_turned().items():
            sessions = self._people[identity].sessions
            for number, sids in _by_worker(sessions):
                self._out[number].append(["away", sids, self._away.text_of(identity)])
            for session in sessions if tell_rooms else ():
                for conv in session.rooms:
                    self._rooms.turn(conv, session.name)

    def _tell_who_is_elsewhere(self) -> None:
        """Each worker counts its own connections of a person; how many there are beside those, it is told."""
        for identity in self._spread:
            sessions = person.sessions if (person := self._people.get(identity)) is not None else []
            owed_ms = self._debts.owed(identity, self._now_ms)
            for number, here in Counter(session.worker for session in sessions).items():
                self._out[number].append(["elsewhere", identity, len(sessions) - here, owed_ms])
        self._spread.clear()

    def _take_batches(self) -> dict[int, Batch]:
        out, self._out = self._out, defaultdict(list)
        batches: dict[int, Batch] = {}
        for number, items in out.items():
            worker = self._workers.get(number)
            if worker is None:
                continue
            if worker.listening:
                worker.position = self._position
                batches[number] = [worker.position, worker.answered, items]
            elif worker.to_ask:
                worker.to_ask = False
                batches[number] = [worker.position, -1, [["introduce"]]]  # what was answered of late, it was not told
        return batches

    def _fail(self, session: Session, ref: int, problem: Refused | StorageError) -> None:
        if isinstance(problem, StorageError):
            self.trouble = problem
            self._reply(session, _error(ref, problem))
        else:
            self._reply(session, m.Error(ref, problem.code, problem.text))

    def _reply(self, session: Session, reply: m.Reply) -> None:
        self._steps.append(Tell(session.worker, _reply(session, reply)))

    # --- sessions ------------------------------------------------------------------------------------------------------

    def _hello(
        self,
        number: int,
        worker: Worker,
        sid: int,
        ref: int,
        identity: str,
        name: str,
        after: int | None,
        log: str | None,
        rooms: list[str],
        known: bool,
    ) -> None:
        """`known`: the identity was proved by a token, and may have been here before."""
        before = worker.sessions.get(sid)
        if before is not None:
            self._end(worker, before)
        try:
            check_name(name)
            if after is not None and (log not in (None, self._log.uuid) or after > self._position):
                raise Refused(Code.BAD_RESUME)
            is_here = identity in self._people
            away = self._away.text_of(identity) if is_here else None
            session = self._begin_session(number, worker, sid, identity, name, known)
            if not is_here:
                self._people[identity].since_ms = self._now_ms
        except Refused as refused:
            self._steps.append(Tell(number, ["refused", sid, ref, refused.code, refused.text]))
            return
        joined: dict[str, Item] = {}
        refusals: dict[str, str] = {}
        for room in [m.LOBBY, *rooms]:
            try:
                item = self._join_room(session, check_room(room))
                joined.setdefault(item[1], item)
            except Refused as refused:
                if len(refusals) < MAP_ITEMS:  # a frame holds no more, and names that long only in jest
                    refusals[room[:ROOM_CHARS]] = refused.code
        told = [*joined.values()]
        welcome = ["welcome", sid, ref, session.name, 0, told, refusals, away]
        self._steps.append(Tell(number, welcome, position_at=4, joined=told))

    def _begin_session(self, number: int, worker: Worker, sid: int, identity: str, name: str, known: bool = True) -> Session:
        key = fold(name)
        session = Session(number, sid, identity, self._names.claim(key, name, identity, self._now_ms), key)
        person = self._people.get(identity)
        if person is None:
            person = self._people[identity] = Person(known and self._is_stored(identity))
        person.sessions.append(session)
        worker.sessions[sid] = session
        self._away.goes_by(identity, session.name)
        self._note_spread(identity)
        if person.stored:
            self._store(session, kept_until_ms=None)
        return session

    def _is_stored(self, identity: str) -> bool:
        try:
            return self._log.person(identity) is not None
        except StorageError:
            return True  # as may be; to store somebody for no reason does no harm

    def _end(self, worker: Worker, session: Session) -> None:
        del worker.sessions[session.sid]
        for conv in [*session.rooms]:
            self._leave(session, conv)
        kept_until_ms = self._names.release(session.key, self._now_ms)
        if kept_until_ms is not None:
            self._away.forget_name(session.name)
        person = self._people[session.identity]
        self._note_spread(session.identity)
        person.sessions.remove(session)
        if not person.sessions:
            del self._people[session.identity]
            self._away.forget(session.identity)
        if kept_until_ms is None or not person.stored:
            return
        if person.sessions:  # under another name
            self._store(person.sessions[-1], kept_until_ms=None)
        else:
            self._store(session, kept_until_ms)

    def _note_spread(self, identity: str) -> None:
        if self._people[identity].is_spread or self._debts.owed(identity, self._now_ms):
            self._spread.add(identity)

    def _gone(self, session: Session, untold: bool, owed_ms: int) -> None:
        self._end(self._workers[session.worker], session)
        self._debts.add(session.identity, owed_ms, self._now_ms)
        if untold:
            self._names.free(session.key)

    def _store(self, session: Session, kept_until_ms: int | None) -> None:
        self._updates[session.identity] = PersonUpdate(session.identity, session.name, session.key, kept_until_ms)

    def _remember(self, session: Session) -> None:
        """The person has done something that lasts: from now on the log knows them."""
        person = self._people[session.identity]
        if not person.stored:
            person.stored = True
            self._store(session, kept_until_ms=None)

    def _say_away(self, session: Session, ref: int, text: str) -> None:
        if text != self._away.text_of(session.identity):
            self._set_away(session, text)
        self._steps.append(Tell(session.worker, ["said", session.sid, ref, text]))

    def _set_away(self, session: Session, text: str) -> None:
        self._away.say(session.identity, {one.name for one in self._people[session.identity].sessions}, text)

    # --- rooms ---------------------------------------------------------------------------------------------------------

    def _enter(self, session: Session, conv: str, name: str) -> None:
        session.rooms[conv] = self._rooms.add(conv, name, session.worker, session.name)
        if conv != _LOBBY:
            self._people[session.identity].enters(conv)

    def _leave(self, session: Session, conv: str) -> None:
        del session.rooms[conv]
        self._rooms.remove(conv, session.worker, session.name)
        if conv != _LOBBY:
            self._people[session.identity].leaves(conv)

    def _join_room(self, session: Session, name: str) -> Item:
        """What a `joined` says of the room: its name, conv, count, members, and as options who of them is away. Raises `Refused`.

        The topic is still missing: see `_tell`.
        """
        conv = fold(name)
        if conv not in session.rooms:
            self._check_rooms_of(self._people[session.identity], conv)
            self._check_room(session, conv, name)
            self._enter(session, conv, name)
            if conv != _LOBBY:
                self._remember(session)
        room = self._rooms[conv]
        self._learn_topic(room)
        away = self._away_in(room)
        return [room.name, conv, len(room.people), room.members(), {"away": away} if away else {}]

    def _learn_topic(self, room: Room) -> None:
        """From the log, once for each room. If that cannot be read now, whoever comes next may be told."""
        if not room.knows_topic:
            with contextlib.suppress(StorageError):
                room.set_topic(self._log.topic(room.conv))

    def _away_in(self, room: Room) -> list[str]:
        """Who in the room is away; of a large room that is not told."""
        return [] if room.is_large else self._away.among(room.members())

    def _present(self, room: Room) -> Item:
        return ["present", room.conv, m.encode(self._presence(room))]

    def _presence(self, room: Room) -> m.Presence:
        """Who is there, whatever was told before."""
        options: m.Options = {"count": len(room.people)}
        if not room.is_large:
            options["members"] = room.members()
        if away := self._away_in(room):
            options["away"] = away
        return m.Presence(room.name, options)

    def _check_rooms_of(self, person: Person, conv: str) -> None:
        """Raises `Refused` if they are in as many as they may be, and not in this one. The lobby counts, and is always free."""
        if conv == _LOBBY or conv in person.rooms:
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
        elif conv != _LOBBY and session.name not in room.people and len(room.people) >= self._limits.members_per_room:
            raise Refused(Code.ROOM_FULL, f"{room.name} has {len(room.people)} people, as many as may be in one room")

    def _join(self, session: Session, ref: int, room: str) -> None:
        joined = self._join_room(session, room)
        self._steps.append(Tell(session.worker, ["joined", session.sid, ref, 0, joined], position_at=3, joined=[joined]))

    def _part(self, session: Session, ref: int, name: str) -> None:
        conv = fold(name)
        if conv == _LOBBY:
            raise Refused(Code.BAD_ROOM, f"everybody is in {m.LOBBY}")
        if conv not in session.rooms:
            raise Refused(Code.NOT_IN_ROOM, f"you are not in {name}")
        room = self._rooms[conv].name
        self._leave(session, conv)
        self._steps.append(Tell(session.worker, ["parted", session.sid, ref, 0, room, conv], position_at=3))

    def _list_members(self, session: Session, ref: int, name: str, after: str, limit: int) -> None:
        room = self._rooms.get(fold(name))
        names = room.members_after(after, limit + 1) if room is not None else []
        count = len(room.people) if room is not None else 0
        self._reply(session, m.MemberList(ref, name, names[:limit], {"count": count, "more": len(names) > limit}))

    def _list_rooms(self, session: Session, ref: int, after: str, limit: int) -> None:
        rooms = self._rooms.rooms_after(fold(after), limit + 1)
        shown: list[list[Any]] = [[room.name, len(room.people)] for room in rooms[:limit]]
        self._reply(session, m.RoomList(ref, shown, {"more": len(rooms) > limit}))

    def _list_present(self, session: Session, ref: None, conv: str) -> None:
        """For one who was not told of all who came and left."""
        if conv in session.rooms:
            self._reply(session, self._presence(self._rooms[conv]))

    # --- messages ------------------------------------------------------------------------------------------------------

    def _send(
        self,
        session: Session,
        ref: int,
        to: str,
        texts: list[str],
        conv: str | None,
        prevs: list[int | None],
        topic: bool = False,
    ) -> None:
        """Messages whose refs follow each other; in `prevs`, behind the first, is nil or the counter of the one before."""
        if self._sent_together(session, ref, to, texts, conv, prevs[0], topic):
            return
        for place, (text, prev) in enumerate(zip(texts, prevs, strict=True)):
            try:
                self._send_one(session, ref + place, to, text, conv, prev, topic)
            except (Refused, StorageError) as problem:
                self._fail(session, ref + place, problem)

    def _sent_together(
        self, session: Session, ref: int, to: str, texts: list[str], conv: str | None, prev: int | None, topic: bool
    ) -> bool:
        """Takes all of them at once, unless there is something about them that has to be looked at one by one."""
        try:
            if not self._repeats.is_new(session.identity, ref):
                return False
            self._check_order(session, ref, prev)
            place = self._place(session, to, conv)
        except (Refused, StorageError):
            return False
        self._post(session, place, ref, texts, topic)
        return True

    def _send_one(self, session: Session, ref: int, to: str, text: str, conv: str | None, prev: int | None, topic: bool) -> None:
        first = self._repeats.first(session.identity, ref)
        if first is not None:
            self._send_again(session, first, ref, to, text, conv, topic)
            return
        self._check_order(session, ref, prev)
        self._post(session, self._place(session, to, conv), ref, [text], topic)

    def _check_order(self, session: Session, ref: int, prev: int | None) -> None:
        """Raises `Refused` if the message that this one is to follow is not there."""
        if prev is not None and not self._repeats.knows(session.identity, m.make_ref(ref >> m.COUNTER_BITS, prev)):
            raise Refused(Code.OUT_OF_ORDER)

    def _send_again(
        self, session: Session, first: Entry | Post, ref: int, to: str, text: str, conv: str | None, topic: bool
    ) -> None:
        said = first.entry(ref) if isinstance(first, Post) else first
        same_place = said.conv == conv if conv is not None else fold(said.to) == fold(to)
        if not same_place or said.text != text or said.topic != topic:
            raise Refused(Code.ID_REUSED)
        self._steps.append(Repeat(first, ref, session))

    def _place(self, session: Session, to: str, conv: str | None) -> Place:
        """Raises `Refused` where there is none for this session, and `StorageError`."""
        room = session.rooms.get(fold(to) if conv is None else conv)
        if room is not None:
            return Place(room.conv, room.name, room.recipients)
        if m.is_room(to) if conv is None else not is_direct(conv):
            raise Refused(Code.NOT_IN_ROOM, f"you are not in {to}, join it first")
        other, name = self._find_person(to) if conv is None else self._other_party(session, conv, to)
        sessions = [*self._people[session.identity].sessions]
        if other != session.identity and other in self._people:
            sessions += self._people[other].sessions
            self._remember(sessions[-1])
        recipients = [(number, "direct", sids) for number, sids in _by_worker(sessions)]
        return Place(direct(session.identity, other), name, recipients)

    def _post(self, sender: Session, place: Place, ref: int, texts: list[str], topic: bool) -> None:
        self._remember(sender)
        conv, name, recipients = place
        draft = make_draft((self._now_ms, conv, name, sender.name, sender.identity, ref, texts, topic))
        post = Post(draft, sender, recipients)
        self._repeats.decided(post)
        self._steps.append(post)
        if topic:
            self._steps.append(NewTopic(post))

    def _find_person(self, name: str) -> tuple[str, str]:
        """Who a name stands for now, and how it is written: whoever has it, else who had it last. Raises `Refused`."""
        key = fold(name)
        owner = self._names.owner(key, self._now_ms)
        if owner is not None:
            return owner.identity, owner.name
        named = self._log.people_named(key) if key else []  # without a name are those who never said anything
        if not named:
            raise Refused(Code.NO_SUCH_USER, f"nobody is called {name}")
        return named[0].identity, named[0].name

    def _who_is(self, session: Session, ref: int, name: str) -> None:
        """Of the rooms those are told that whoever asks could look into."""
        identity, written = self._find_person(name)
        options: m.Options = {"from": identity, "devices": 0}
        known: dict[str, int | str | None]
        if (person := self._people.get(identity)) is None:
            known = {"seen": self._last_seen(identity, fold(name))}
        else:
            shared = sorted(conv for conv in session.rooms if conv == _LOBBY or conv in person.rooms)
            rooms = [session.rooms[conv].name for conv in shared]
            options |= {"devices": len(person.sessions), "rooms": rooms[:ROOMS_SHOWN], "more": len(rooms) > ROOMS_SHOWN}
            known = {"since": person.since_ms, "away": self._away.text_of(identity) or None}
        options |= {key: value for key, value in known.items() if value is not None}
        self._reply(session, m.Whois(ref, written, options))

    def _last_seen(self, identity: str, key: str) -> int | None:
        """When somebody who is not here left, as far as it is known."""
        owner = self._names.owner(key, self._now_ms)
        if owner is not None:
            return min(owner.left_ms, self._now_ms)
        stored = self._log.person(identity)
        until = stored.kept_until_ms if stored is not None else None
        return None if until is None else min(self._names.left(until), self._now_ms)

    def _other_party(self, session: Session, conv: str, to: str) -> tuple[str, str]:
        """The other person of a direct conversation, and what they are called now. Raises `Refused`."""
        pair = parties(conv)
        if session.identity not in pair or conv != direct(*pair):
            raise Refused(Code.NO_SUCH_CONVERSATION)
        other = pair[0] if pair[1] == session.identity else pair[1]
        person = self._people.get(other)
        if person is not None:
            return other, person.sessions[0].name
        stored = self._log.person(other)
        if stored is None:
            raise Refused(Code.NO_SUCH_CONVERSATION)
        return other, stored.name or check_name(to)

    def _type(self, session: Session, ref: int, to: str, conv: str | None) -> None:
        """Nothing comes of it where it would be told to many, or to nobody. It is in its place among the messages."""
        room = session.rooms.get(fold(to) if conv is None else conv)
        other = self._people.get(self._whom(session, to, conv)) if room is None else None
        recipients: Iterable[tuple[int, list[int]]]
        if room is not None and not room.is_large:
            place, name, recipients = room.conv, room.name, [(number, []) for number in room.workers]
        elif other is not None:
            first = other.sessions[0]
            place, name, recipients = direct(session.identity, first.identity), first.name, _by_worker(other.sessions)
        else:
            return
        if self._typists[place] < _TYPISTS:
            self._typists[place] += 1
            frame = m.encode(m.IsTyping(name, session.name, {"conv": place, "from": session.identity}))
            for number, sids in recipients:
                self._steps.append(Tell(number, ["typing", place, sids, session.identity, frame]))

    def _whom(self, session: Session, to: str, conv: str | None) -> str:
        """Who the other one of a direct conversation is, without a look at the log; empty if there is none."""
        if conv is None:
            owner = self._names.owner(fold(to), self._now_ms)
            other = owner.identity if owner is not None else ""
        elif is_direct(conv) and session.identity in (pair := parties(conv)):
            other = pair[0] if pair[1] == session.identity else pair[1]
        else:
            other = ""
        return other if other != session.identity else ""

    def _find(self, session: Session, ref: int, name: str, before: int | None, limit: int) -> None:
        other, _ = self._find_person(name)
        conv = direct(session.identity, other)
        self._steps.append(Tell(session.worker, ["page", session.sid, ref, name, conv, before, limit]))


def _reply(session: Session, reply: m.Reply) -> Item:
    return ["reply", session.sid, m.encode(reply)]


def _error(ref: int, problem: StorageError) -> m.Error:
    """What a client hears of the log's trouble: that is told in full in the server's log."""
    code = Code.STORAGE_FULL if isinstance(problem, StorageFull) else Code.STORAGE_UNAVAILABLE
    return m.Error(ref, code, MEANINGS[code].sentence)


def _by_worker(sessions: Iterable[Session]) -> Iterable[tuple[int, list[int]]]:
    """The sids of the sessions, with the worker that each is at."""
    by_worker: defaultdict[int, list[int]] = defaultdict(list)
    for session in sessions:
        by_worker[session.worker].append(session.sid)
    return by_worker.items()
