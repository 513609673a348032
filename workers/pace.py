"""How fast clients may send: what a message costs each connection, and who has spent too much.

Each connection has spent its time up to some moment; a message costs an interval. Time may be borrowed up to `burst_seconds`
ahead of now, so that one that was quiet may say much at once. All connections of one person share what the person may send: their
messages cost more. How many connections somebody has at other workers, and what they spent with those that are gone, the broker
tells.
"""

from __future__ import annotations

from collections import defaultdict

from common.errors import Code, Refused, in_so_long
from common.limits import Limits
from workers.session import Session


class Pace:
    """`now` is monotonic seconds; it is told once for many messages."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._now = 0.0
        self._borrowed_until = float(limits.burst_seconds)
        self._of_person: defaultdict[str, list[Session]] = defaultdict(list)
        """By identity."""
        self._elsewhere: dict[str, int] = {}
        """How many connections somebody has at other workers, by identity: only of those who are here and there."""

    def use_limits(self, limits: Limits) -> None:
        """These hold from now on."""
        self._limits = limits
        for sessions in self._of_person.values():
            self._share_out(sessions)

    def set_time(self, now: float) -> None:
        self._now = now
        self._borrowed_until = now + self._limits.burst_seconds

    def spend(self, session: Session) -> None:
        """It sends a message. Raises `Refused` with `rate_limited`."""
        spent = session.spent_until
        if spent < self._now:
            spent = self._now
        elif spent > self._borrowed_until:
            raise Refused(Code.RATE_LIMITED, in_so_long("too many messages at once", spent - self._borrowed_until))
        session.spent_until = spent + session.interval

    def owed(self, session: Session) -> float:
        """Seconds by which it has spent more than it has had."""
        return max(0.0, session.spent_until - self._now)

    def add(self, session: Session) -> None:
        """One more connection of its person: it begins where the others are."""
        sessions = self._of_person[session.identity]
        session.spent_until = max((other.spent_until for other in sessions), default=0.0)
        sessions.append(session)
        self._share_out(sessions)

    def remove(self, session: Session) -> None:
        """One fewer. Nothing happens if it was not there."""
        sessions = self._of_person.get(session.identity, [])
        if session in sessions:
            sessions.remove(session)
            self._share_out(sessions)
            if not sessions:
                del self._of_person[session.identity]
                self._elsewhere.pop(session.identity, None)

    def set_elsewhere(self, identity: str, connections: int, owed: float) -> None:
        """Somebody has so many connections at other workers, and owes so many seconds. Nothing happens if nobody is here."""
        sessions = self._of_person.get(identity)
        if sessions is None:
            return
        self._elsewhere[identity] = connections
        for session in sessions:
            session.spent_until = max(session.spent_until, self._now + owed)
        self._share_out(sessions)

    def clear_elsewhere(self) -> None:
        """As far as is known: who is will be told anew."""
        elsewhere, self._elsewhere = self._elsewhere, {}
        for identity in elsewhere:
            self._share_out(self._of_person[identity])

    def _share_out(self, sessions: list[Session]) -> None:
        if not sessions:
            return
        limits = self._limits
        connections = len(sessions) + self._elsewhere.get(sessions[0].identity, 0)
        interval = max(1 / limits.messages_per_second, connections / limits.user_messages_per_second)
        for session in sessions:
            session.interval = interval
