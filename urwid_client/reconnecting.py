"""How a connection stands; when to try again, when to ask for a sign of life, when to give up.

Times are seconds of a clock that only rises.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import NamedTuple

FIRST_DELAY = 0.25
LONGEST_DELAY = 10.0
STEADY = 10.0
"""A connection that lasted so long was a good one. A server may also let everybody in and close at once."""
PING_EVERY = 20.0
"""How often the server is asked for a sign of life. How soon it comes tells how quick the connection is."""
DEAD = 45.0
"""Silence after which the connection is given up."""


UNANSWERED = 10.0
"""Silence after which a connection is doubted on which something that one said waits for its answer."""
DOUBTED = 5.0
"""How long a doubted connection has to give a sign of life: the machine may be in another network now."""
SLEEP = 2.0
"""By so much the two clocks of `Sleep` run apart while the machine is asleep, and never otherwise."""
LATE = 1.0
"""An answer that takes so long is told while it is waited for."""


class Stage(enum.Enum):
    """How far the connection is."""

    CONNECTING = "connecting"
    GREETING = "greeting"
    ASKING = "asking"
    """The user has to say first who they are, or whether this is the server; nothing happens before that."""
    ONLINE = "online"
    WAITING = "waiting"
    """Not connected; the next attempt comes by itself."""


class Status(NamedTuple):
    """What there is to know about the connection."""

    stage: Stage
    problem: str = ""
    """Why there was none the last time."""
    retry_at: float = 0.0
    """When the next attempt comes."""
    advice: str = ""
    """What to do about the problem, as its sentence goes on; empty where there is nothing to say."""


class Route(NamedTuple):
    """Which way goes what is said on a connection."""

    server: str
    tls: str
    """The version of TLS; empty where nothing is encrypted."""
    is_local: bool
    """It does not leave this machine."""

    @property
    def is_open(self) -> bool:
        """Whether others can read and change what is said."""
        return not (self.tls or self.is_local)

    @property
    def encryption(self) -> str:
        """Whether it is encrypted, and how."""
        return f"encrypted ({self.tls})" if self.tls else "not encrypted (on this machine)" if self.is_local else "not encrypted"

    def __str__(self) -> str:
        return f"{self.server}, {self.encryption}"


class Backoff:
    """How long to wait before the next attempt: twice as long each time, and never in step with other clients."""

    def __init__(self, draw: Callable[[], float]) -> None:
        """`draw` gives random numbers from 0 up to 1."""
        self._draw = draw
        self._failures = 0

    def failed(self, lasted: float = 0.0) -> float:
        """An attempt failed, or a connection was lost that one had been welcome on for `lasted` seconds: the seconds to wait."""
        if lasted >= STEADY:
            self._failures = 0
        longest = min(FIRST_DELAY * 2.0**self._failures, LONGEST_DELAY)
        self._failures = min(self._failures + 1, 10)
        return longest * (0.5 + self._draw() / 2)


class Due(enum.Enum):
    """What is to be done about a silent connection."""

    NOTHING = "nothing"
    PING = "ping"
    GIVE_UP = "give up"


class Watch:
    """Watches one connection for silence."""

    def __init__(self, now: float) -> None:
        self._heard = self._asked_at = now
        self._asked = False
        self._doubted: float | None = None

    def heard(self, now: float) -> None:
        """Something came from the server."""
        self._heard = now
        self._asked = False
        self._doubted = None

    def waits(self, now: float) -> None:
        """Something that one said is not answered yet."""
        if now - self._heard >= UNANSWERED:
            self.doubt(now)

    def doubt(self, now: float) -> None:
        """The connection may be dead (the machine was asleep, say): that is to be found out at once."""
        if self._doubted is None:
            self._asked = False
            self._doubted = now

    def due(self, now: float) -> Due:
        """What is to be done now; a ping is due at most once in each silence."""
        if now >= self._end():
            return Due.GIVE_UP
        if (self._doubted is not None or now - self._asked_at >= PING_EVERY) and not self._asked:
            self._asked, self._asked_at = True, now
            return Due.PING
        return Due.NOTHING

    def next_check(self) -> float:
        """The time at which something may be due next."""
        return self._end() if self._asked else self._asked_at + PING_EVERY

    def _end(self) -> float:
        return self._heard + DEAD if self._doubted is None else self._doubted + DOUBTED


class Lag:
    """How long the server takes to answer, as the pings tell."""

    def __init__(self) -> None:
        self._asked: float | None = None
        self._last: float | None = None

    @property
    def waits(self) -> bool:
        """Whether a ping is not answered yet."""
        return self._asked is not None

    def asked(self, now: float) -> None:
        """How long the answer takes is counted from the first ping that waits for one."""
        if self._asked is None:
            self._asked = now

    def answered(self, now: float) -> None:
        if self._asked is not None:
            self._last = now - self._asked
            self._asked = None

    def seconds(self, now: float) -> float | None:
        """What the last answer took, or the next one takes already, if it is late; None before the first one."""
        waited = 0.0 if self._asked is None else now - self._asked
        return waited if waited >= LATE else self._last

    def is_late(self, now: float) -> bool:
        """Whether an answer is waited for, and for longer than usual."""
        return self._asked is not None and now - self._asked >= LATE

    def next_look(self, now: float) -> float:
        """When there will be another number of seconds to tell."""
        return math.inf if self._asked is None else self._asked + max(math.floor(now - self._asked) + 1, LATE)


class Sleep:
    """Tells when the machine was asleep: one clock counts that time, the other, which the program lives by, does not."""

    def __init__(self, counting: float, living: float) -> None:
        self._apart = counting - living

    def ended(self, counting: float, living: float) -> bool:
        """Whether the machine has slept since the last call."""
        before, self._apart = self._apart, counting - living
        return self._apart - before >= SLEEP
