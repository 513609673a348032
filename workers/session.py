"""One client's connection as its worker sees it: what it may ask for now, and how far it has been told. Data and small rules."""

from __future__ import annotations

import dataclasses
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


@dataclasses.dataclass(slots=True, eq=False)
class Session:
    """State of one connection. The worker's core changes it."""

    sid: int
    peer: str
    heard: float
    """When the client last said anything, or could not be heard (monotonic seconds, like the next); at first, when it came."""
    hello_due_since: float = dataclasses.field(init=False)
    """When the connection was made, or the last hello refused."""
    hellos_refused: int = 0
    phase: Phase = Phase.GREETING
    decoder: FrameDecoder = dataclasses.field(default_factory=lambda: FrameDecoder(FRAME_BYTES))
    inbox: list[bytes | FrameTooLarge] = dataclasses.field(default_factory=list)
    """What was read and is not looked at yet: frames, and perhaps why nothing behind them can be read."""
    identity: str = ""
    name: str = ""
    newcomer: bool = False
    """It showed no token: until it is welcomed, nobody has the one that proves its identity."""
    rooms: dict[str, tuple[str, int]] = dataclasses.field(default_factory=dict)
    """By conv: the room's name, and the id from which on its messages are live for this session."""
    departed: list[tuple[str, int, int]] = dataclasses.field(default_factory=list)
    """Rooms that were left lately: conv, and the ids behind which and up to which they may have to be sent yet."""
    uncertain: dict[str, None] = dataclasses.field(default_factory=dict)
    """Rooms of which it was not told who came and who left, since it did not read.

    An empty set would be three times as large.
    """
    away: str = ""
    """Why its person is away, as far as it was told, for the next broker; empty if they are not."""
    away_untold: bool = False
    """It was not told whether its person is away, or back, since it did not read."""
    told_of_typing: bool = False
    """It has said in this second that somebody is typing there."""
    since: int = 0
    """Nothing with an id up to this is sent."""
    cursor: int = 0
    """While lagging: the id up to which everything was sent."""
    resuming: tuple[int, int] | None = None
    """The ref of a hello with `after`, and that id, until the replay is complete."""
    pending: int = 0
    """Requests that have not been answered; one with a long answer counts as several."""
    blocked: bool = False
    """Some of what was sent to it waits for the client to read."""
    leaving: tuple[str, str] | None = None
    """The reason and the text to say goodbye with, once everything asked for was answered."""
    interval: float = 0.0
    """Seconds that each message costs it; with several connections of one person, more."""
    spent_until: float = 0.0
    """How far into the future it has spent its time by sending: only so much further than now is borrowed."""
    pinged: bool = False

    def __post_init__(self) -> None:
        self.hello_due_since = self.heard

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
