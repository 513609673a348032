"""One client's connection as its worker sees it: what it may ask for now, and how far it has been told. Data and small rules."""

from __future__ import annotations

import enum

from common.errors import Code, Refused
from common.framing import FrameDecoder, FrameTooLarge
from common.limits import FRAME_BYTES


class Phase(enum.Enum):
    """Where a connection stands."""

    GREETING = "greeting"
    """No hello has been accepted yet."""
    ASKED = "asked"
    """hello is with the broker."""
    LIVE = "live"
    """Gets what happens as it happens; its cursor is the worker's position."""
    LAGGING = "lagging"
    """Gets what follows its own cursor from the log until it has caught up: after a hello with `after`, or when it is slow."""
    LEAVING = "leaving"
    """Has been told goodbye, or is about to be."""


class Session:
    """State of one connection. The worker's core changes it."""

    __slots__ = (
        "away_untold",
        "blocked",
        "cursor",
        "decoder",
        "departed",
        "heard",
        "hello_due_since",
        "hellos_refused",
        "identity",
        "inbox",
        "interval",
        "leaving",
        "name",
        "newcomer",
        "peer",
        "pending",
        "phase",
        "pinged",
        "resuming",
        "rooms",
        "sid",
        "since",
        "spent_until",
        "uncertain",
    )

    def __init__(self, sid: int, peer: str, now: float) -> None:
        self.sid = sid
        self.peer = peer
        self.phase = Phase.GREETING
        self.decoder = FrameDecoder(FRAME_BYTES)
        self.inbox: list[bytes | FrameTooLarge] = []
        """What was read and is not looked at yet: frames, and perhaps why nothing behind them can be read."""
        self.identity = ""
        self.name = ""
        self.newcomer = False
        """It showed no token: until it is welcomed, nobody has the one that proves its identity."""
        self.rooms: dict[str, tuple[str, int]] = {}
        """By conv: the room's name, and the id from which on its messages are live for this session."""
        self.departed: list[tuple[str, int, int]] = []
        """Rooms that were left lately: conv, and the ids behind which and up to which they may have to be sent yet."""
        self.uncertain: dict[str, None] = {}
        """Rooms of which it was not told who came and who left, since it did not read.

        An empty set would be three times as large.
        """
        self.away_untold = False
        """It was not told whether its person is away, or back, since it did not read."""
        self.since = 0
        """Nothing with an id up to this is sent."""
        self.cursor = 0
        """While lagging: the id up to which everything was sent."""
        self.resuming: tuple[int, int] | None = None
        """The ref of a hello with `after`, and that id, until the replay is complete."""
        self.pending = 0
        """Requests that have not been answered; one with a long answer counts as several."""
        self.blocked = False
        """Some of what was sent to it waits for the client to read."""
        self.leaving: tuple[str, str] | None = None
        """The reason and the text to say goodbye with, once everything asked for was answered."""
        self.hello_due_since = now
        """When the connection was made, or the last hello refused (monotonic seconds, like the next)."""
        self.hellos_refused = 0
        self.interval = 0.0
        """Seconds that each message costs it; with several connections of one person, more."""
        self.spent_until = 0.0
        """How far into the future it has spent its time by sending: only so much further than now is borrowed."""
        self.heard = now
        """When the client last said anything, or could not be heard."""
        self.pinged = False

    @property
    def welcomed(self) -> bool:
        return self.phase is Phase.LIVE or self.phase is Phase.LAGGING

    def require_welcome(self) -> None:
        """Raises `Refused` unless the client may use the server."""
        if not self.welcomed:
            raise Refused(Code.NOT_LOGGED_IN)

    def require_greeting(self) -> None:
        """Raises `Refused` unless a hello is due."""
        if self.phase is not Phase.GREETING:
            raise Refused(Code.ALREADY_LOGGED_IN)

    def forget_departed(self, cursor: int) -> None:
        """Everything up to the cursor was sent: what was left by then is done with."""
        self.departed = [(conv, floor, until) for conv, floor, until in self.departed if until > cursor]

    def floors(self) -> dict[str, int]:
        """While lagging: the id in each room behind which there may be something to be sent."""
        floors = {conv: floor for conv, (_, floor) in self.rooms.items()}
        for conv, floor, _ in self.departed:
            floors[conv] = min(floor, floors.get(conv, floor))
        return floors

    def was_there(self, conv: str, id: int) -> bool:
        """Whether this session was in the room, or is a party to the direct conversation, at that id."""
        if not self.departed:
            return True
        if conv in self.rooms and id > self.rooms[conv][1]:
            return True
        spans = [(floor, until) for other, floor, until in self.departed if other == conv]
        return any(floor < id <= until for floor, until in spans) or not (spans or conv in self.rooms)
