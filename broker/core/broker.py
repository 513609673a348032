"""The broker's decisions: batches of requests in, one append to the log, batches of answers out.

A turn is `receive` for each batch that the pipes hold, then one `settle`. Requests are decided in the order in which they
arrive, and what each leads to is noted as a step. `settle` appends all messages of the turn in one commit and only then turns
the steps into answers, in their order: so nobody learns of a message that is not on the disk, a group of messages costs one
wait for the disk, and whoever joins between two messages of one turn gets exactly the second. Where a worker dies in the middle
of a turn, what was decided before is carried out at once.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from broker.core.answers import Answers, reply_item, storage_error
from broker.core.people import LOBBY, People, by_worker
from broker.core.repeats import Repeats
from broker.core.rooms import Room, Rooms
from broker.core.sessions import Session, Worker
from broker.core.steps import NewTopic, Place, Post, Repeat, Step, Tell
from broker.log import Log, StorageError
from common import messages as m
from common.codec import MAP_ITEMS
from common.errors import Code, Refused
from common.limits import ROOM_CHARS, Limits
from common.log import Entry, direct, is_direct, make_run
from common.names import check_name, check_room, fold
from common.routing import Batch, Item

_TYPISTS = 5
"""Of one conversation so many a second are told of who are typing: of more, a client says no more than that there are several."""


class Broker:
    """See the module's docstring. Times are milliseconds since 1970."""

    def __init__(self, log: Log, limits: Limits, now_ms: int) -> None:
        self._log = log
        self._rooms = Rooms()
        self._people = People(log, self._rooms, limits, now_ms)
        self._answers = Answers(self._people, self._rooms, log.last)
        self._repeats = Repeats(log)
        self._typists: Counter[str] = Counter()
        """How many were told of in this second, by conversation."""
        self._workers: dict[int, Worker] = {}
        self._begun = False
        self.ready = False
        """Names can be granted: every worker that lived when this broker began has introduced itself, or is dead."""
        self._postponed: list[tuple[int, Batch]] = []
        """Requests that came before this broker was ready."""
        self._steps: list[Step] = []
        self._now_ms = now_ms
        self.trouble: StorageError | None = None
        """Why the log could not be used last, until it takes a probe. That one append went well tells little: where a disk is
        full, a few rows often fit into the file as it is.
        """
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

    def use_limits(self, limits: Limits) -> None:
        """These hold from now on."""
        self._people.use_limits(limits)

    def drain(self) -> None:
        """The server stops: its workers say goodbye to everybody."""
        self._answers.drain()

    def figures(self) -> dict[str, Any]:
        """What `chat-broker status` shows of the broker."""
        return {
            "users": len(self._people),
            "rooms": len(self._rooms),
            "messages": self._log.count,
            "last": self._log.last,
            "trouble": str(self.trouble) if self.trouble else None,
            "workers": [
                {"number": number, "behind": 0 if worker.listening else self._log.last - worker.position}
                for number, worker in sorted(self._workers.items())
            ],
        }

    # --- workers come and go -------------------------------------------------------------------------------------------

    def worker_came(self, number: int, generation: int) -> None:
        """There is a pipe to this worker. One that comes after `begin` is new: nobody's name has to wait for it."""
        self._workers[number] = Worker(number, generation, known=self._begun)

    def worker_gone(self, number: int, generation: int, now_ms: int) -> None:
        """The worker is dead for certain. Its clients will come back; their names are kept for a grace."""
        self._now_ms = now_ms
        worker = self._workers.get(number)
        if worker is None or worker.generation != generation:
            return
        self._carry_out()  # what was decided so far is not for the sessions of the next worker with this number
        for session in [*worker.sessions.values()]:
            self._people.end(worker, session, now_ms)
        del self._workers[number]
        self._answers.forget(number)
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

    def pipe_closed(self, number: int) -> None:
        """Nothing can be said to this worker any more. It is dead, or else a stranger from here on: it gets no other pipe."""
        worker = self._workers.get(number)
        if worker is not None:
            worker.known = worker.listening = False

    def caught_up(self, number: int) -> None:
        """A worker that was behind reads again: it is to introduce itself, and to repeat what it asked for."""
        worker = self._workers[number]
        worker.behind = False
        worker.to_ask = True
        self._answers.tell_position(number)

    @property
    def strangers(self) -> list[tuple[int, int]]:
        """The workers, as number and generation, that may hold names which this broker does not know of."""
        return [(number, worker.generation) for number, worker in self._workers.items() if not worker.known]

    def _introduce(self, worker: Worker, sessions: list[list[Any]], more: bool) -> None:
        worker.introducing += sessions
        if more:
            return
        introduced, worker.introducing = worker.introducing, []
        present = {sid for sid, *_ in introduced}
        for session in [session for sid, session in worker.sessions.items() if sid not in present]:
            self._people.end(worker, session, self._now_ms)
        worker.known = worker.listening = True
        self._answers.add(worker.number, ["snapshot", self._log.uuid, self._log.key])
        for sid, identity, name, rooms, *away in introduced:
            self._restore(worker, sid, identity, name, rooms, *away)
        for session in worker.sessions.values():
            self._people.note_spread(session.identity, self._now_ms)
        if self.ready:
            self._answers.tell_who_is_where(worker.number)
        self._get_ready()

    def _restore(self, worker: Worker, sid: int, identity: str, name: str, rooms: list[str], away: str = "") -> None:
        """A session as its worker knows it; it may have been in more rooms, or in fewer, as far as this broker knew."""
        session = worker.sessions.get(sid)
        is_new = session is None
        if session is None:
            try:
                session = self._people.begin(worker, sid, identity, name, self._now_ms)
            except Refused as refused:
                self._answers.add(worker.number, ["lost", sid, refused.code, refused.text])
                return
        self._people.learn_away(session, away, is_new)
        present = {fold(room): room for room in rooms}
        for conv in sorted(session.rooms.keys() - present.keys()):
            self._people.leave(session, conv)
        for conv in sorted(present.keys() - session.rooms.keys()):
            self._people.enter(session, conv, present[conv])

    def _get_ready(self) -> None:
        """Goes on as soon as all that there is to know about names and rooms is known."""
        if self.ready or not self._begun or self.strangers:
            return
        self.ready = True
        self._rooms.take_changes()  # they are told all of it
        self._people.told_who_is_where()
        for number in self._workers:
            self._answers.tell_who_is_where(number)
        postponed, self._postponed = self._postponed, []
        for number, batch in postponed:
            self._decide(self._workers[number], batch)

    def clock_jumped(self, by_ms: int) -> None:
        """The clock was set, by so much: what lasts a while still lasts as long as it should, and has begun when it did."""
        self._people.clock_jumped(by_ms)

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
            self._introduce(worker, sessions, more)
        elif not worker.listening:
            return  # it will be repeated after the introduction that this worker was asked for
        elif self.ready:
            self._decide(worker, batch)
        else:
            self._postponed.append((number, batch))

    @property
    def rows(self) -> int:
        """How many rows of messages the turn at hand has decided to write."""
        return sum(type(step) is Post for step in self._steps)

    def settle(self) -> dict[int, Batch]:
        """Commits the turn's messages and gives out the answers, by worker."""
        self._carry_out()
        self._answers.tell_who_is_elsewhere(self._now_ms)
        if self.ready:
            self._answers.tell_presence()
        return self._answers.take(self._workers)

    def _carry_out(self) -> None:
        """Commits what was decided so far, and makes answers of it."""
        problem = self._commit([step for step in self._steps if type(step) is Post])
        self._answers.carry_out(self._steps, problem)
        self._steps.clear()

    def tick(self, now_ms: int) -> None:
        """Once a second or so: frees names, and lets every worker know the position."""
        self._now_ms = now_ms
        self._people.forget_expired(now_ms)
        self._typists.clear()
        if self.trouble is not None:
            self.trouble = self._probe()
        for number, worker in self._workers.items():
            if worker.listening and worker.position < self._answers.position:
                self._answers.tell_position(number)

    def _probe(self) -> StorageError | None:
        """Why no messages can be written now."""
        try:
            self._log.probe()
        except StorageError as problem:
            return problem
        return None

    def _decide(self, worker: Worker, batch: Batch) -> None:
        _, first, requests = batch
        for tag, sid, *fields in requests:
            session = worker.sessions.get(sid)
            if tag == "hello":
                self._hello(worker, sid, *fields)
            elif session is not None:  # else it is gone
                try:
                    self._handlers[tag](session, *fields)
                except (Refused, StorageError) as problem:
                    self._fail(session, fields[0], problem)
        worker.answered = first + len(requests) - 1
        self._answers.tell_position(worker.number)

    def _commit(self, posts: list[Post]) -> StorageError | None:
        """Puts the turn's messages into the log, or tells why they are not there.

        What is new of people waits while there is trouble: it may have become much, and is not to be tried in each turn.
        """
        updates = self._people.updates if self.trouble is None else {}
        if posts or updates:
            try:
                runs = self._log.append([post.run for post in posts], [*updates.values()])
            except StorageError as problem:
                self._repeats.failed()
                self.trouble = problem
                return problem
            for post, run in zip(posts, runs, strict=True):
                post.run = run
            updates.clear()
        self._repeats.committed()
        return None

    def _fail(self, session: Session, ref: int, problem: Refused | StorageError) -> None:
        if isinstance(problem, StorageError):
            self.trouble = problem
            self._reply(session, storage_error(ref, problem))
        else:
            self._reply(session, m.Error(ref, problem.code, problem.text))

    def _reply(self, session: Session, reply: m.Reply) -> None:
        self._steps.append(Tell(session.worker, reply_item(session, reply)))

    # --- sessions ------------------------------------------------------------------------------------------------------

    def _hello(
        self,
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
            self._people.end(worker, before, self._now_ms)
        try:
            check_name(name)
            if after is not None and (log not in (None, self._log.uuid) or after > self._answers.position):
                raise Refused(Code.BAD_RESUME)
            away = self._people.why_away(identity) if identity in self._people else None
            session = self._people.begin(worker, sid, identity, name, self._now_ms, known=known, since_ms=self._now_ms)
        except Refused as refused:
            self._steps.append(Tell(worker.number, ["refused", sid, ref, refused.code, refused.text]))
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
        self._steps.append(Tell(worker.number, welcome, position_at=4, joined=told))

    def _gone(self, session: Session, untold: bool, owed_ms: int) -> None:
        self._people.gone(self._workers[session.worker], session, untold, owed_ms, self._now_ms)

    def _say_away(self, session: Session, ref: int, text: str) -> None:
        self._people.say_away(session, text)
        self._steps.append(Tell(session.worker, ["said", session.sid, ref, text]))

    def _who_is(self, session: Session, ref: int, name: str) -> None:
        self._reply(session, self._people.whois(session, ref, name, self._now_ms))

    # --- rooms ---------------------------------------------------------------------------------------------------------

    def _join_room(self, session: Session, name: str) -> Item:
        """What a `joined` says of the room: its name, conv, count, members, and as options who of them is away. Raises `Refused`.

        The topic is still missing: it is that of the step (see `steps.Tell`).
        """
        conv = fold(name)
        if conv not in session.rooms:
            self._people.join(session, conv, name)
        room = self._rooms[conv]
        self._learn_topic(room)
        away = self._people.away_in(room)
        return [room.name, conv, len(room.people), room.members(), {"away": away} if away else {}]

    def _learn_topic(self, room: Room) -> None:
        """From the log, once for each room. If that cannot be read now, whoever comes next may be told."""
        if not room.knows_topic:
            with contextlib.suppress(StorageError):
                room.set_topic(self._log.topic(room.conv))

    def _join(self, session: Session, ref: int, room: str) -> None:
        joined = self._join_room(session, room)
        self._steps.append(Tell(session.worker, ["joined", session.sid, ref, 0, joined], position_at=3, joined=[joined]))

    def _part(self, session: Session, ref: int, name: str) -> None:
        conv = fold(name)
        if conv == LOBBY:
            raise Refused(Code.BAD_ROOM, f"everybody is in {m.LOBBY}")
        if conv not in session.rooms:
            raise Refused(Code.NOT_IN_ROOM, f"you are not in {name}")
        room = self._rooms[conv].name
        self._people.leave(session, conv)
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
            self._reply(session, self._people.presence(self._rooms[conv]))

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
        """Messages whose refs follow each other; in `prevs`, behind the first, is nil or the counter of the one before.

        All of them at once, unless there is something about the first: then each is judged by itself.
        """
        try:
            if self._repeats.is_new(session.identity, ref):  # and so are all behind it
                self._send_new(session, ref, to, texts, conv, prevs[0], topic)
                return
        except (Refused, StorageError):
            pass
        for place, (text, prev) in enumerate(zip(texts, prevs, strict=True)):
            try:
                first = self._repeats.first(session.identity, ref + place)
                if first is None:
                    self._send_new(session, ref + place, to, [text], conv, prev, topic)
                else:
                    self._send_again(session, first, ref + place, to, text, conv, topic)
            except (Refused, StorageError) as problem:
                self._fail(session, ref + place, problem)

    def _send_new(
        self, session: Session, ref: int, to: str, texts: list[str], conv: str | None, prev: int | None, topic: bool
    ) -> None:
        """Messages whose keys are free. Raises `Refused` and `StorageError`."""
        self._check_order(session, ref, prev)
        place = self._place(session, to, conv)
        self._people.remember(session)
        run = make_run((0, self._now_ms, place.conv, place.name, session.name, session.identity, ref, texts, topic))
        post = Post(run, session, place.recipients)
        self._repeats.decided(post)
        self._steps.append(post)
        if topic:
            self._steps.append(NewTopic(post))

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
        other, name = self._people.find(to, self._now_ms) if conv is None else self._people.other_party(session, conv, to)
        sessions = [*self._people.sessions_of(session.identity)]
        if other != session.identity and other in self._people:
            sessions += self._people.sessions_of(other)
            self._people.remember(sessions[-1])
        recipients = [(number, "direct", sids) for number, sids in by_worker(sessions)]
        return Place(direct(session.identity, other), name, recipients)

    def _type(self, session: Session, ref: int, to: str, conv: str | None) -> None:
        """Nothing comes of it where it would be told to many, or to nobody. It is in its place among the messages."""
        room = session.rooms.get(fold(to) if conv is None else conv)
        theirs = self._people.others_sessions(session, to, conv, self._now_ms) if room is None else []
        recipients: Iterable[tuple[int, list[int]]]
        if room is not None and not room.is_large:
            place, name, recipients = room.conv, room.name, [(number, []) for number in room.workers]
        elif theirs:
            place, name, recipients = direct(session.identity, theirs[0].identity), theirs[0].name, by_worker(theirs)
        else:
            return
        if self._typists[place] < _TYPISTS:
            self._typists[place] += 1
            frame = m.encode(m.IsTyping(name, session.name, {"conv": place, "from": session.identity}))
            for number, sids in recipients:
                self._steps.append(Tell(number, ["typing", place, sids, session.identity, frame]))

    def _find(self, session: Session, ref: int, name: str, before: int | None, limit: int) -> None:
        other, _ = self._people.find(name, self._now_ms)
        conv = direct(session.identity, other)
        self._steps.append(Tell(session.worker, ["page", session.sid, ref, name, conv, before, limit]))
