"""What a worker decides: its clients' frames in, the broker's batches in; buffers for clients and requests for the broker out.

Pure: it knows no sockets and no clock. The log it reads through an interface. One turn of the loop is: `received` and
`broker_said` for what there is, then `end_turn`, then `catch_up`; the shell writes what these give.

What clients may ask for is judged in `asking`, and who is brought what happens, at once or from the log, in `streams`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from common import messages as m
from common.errors import MEANINGS, Code, Reason, Refused
from common.framing import FrameTooLarge
from common.limits import Limits
from common.log import LogUnreadable
from common.routing import INTRODUCED_AT_ONCE, Batch
from workers import tokens
from workers.asking import Asking
from workers.fanout import NO_ID, Delivery, deliver
from workers.history import PagesWanted
from workers.pace import Pace
from workers.presence import PresenceCollector
from workers.requests import Requests
from workers.session import Phase, Session
from workers.streams import Reader, Streams

_REQUESTS_AT_ONCE = 64
"""So many of one client's requests are looked at, then it is the others' turn: what is read at once may hold hundreds."""
_IDLE_CHECK_EVERY = 1.0


class Hub:
    """See the module's docstring. `now` is monotonic seconds, `now_ms` milliseconds since 1970."""

    def __init__(self, reader: Reader, limits: Limits, server: str, new_identity: Callable[[], str]) -> None:
        self._reader = reader
        self._limits = limits
        self._server = server
        self._new_identity = new_identity
        self._key = b""
        self._log = ""
        self._position_next = 0
        """The position once the batch at hand is dealt with."""
        self._now = 0.0
        self._now_ms = 0
        self._sessions: dict[int, Session] = {}
        self._streams = Streams(reader, self._sessions, limits.backlog_bytes)
        self._pace = Pace(limits)
        self._asked = Requests()
        self._pages = PagesWanted()
        self._asking = Asking(self._sessions, limits, self._pace, self._asked, self._pages)
        self._send = self._asking.send  # looked up once
        self._waiting: dict[int, m.Hello] = {}
        """Hellos that came before the broker told the key to check tokens with, by session."""
        self._kept_waiting: dict[int, Session] = {}
        """Those with something in the inbox."""
        self._presence = PresenceCollector()
        self._closing: list[int] = []
        self._notices: list[str] = []
        self._connected = self._introducing = False
        self._draining = False
        self._next_idle_check = 0.0
        self._handlers: dict[str, Callable[..., None]] = {
            "hello": self._on_hello,
            "ping": self._on_ping,
            "pong": self._on_pong,
            "bye": self._on_bye,
        }
        self._items: dict[str, Callable[..., None]] = {
            "room": self._streams.to_room,
            "direct": self._streams.to_sessions,
            "reply": self._streams.reply,
            "joined": self._joined,
            "parted": self._parted,
            "welcome": self._welcome,
            "refused": self._refused,
            "presence": self._presence_changed,
            "turned": self._presence_turned,
            "said": self._said_away,
            "away": self._away_or_back,
            "typing": self._streams.tell_of_typing,
            "present": self._present,
            "elsewhere": self._elsewhere,
            "page": self._page_found,
            "snapshot": self._snapshot,
            "introduce": self._introduce,
            "lost": self._lost,
        }

    def use_limits(self, limits: Limits) -> None:
        """These hold from now on."""
        self._limits = limits
        self._streams.use_backlog(limits.backlog_bytes)
        self._pace.use_limits(limits)
        self._asking.use_limits(limits)

    # --- for the shell -------------------------------------------------------------------------------------------------

    def opened(self, sid: int, peer: str, now: float) -> Session:
        """A client is connected. `sid` has never been used before."""
        session = self._sessions[sid] = Session(sid, peer, now)
        return session

    def turn_away(self, session: Session, why: Refused) -> None:
        """A client that may not even begin."""
        self._error(session, None, why)

    def received(self, session: Session, data: bytes, now: float, now_ms: int) -> None:
        """Bytes of a client."""
        session.heard = now
        session.pinged = False
        self._now_ms = now_ms
        self._pace.set_time(now)
        bodies, too_large = session.decoder.feed(data)
        session.inbox += bodies
        if too_large is not None:
            session.inbox.append(too_large)
        self._look_at_inbox(session)

    def _look_at_inbox(self, session: Session) -> None:
        """Does some of what the client asks for, for as long as it may ask. What is left is looked at in a later turn."""
        done, inbox = 0, session.inbox
        most = min(len(inbox), _REQUESTS_AT_ONCE)
        while done < most and self._may_ask(session):
            self._do(session, inbox[done])
            done += 1
        del inbox[:done]
        if inbox and session.leaving is None:
            self._kept_waiting[session.sid] = session
        else:
            self._kept_waiting.pop(session.sid, None)

    def _do(self, session: Session, body: bytes | FrameTooLarge) -> None:
        ref = None
        try:
            if isinstance(body, FrameTooLarge):
                raise Refused(Code.FRAME_TOO_LARGE, str(body))
            request = m.read_request(body)
            tag, ref = request[0], request[1]
            if tag == "send":  # as nearly all are; a call whose arguments are known is quicker
                self._send(session, ref, request[2], request[3], request[4])
            elif tag in self._handlers:
                self._handlers[tag](session, *request[1:])
            else:
                self._asking.handle(session, *request)
        except Refused as refused:
            self._error(session, refused.ref if ref is None else ref, refused)

    def closed(self, sid: int) -> None:
        """The connection is gone, whoever ended it."""
        session = self._sessions.pop(sid, None)
        if session is None:
            return
        self._streams.closed(session)
        self._pages.forget(sid)
        self._waiting.pop(sid, None)
        self._kept_waiting.pop(sid, None)
        self._pace.remove(session)
        if session.identity:
            untold = session.newcomer and session.phase is Phase.ASKED
            self._asked.add(["gone", sid, untold, round(self._pace.owed(session) * 1000)])
            if session.name:
                self._notices.append(f"{session.name} left ({session.peer})")

    def wants_input(self, session: Session) -> bool:
        """Whether to read from this client now."""
        return not session.inbox and self._may_ask(session)

    def _may_ask(self, session: Session) -> bool:
        """Whether this client may ask for more now: not while it has much unanswered or unread, nor with the broker behind."""
        return (
            session.leaving is None
            and not session.blocked
            and session.pending < self._limits.requests_pending
            and not self._asked.full
            and not self._draining
        )

    def lag(self, sid: int, cursor: int) -> None:
        """The connection does not take all that is live: it goes on from the log, after `cursor`."""
        session = self._sessions.get(sid)
        if session is not None:
            self._streams.lag(session, cursor)

    def tick(self, now: float) -> None:
        """Timers: presence, logins that take too long, silence."""
        self._pace.set_time(now)
        for conv, share, presence in self._presence.take_due(now):
            self._streams.tell_room(conv, m.encode(presence), share)
        if now >= self._next_idle_check:
            self._next_idle_check = now + _IDLE_CHECK_EVERY
            for session in [*self._sessions.values()]:
                session.told_of_typing = False
                self._check_silence(session, now)

    def next_timer(self, now: float) -> float:
        """Seconds until `tick` has something to do, at most."""
        due = self._presence.next_due()
        return max(0.0, (self._next_idle_check if due is None else min(due, self._next_idle_check)) - now)

    def drain(self) -> None:
        """Takes no more requests; once all are answered, `drained` holds."""
        self._draining = True

    @property
    def awaits_messages(self) -> bool:
        """The broker has several requests, the last of them to write something, and has not answered."""
        return len(self._asked) > 1 and self._asked.ends_with_message

    @property
    def drained(self) -> bool:
        return self._draining and not self._asked and not self._pages.any_due

    def farewell(self) -> None:
        """Tells every client that the server stops."""
        for session in self._sessions.values():
            self._say_goodbye(session, Reason.SHUTDOWN, "the server is stopping, come back later")

    def figures(self) -> dict[str, Any]:
        """What `chat-broker status` shows of a worker."""
        return {"connections": len(self._sessions), **self._streams.figures(), "unanswered": len(self._asked)}

    def take_notices(self) -> list[str]:
        """Who came and who left, for the log."""
        notices, self._notices = self._notices, []
        return notices

    # --- the broker ----------------------------------------------------------------------------------------------------

    def broker_came(self) -> None:
        """There is a new pipe to a broker that knows nothing of this worker."""
        self._connected = True
        self._introducing = True

    def broker_lost(self) -> None:
        """The pipe is closed. Requests wait for the next one."""
        self._connected = False

    def broker_said(self, batch: Batch, now: float, now_ms: int) -> None:
        """One batch of the broker."""
        position, answered, items = batch
        self._now, self._now_ms = now, now_ms
        self._position_next = position
        for tag, *fields in items:
            self._items[tag](*fields)
        self._streams.position = position
        for session in self._asking.answered(answered):
            if session.leaving is not None:
                self._leave_if_done(session)

    def take_requests(self) -> Iterator[Batch]:
        """Batches for the broker: what is new, or after an introduction all that is not answered."""
        if not self._connected:
            return
        if self._introducing:
            self._introducing = False
            yield from self._introduction()
            batch = self._asked.take_all()
        else:
            batch = self._asked.take_new()
        if batch is not None:
            yield batch

    def _introduction(self) -> Iterator[Batch]:
        sessions = [self._introduced(session) for session in self._sessions.values() if session.welcomed]
        for start in range(0, max(len(sessions), 1), INTRODUCED_AT_ONCE):
            end = start + INTRODUCED_AT_ONCE
            yield ["intro", sessions[start:end], end < len(sessions)]

    def _introduced(self, session: Session) -> list[Any]:
        told = [session.sid, session.identity, session.name, [name for name, _ in session.rooms.values()]]
        return [*told, session.away] if session.away else told

    # --- a turn's end --------------------------------------------------------------------------------------------------

    def end_turn(self) -> list[Delivery]:
        """What this turn brings the clients."""
        for session in [*self._kept_waiting.values()]:
            self._look_at_inbox(session)
        self._read_pages()
        return self._streams.end_turn()

    def take_closing(self) -> list[int]:
        """Sessions that are to be closed once what was sent to them is written."""
        closing, self._closing = self._closing, []
        return closing

    def catch_up(self, now: float) -> Iterator[Delivery]:
        """What follows the cursors of lagging sessions, as far as one turn goes. To be written before the next one."""
        try:
            for session, frames, base in self._streams.helpings(now):
                yield deliver(frames, [session.sid], base)
                if session.phase is Phase.LIVE and (replies := self._caught_up(session)):  # it was not cut
                    yield deliver([(NO_ID, m.encode(reply)) for reply in replies], [session.sid], session.cursor)
        except LogUnreadable as problem:
            self._notices.append(str(problem))

    def can_go_on(self, now: float) -> bool:
        """There is something to do at once, whatever comes in: the log is to be read for somebody, or goodbye to be said."""
        if self._closing or self._pages.any_due or any(map(self._may_ask, self._kept_waiting.values())):
            return True
        return self._streams.can_help(now)

    def _caught_up(self, session: Session) -> list[m.Reply]:
        """The session is live again: what is to be said about it."""
        for conv in sorted(session.uncertain):
            self._asking.ask(session, ["present", session.sid, None, conv])
        session.uncertain.clear()
        replies: list[m.Reply] = []
        if session.away_untold:
            session.away_untold = False
            replies.append(m.Away(None, session.away, {}))
        if session.resuming is not None:
            ref, _ = session.resuming
            session.resuming = None
            replies.append(m.Resumed(ref, session.cursor))
        self._leave_if_done(session)
        return replies

    # --- what clients ask for ------------------------------------------------------------------------------------------

    def _on_hello(self, session: Session, ref: int, version: int, name: str, options: m.Options) -> None:
        session.require_greeting()
        if session.hellos_refused >= self._limits.hellos_refused:
            raise Refused(Code.TOO_MANY_ATTEMPTS)
        if version != m.VERSION:
            raise Refused(Code.BAD_VERSION, f"this server speaks version {m.VERSION} of the protocol, not {version}")
        session.phase = Phase.ASKED
        hello = m.Hello(ref, version, name, options)
        if self._key:
            self._pass_on(session, hello)
        else:
            self._waiting[session.sid] = hello

    def _pass_on(self, session: Session, hello: m.Hello) -> None:
        options = hello.options
        token = options.get("token")
        try:
            identity = self._new_identity() if token is None else tokens.identity_of(self._key, token, self._now_ms)
        except Refused:
            self._greet_again(session)
            raise
        session.identity = identity
        session.newcomer = token is None
        after = options.get("after")
        session.resuming = None if after is None else (hello.ref, after)
        rooms, log = options.get("rooms", []), options.get("log")
        request = ["hello", session.sid, hello.ref, identity, hello.name, after, log, rooms, token is not None]
        self._asking.ask(session, request)

    def _greet_again(self, session: Session) -> None:
        """The hello is refused; another one is due."""
        session.phase = Phase.GREETING
        session.hellos_refused += 1
        session.hello_due_since = max(self._now, session.heard)

    def _on_ping(self, session: Session, ref: int) -> None:
        self._streams.tell(session, m.Pong(ref))

    def _on_pong(self, session: Session, ref: int) -> None:
        """That it came is all that matters."""

    def _on_bye(self, session: Session, ref: int) -> None:
        session.leaving = (Reason.BYE, "goodbye")
        self._leave_if_done(session)

    # --- what the broker says ------------------------------------------------------------------------------------------

    def _welcome(
        self,
        sid: int,
        ref: int,
        name: str,
        position: int,
        joined: list[list[Any]],
        refused: dict[str, str],
        away: str | None = None,
    ) -> None:
        session = self._sessions.get(sid)
        if session is None or session.phase is not Phase.ASKED:
            return
        session.name = name
        self._pace.add(session)
        live = session.resuming is None
        after = position if session.resuming is None else session.resuming[1]
        self._streams.begin(session, after, live)
        token = tokens.mint(self._key, session.identity, self._now_ms, self._limits.token_days)
        options = {
            "from": session.identity,
            "last": position,
            "log": self._log,
            "token": token,
            "server": self._server,
            "limits": {"text_bytes": self._limits.text_bytes, "topic_bytes": self._limits.topic_bytes},
            "refused": refused,
        }
        if away is not None:
            options["away"] = session.away = away
        self._streams.tell(session, m.Welcome(ref, name, options))
        for room in joined:
            self._enter_room(session, ref, position, after, room)
        self._notices.append(f"{name} came ({session.peer})")

    def _refused(self, sid: int, ref: int, code: str, text: str) -> None:
        session = self._sessions.get(sid)
        if session is not None and session.phase is Phase.ASKED:
            self._greet_again(session)
            self._streams.tell(session, m.Error(ref, code, text))

    def _joined(self, sid: int, ref: int, position: int, joined: list[Any]) -> None:
        session = self._sessions.get(sid)
        if session is not None and session.welcomed:
            conv = joined[1]
            known = session.rooms.get(conv)
            self._enter_room(session, ref, position, position if known is None else known[1], joined)

    def _enter_room(self, session: Session, ref: int, position: int, floor: int, joined: list[Any]) -> None:
        room, conv, count, members, more = joined
        options = {"last": position, "count": count, "members": members, "conv": conv, **more}
        self._streams.tell(session, m.Joined(ref, room, options))
        if self._streams.is_empty(conv):
            self._presence.forget(conv)  # what is still to be told is of a time when others were here
        self._streams.enter(session, conv, room, floor)

    def _parted(self, sid: int, ref: int, position: int, room: str, conv: str) -> None:
        session = self._sessions.get(sid)
        if session is not None:
            self._streams.leave(session, conv, position)
            self._streams.tell(session, m.Parted(ref, room))

    def _presence_changed(
        self, conv: str, room: str, came: list[str], left: list[str], count: int, former: Mapping[str, str]
    ) -> None:
        self._presence.add(conv, room, came, left, count, former, self._now)

    def _presence_turned(self, conv: str, room: str, away: list[str], back: list[str], count: int) -> None:
        self._presence.turn(conv, room, away, back, count, self._now)

    def _said_away(self, sid: int, ref: int, text: str) -> None:
        """The answer. What others of the person said in the same turn comes behind it."""
        session = self._sessions.get(sid)
        if session is not None:
            session.away = text
            self._streams.tell(session, m.Away(ref, text, {}))

    def _away_or_back(self, sids: list[int], text: str) -> None:
        """Told to those of the person's connections that do not know it.

        One that does not read is told when it does again, and not how often it changed meanwhile.
        """
        for session in [self._sessions[sid] for sid in sids if sid in self._sessions]:
            if session.away != text:
                session.away = text
                if session.phase is Phase.LAGGING and session.blocked:
                    session.away_untold = True
                else:
                    self._streams.tell(session, m.Away(None, text, {}))

    def _present(self, conv: str, frame: bytes) -> None:
        self._presence.forget(conv)
        self._streams.tell_room(conv, frame)

    def _elsewhere(self, identity: str, connections: int, owed_ms: int) -> None:
        self._pace.set_time(self._now)
        self._pace.set_elsewhere(identity, connections, owed_ms / 1000)

    def _snapshot(self, log: str, key: bytes) -> None:
        """A broker took this worker in. What was committed meanwhile comes from the log, for everyone."""
        self._log, self._key = log, key
        self._pace.clear_elsewhere()
        try:
            self._reader.expect(log, self._position_next)
        except LogUnreadable as problem:
            self._notices.append(str(problem))  # nobody may need it for long
        if self._position_next > self._streams.position:
            self._streams.let_all_lag()
        waiting, self._waiting = self._waiting, {}
        for sid, hello in waiting.items():
            session = self._sessions[sid]
            if session.leaving is None:
                try:
                    self._pass_on(session, hello)
                except Refused as refused:
                    self._error(session, hello.ref, refused)

    def _introduce(self) -> None:
        self._introducing = True

    def _lost(self, sid: int, code: str, text: str) -> None:
        session = self._sessions.get(sid)
        if session is not None:
            self._streams.tell(session, m.Error(None, code, text))
            self._say_goodbye(session, Reason.ERROR, text)

    # --- history -------------------------------------------------------------------------------------------------------

    def _page_found(self, sid: int, ref: int, to: str, conv: str, before: int | None, limit: int) -> None:
        session = self._sessions.get(sid)
        if session is not None:
            self._asking.want_page(session, ref, to, conv, before, limit)

    def _read_pages(self) -> None:
        for wanted in self._asking.take_pages():
            try:
                page = wanted.filled(*self._reader.page(wanted.conv, wanted.before, wanted.limit, self._streams.position))
                self._streams.tell(wanted.session, page)
            except LogUnreadable as problem:
                self._notices.append(str(problem))
                self._streams.tell(wanted.session, m.Error(wanted.ref, Code.BUSY, MEANINGS[Code.BUSY].sentence))
            self._leave_if_done(wanted.session)

    # --- telling clients -----------------------------------------------------------------------------------------------

    def _error(self, session: Session, ref: int | None, refused: Refused) -> None:
        self._streams.tell(session, m.Error(ref, refused.code, refused.text))
        if refused.closes:
            self._say_goodbye(session, Reason.ERROR, refused.text)

    def _leave_if_done(self, session: Session) -> None:
        """Says goodbye to a client that asked for it, once it has all that it asked for before."""
        if session.leaving is not None and session.pending == 0 and session.phase is not Phase.LAGGING:
            self._say_goodbye(session, *session.leaving)

    def _say_goodbye(self, session: Session, reason: str, text: str) -> None:
        if session.phase is Phase.LEAVING:
            return
        self._streams.end(session)
        self._streams.tell(session, m.Goodbye(reason, text))
        session.phase = Phase.LEAVING
        session.leaving = (reason, text)
        self._closing.append(session.sid)

    def _check_silence(self, session: Session, now: float) -> None:
        if session.leaving is not None:
            return
        silent = now - session.heard
        if session.phase is Phase.GREETING and now - session.hello_due_since >= self._limits.login_seconds:
            self._error(session, None, Refused(Code.LOGIN_TIMEOUT))
        elif not self.wants_input(session):
            session.heard = now  # what it says is not read, or a ping would not reach it: its silence begins after that
            session.pinged = False
        elif silent >= 2 * self._limits.idle_seconds:
            self._say_goodbye(session, Reason.IDLE, "nothing was heard for too long")
        elif silent >= self._limits.idle_seconds and not session.pinged:
            session.pinged = True
            self._streams.tell(session, m.Ping(0))
