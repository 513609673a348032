"""What each client of a worker is brought: what happens in its rooms, at once or from the log, and what it alone is told.

Sending a connection *what follows its cursor* is one mechanism with two speeds. A live session's cursor is the worker's position:
it takes part in the fan-out. A lagging one has a cursor of its own and is served from the log, a page at a time, whenever it has
taken the page before. After a hello with `after`, after falling behind, and after the broker was replaced, it is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from common import messages as m
from common.limits import PAGE_MESSAGES
from common.log import Entry, LogUnreadable
from workers.fanout import NO_ID, Delivery, Part, Turn
from workers.presence import SHARES
from workers.session import Phase, Session

MESSAGES_PER_TURN = 1_000
"""Messages of the log that one turn reads for lagging sessions, so that they do not hold up the live ones."""
MESSAGES_PER_HELPING = 40
"""What a helping costs in any case, as a number of messages, however few there are."""
_UNREADABLE_PAUSE = 1.0


class Following(NamedTuple):
    """Some of what follows a cursor."""

    entries: list[Entry]
    until: int
    """Up to this id nothing else follows."""
    cost: int
    """What it took to find and read them, as a number of messages."""


class Reader(Protocol):
    """The log, as far as a worker reads it. May raise `LogUnreadable`."""

    def expect(self, uuid: str, until: int) -> None: ...

    def page(self, conv: str, before: int | None, limit: int, until: int) -> tuple[list[Entry], bool]: ...

    def following(self, after: int, until: int, rooms: Mapping[str, int], identity: str, limit: int, chars: int) -> Following: ...


class Helping(NamedTuple):
    """Some of what a lagging session has missed. If that was all of it, the session is live from here on."""

    session: Session
    frames: list[Part]
    base: int
    """The session's cursor before it."""


class Streams:
    """See the module's docstring. `sessions` are all of the worker, by sid, and whoever made this keeps them up to date."""

    def __init__(self, reader: Reader, sessions: Mapping[int, Session], backlog_bytes: int) -> None:
        self._reader = reader
        self._sessions = sessions
        self.use_backlog(backlog_bytes)
        self.position = 0
        """The id up to which the broker has told everything: the cursor of all that are live."""
        self._base = 0
        """What that was before this turn."""
        self._live: defaultdict[str, set[int]] = defaultdict(set)
        """The live sessions in each room."""
        self._lagging: dict[int, Session] = {}
        self._turn = Turn()
        self._deliveries: list[Delivery] = []
        self._unreadable_until = 0.0
        """Nothing is read from the log before then: it could not be read just now."""

    def use_backlog(self, backlog_bytes: int) -> None:
        """So much is kept of what a connection does not take."""
        self._helping_bytes = max(backlog_bytes // 2, 1)

    # --- who is where --------------------------------------------------------------------------------------------------

    def begin(self, session: Session, after: int, live: bool) -> None:
        """It was welcomed, and is to be sent what follows this id: as it happens, or from the log first."""
        session.cursor = session.since = after
        if live:
            session.phase = Phase.LIVE
        else:
            self._begin_to_lag(session)

    def enter(self, session: Session, conv: str, room: str, floor: int) -> None:
        """`floor`: the id behind which the room's messages are sent to this session as they come, or from the log."""
        if conv not in session.rooms and session.phase is Phase.LIVE:
            self._live[conv].add(session.sid)
            self._turn.entered(session.sid, conv)
        session.rooms[conv] = (room, floor)

    def leave(self, session: Session, conv: str, position: int) -> None:
        """It parted at this id, and is sent what was said until then."""
        session.uncertain.pop(conv, None)
        if conv not in session.rooms:
            return
        _, floor = session.rooms.pop(conv)
        if session.phase is Phase.LIVE:
            session.forget_departed(self._base)
            self._turn.left(session.sid, conv)
            self._leave_live_room(session.sid, conv)
        session.departed.append((conv, floor, position))

    def is_empty(self, conv: str) -> bool:
        """Nobody in this room is told what happens there."""
        return conv not in self._live and not any(conv in session.rooms for session in self._lagging.values())

    def lag(self, session: Session, cursor: int) -> None:
        """The connection does not take all that is live: it goes on from the log, after `cursor`."""
        if session.phase is Phase.LIVE:
            self._leave_live(session)
            session.cursor = cursor
            self._begin_to_lag(session)
        session.cursor = max(session.since, min(session.cursor, cursor))

    def let_all_lag(self) -> None:
        """The broker has more in the log than it told: from here on that comes from there, for everyone."""
        self._close_turn()
        for session in self._sessions.values():
            if session.phase is Phase.LIVE:
                self.lag(session, self.position)

    def end(self, session: Session) -> None:
        """It is sent what it has in this turn, and nothing of any room behind it."""
        if session.phase is Phase.LIVE:
            for conv in session.rooms:
                self._turn.left(session.sid, conv)  # among it may be what it waited for
        self._leave_live(session)
        self._lagging.pop(session.sid, None)

    def closed(self, session: Session) -> None:
        """The connection is gone."""
        self._leave_live(session)
        self._lagging.pop(session.sid, None)
        self._turn.closed(session.sid)

    def _begin_to_lag(self, session: Session) -> None:
        session.phase = Phase.LAGGING
        self._lagging[session.sid] = session

    def _leave_live(self, session: Session) -> None:
        if session.phase is Phase.LIVE:
            for conv in session.rooms:
                self._leave_live_room(session.sid, conv)

    def _leave_live_room(self, sid: int, conv: str) -> None:
        live = self._live[conv]
        live.discard(sid)
        if not live:
            del self._live[conv]

    # --- what happens --------------------------------------------------------------------------------------------------

    def to_room(self, conv: str, ids: list[int], runs: list[bytes]) -> None:
        """Messages for all who are live in the room: the last id and the frames of each run."""
        if conv in self._live:
            self._turn.to_room(conv, ids, runs)

    def to_sessions(self, sids: list[int], ids: list[int], runs: list[bytes]) -> None:
        """Messages for those of these sessions that are live."""
        for sid in sids:
            session = self._sessions.get(sid)
            if session is not None and session.phase is Phase.LIVE:
                self._turn.to_session(sid, ids, runs)

    def reply(self, sid: int, frame: bytes) -> None:
        """Something else, for one session. Behind a goodbye nothing is said any more."""
        session = self._sessions.get(sid)
        if session is not None and session.phase is not Phase.LEAVING:
            self._turn.to_session(sid, [NO_ID], [frame])

    def tell(self, session: Session, reply: m.Reply) -> None:
        """The same, by who has the session."""
        if session.phase is not Phase.LEAVING:
            self._turn.to_session(session.sid, [NO_ID], [m.encode(reply)])

    def tell_room(self, conv: str, frame: bytes, share: int | None = None) -> None:
        """Says who is there to all in the room, or to a share of them. One who does not read is told when it does again."""
        if share is None:
            self._turn.to_room(conv, [NO_ID], [frame])
        else:
            for sid in self._live.get(conv, ()):
                if sid % SHARES == share:
                    self._turn.to_session(sid, [NO_ID], [frame])
        for sid, session in self._lagging.items():
            if conv not in session.rooms or share not in (None, sid % SHARES):
                continue
            if session.blocked:
                session.uncertain[conv] = None
            else:
                self._turn.to_session(sid, [NO_ID], [frame])

    def tell_of_typing(self, conv: str, sids: list[int], identity: str, frame: bytes) -> None:
        """Told to who is live and reads: later it would not be true any more."""
        recipients: Iterable[int] = sids or self._live.get(conv, ())
        for sid in recipients:
            session = self._sessions.get(sid)
            if session is not None and session.phase is Phase.LIVE and not session.blocked and session.identity != identity:
                self._turn.to_session(sid, [NO_ID], [frame])

    def end_turn(self) -> list[Delivery]:
        """What this turn brings the clients."""
        self._close_turn()
        deliveries, self._deliveries = self._deliveries, []
        return deliveries

    def _close_turn(self) -> None:
        turn, self._turn = self._turn, Turn()
        self._deliveries += turn.deliveries(self._live, self._base)
        self._base = self.position

    # --- catching up ---------------------------------------------------------------------------------------------------

    def helpings(self, now: float) -> Iterator[Helping]:
        """What follows the cursors of lagging sessions, as far as one turn goes. Raises `LogUnreadable`, and then rests."""
        if now < self._unreadable_until:
            return
        left = MESSAGES_PER_TURN
        for session in [*self._lagging.values()]:
            if session.blocked or session.sid not in self._lagging:
                continue
            if left <= 0:
                break
            try:
                following = self._following(session)
            except LogUnreadable:
                self._unreadable_until = now + _UNREADABLE_PAUSE
                raise
            left -= following.cost + MESSAGES_PER_HELPING
            yield self._help(session, following)

    def can_help(self, now: float) -> bool:
        """The log is to be read for somebody at once."""
        return now >= self._unreadable_until and any(not session.blocked for session in self._lagging.values())

    def _following(self, session: Session) -> Following:
        session.forget_departed(session.cursor)
        return self._reader.following(
            session.cursor, self.position, session.floors(), session.identity, PAGE_MESSAGES, self._helping_bytes
        )

    def _help(self, session: Session, following: Following) -> Helping:
        """One helping of what follows the session's cursor: as much as its backlog may hold, so that it is never cut."""
        base = session.cursor
        room = self._helping_bytes
        reached = following.until
        frames: list[Part] = []
        for entry in following.entries:
            if session.was_there(entry.conv, entry.id):
                frame = m.encode(entry.as_msg())
                room -= len(frame)
                if room < 0 and frames:
                    reached = frames[-1][0]
                    break
                frames.append((entry.id, frame))
        session.cursor = reached
        del self._lagging[session.sid]
        if reached >= self.position:
            self._enter_live(session)
        else:
            self._lagging[session.sid] = session  # behind all others
        return Helping(session, frames, base)

    def _enter_live(self, session: Session) -> None:
        session.phase = Phase.LIVE
        session.departed.clear()
        for conv in session.rooms:
            self._live[conv].add(session.sid)

    def figures(self) -> dict[str, int]:
        """What `chat-broker status` shows of them."""
        cursors = [session.cursor for session in self._lagging.values()]
        return {
            "position": self.position,
            "lagging": len(cursors),
            "slowest_behind": self.position - min(cursors, default=self.position),
        }
