"""Buffers: what one conversation shows. Messages by id without doubles, the program's own notes between them, and at the end what
is on its way to the server. Which buffers there are, and why something is put into one, is `state`'s business.
"""

from __future__ import annotations

import bisect
import dataclasses
import enum
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from common.client_events import Topic
from common.names import fold
from urwid_client.editing import Draft
from urwid_client.scrolling import Key, Viewport

_ENTRIES_KEPT = 10_000
"""A buffer that is not being scrolled forgets what is older, one that is does when there is twice as much. It is loaded again."""
_TRAFFIC_NAMES = 200
"""After so many names a new line says who came and who left."""
_TRAFFIC_MS = 5 * 60 * 1000
"""What happens so long after a line began is told in a line of its own, with its own time."""
_LATELY = 50
"""Among so many of the newest entries it is looked for who left, and goes by another name now."""
_PEOPLE_KEPT = 1_000
"""The most names of a room that are known: more than a server tells of one."""
_PENDING_ID = 2**64
"""Greater than every id: what is not committed yet stands at the end."""


class Kind(enum.Enum):
    SERVER = "server"
    """What the program itself has to say."""
    ROOM = "room"
    DIRECT = "direct"


class Delivery(enum.Enum):
    COMMITTED = "committed"
    PENDING = "pending"
    FAILED = "failed"


class Said(NamedTuple):
    """A message."""

    key: Key
    """Its id; and 0, as nothing else has."""
    time_ms: int
    sender: str
    text: str
    own: bool
    mentioned: str = ""
    """One's own name, if it is in the text."""
    delivery: Delivery = Delivery.COMMITTED
    problem: str = ""
    """Why it failed."""
    topic: bool = False
    """It sets the room's topic."""

    @property
    def is_news(self) -> bool:
        """Whether it counts as unread: what others said, and not what a room is about from then on."""
        return not self.own and not self.topic


class Note(NamedTuple):
    """Something that the program says. Stands behind the messages that were known when it was said."""

    key: Key
    time_ms: int
    text: str
    important: bool = False


class Traffic(NamedTuple):
    """Who came, who left and who goes by another name, as long as nothing else happened."""

    key: Key
    time_ms: int
    came: tuple[str, ...]
    left: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...] = ()
    """Who goes by another name: the one before, and the one now."""

    @property
    def names(self) -> int:
        return len(self.came) + len(self.left) + len(self.renamed)


Entry: TypeAlias = Said | Note | Traffic

_by_key = attrgetter("key")


@dataclasses.dataclass(eq=False, slots=True)
class Buffer:
    """One conversation. `title` is the room, or the name that the other person goes by now."""

    kind: Kind
    title: str
    conv: str | None = None
    """The server's id for it; of a direct conversation it is not known before the first message."""
    number: int = 0
    """By which the user goes there; it stays for as long as the conversation is open."""
    peer: str | None = None
    """Who the other one in a direct conversation is (an identity), once they wrote something."""
    joined: bool = True
    """Whether one is in the room."""
    joining: bool = False
    """Whether one has asked to be let in, and there is no answer."""
    absence_told: bool = False
    """Whether it was said that the other person is not there, since they were."""
    typing_told: int = 0
    """When the others were told last that the user is writing here (milliseconds); longer ago, once it has been sent."""
    away_asked: int = 0
    """When the server was asked last whether the other person is away (milliseconds); 0 once they are back."""
    former: bool = False
    """Whether somebody else goes by this name now."""
    entries: list[Entry] = dataclasses.field(default_factory=list)
    pending: dict[int, Said] = dataclasses.field(default_factory=dict)
    """One's own messages that are not committed, by ref, in order. Those that were given back stay until they are said again."""
    unread: int = 0
    mentions: int = 0
    unread_from: Key | None = None
    """What comes behind this was unread when the buffer was opened last."""
    older_exist: bool = dataclasses.field(init=False)
    cleared: bool = False
    """The user wanted nothing to be seen here, and has not scrolled up since."""
    loading: int | None = None
    """The ref of the request for older messages that is on its way."""
    reached: int | None = None
    """The first message of those that were loaded on request, also if it is not shown; what follows is loaded, too."""
    people: dict[str, str] = dataclasses.field(default_factory=dict)
    """Who is in the room, as far as the server told: the names, by their folded form."""
    away: set[str] = dataclasses.field(default_factory=set)
    """Who of them is away: the folded names."""
    head_count: int = 0
    """How many are in the room."""
    topic: Topic = dataclasses.field(default_factory=Topic)
    """What the room is about, as far as the server told."""
    draft: Draft = dataclasses.field(default_factory=Draft)
    viewport: Viewport = dataclasses.field(default_factory=Viewport)
    seen: Key = (0, 0)
    """What comes behind this came while the end was not in view."""
    _numbers: int = 0

    def __post_init__(self) -> None:
        self.older_exist = self.kind is not Kind.SERVER

    # --- what is shown ------------------------------------------------------------------------------------------------

    def shown(self) -> list[Entry]:
        """Everything, in order."""
        return [*self.entries, *self.pending.values()] if self.pending else self.entries

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be seen here, neither loaded nor on the server, as far as it was asked."""
        return not (self.entries or self.pending or self.older_exist or self.kind is Kind.SERVER)

    @property
    def first_id(self) -> int | None:
        """The id of the first message that is loaded."""
        if self.reached is not None:
            return self.reached
        at = self.before_messages
        return self.entries[at].key[0] if at < len(self.entries) else None

    @property
    def before_messages(self) -> int:
        """How many entries stand before the first message that is loaded. One that was refused was never the server's."""
        return next((at for at, entry in enumerate(self.entries) if _is_loaded(entry)), len(self.entries))

    @property
    def last_key(self) -> Key:
        return self.entries[-1].key if self.entries else (0, 0)

    @property
    def may_have_topic(self) -> bool:
        """Whether there is a topic to clear, as far as one knows: before one is in the room nothing is known of it."""
        return not self.joined or bool(self.topic.text) or any(said.topic for said in self.pending.values())

    # --- messages -----------------------------------------------------------------------------------------------------

    def add(self, said: Said) -> bool:
        """Files a message under its id; False if it was there already."""
        place = bisect.bisect_left(self.entries, said.key, key=_by_key)
        if place < len(self.entries) and self.entries[place].key == said.key:
            return False
        self.entries.insert(place, said)
        return True

    def trim(self) -> None:
        """Forgets the oldest entries when there are too many: later where somebody may be reading them."""
        if len(self.entries) > (_ENTRIES_KEPT if self.viewport.follows else 2 * _ENTRIES_KEPT):
            del self.entries[: _ENTRIES_KEPT // 5]
            self.reached, self.older_exist = None, self.kind is not Kind.SERVER

    def drop(self, sender: str) -> None:
        """Forgets what somebody else said."""
        senders = {entry.sender for entry in self.entries if isinstance(entry, Said) and not entry.own}
        dropped = {name for name in senders if fold(name) == fold(sender)}
        if dropped:
            self.entries = [e for e in self.entries if not (isinstance(e, Said) and not e.own and e.sender in dropped)]

    def clear(self, by_user: bool = False) -> None:
        """Shows nothing any more. What the server has is loaded again: at once, or when the user, who cleared it, scrolls up.

        What was refused or given back is nowhere else, and stays unless it is the user's wish.
        """
        self.entries = [] if by_user else [e for e in self.entries if isinstance(e, Said) and e.delivery is Delivery.FAILED]
        if by_user:
            self._forget_given_back(lambda said: True)
        self.cleared = by_user
        self.unread_from = None
        self._load_anew()

    def unload(self) -> None:
        """Forgets the messages, which are loaded again; what the server does not have keeps its place between them."""
        self.entries = [entry for entry in self.entries if not _is_loaded(entry)]
        self._load_anew()

    def _load_anew(self) -> None:
        """What is on its way by an earlier request would leave out what follows it."""
        self.viewport.to_end()
        self.reached = self.loading = None
        self.older_exist = self.kind is not Kind.SERVER

    def begin_anew(self, after: int) -> None:
        """In another log: nothing of the former one is shown or unread any more. What else stands here stands behind the message
        `after`, since its place among those of the former one says nothing in this one.
        """
        if self.first_id is not None:
            self.clear()
        self.unread, self.mentions, self.unread_from = 0, 0, None
        self._load_anew()
        kept, self.entries = self.entries, []
        for entry in kept:
            self.entries.append(entry._replace(key=self._next_key(after)))
        self.seen = self.last_key

    # --- one's own messages -------------------------------------------------------------------------------------------

    def add_pending(self, ref: int, sender: str, text: str, time_ms: int, topic: bool = False) -> None:
        """On its way; if it was given back before, it is said again by that."""
        self._forget_given_back(lambda said: (said.text, said.topic) == (text, topic))
        self.pending[ref] = Said((_PENDING_ID, ref), time_ms, sender, text, True, delivery=Delivery.PENDING, topic=topic)

    def fail(self, ref: int, problem: str, after: int) -> None:
        """A pending message was refused: it stays where it is now, and says why."""
        said = self.pending.pop(ref)
        self.entries.append(said._replace(key=self._next_key(after), delivery=Delivery.FAILED, problem=problem))

    def give_back(self, ref: int, problem: str) -> None:
        """A pending message is not sent any more, and nobody has refused it: it says why, and is still to be said."""
        self.pending[ref] = self.pending[ref]._replace(delivery=Delivery.FAILED, problem=problem)

    def _forget_given_back(self, is_meant: Callable[[Said], bool]) -> None:
        pending = self.pending.items()
        self.pending = {ref: said for ref, said in pending if said.delivery is Delivery.PENDING or not is_meant(said)}

    # --- notes --------------------------------------------------------------------------------------------------------

    def note(self, text: str, time_ms: int, after: int, important: bool = False) -> None:
        """Says something behind the messages up to the id `after`."""
        self.entries.append(Note(self._next_key(after), time_ms, text, important))
        self.trim()

    def add_traffic(
        self, came: Iterable[str], left: Iterable[str], time_ms: int, after: int, renamed: Mapping[str, str] = {}
    ) -> None:
        """Who came, who left and who goes by another name (`renamed`: the one before, by that of now).

        Joined with what was said of that just before. The line's time is that of the first of them.
        """
        last = self._traffic(time_ms, after)
        came, left = tuple(came), tuple(left)
        changed = _renamed(last.renamed, renamed)
        others = {name for _, name in changed}
        joined = last._replace(
            came=_once(
                *(name for name in last.came if name not in left and name not in others),
                *(name for name in came if name not in last.left),
            ),
            left=_once(*(name for name in last.left if name not in came), *(name for name in left if name not in last.came)),
            renamed=changed,
        )
        self._tell_traffic(-1, joined)

    def unsay_that_left(self, name: str) -> bool:
        """Whether it was told lately that somebody left; then it is not told any more."""
        for index in reversed(range(len(self.entries))[-_LATELY:]):
            line = self.entries[index]
            if isinstance(line, Traffic) and name in line.left:
                self._tell_traffic(index, line._replace(left=tuple(other for other in line.left if other != name)))
                return True
        return False

    def _traffic(self, time_ms: int, after: int) -> Traffic:
        """The line that what happens now belongs to; it is the last entry."""
        last = self.entries[-1] if self.entries else None
        if isinstance(last, Traffic) and last.names < _TRAFFIC_NAMES and time_ms - last.time_ms < _TRAFFIC_MS:
            return last
        line = Traffic(self._next_key(after), time_ms, (), ())
        self.entries.append(line)
        self.trim()
        return line

    def _tell_traffic(self, index: int, line: Traffic) -> None:
        """What an entry says from now on; if that is nothing, it goes."""
        if line.names:
            self.entries[index] = line
        else:
            del self.entries[index]

    def _next_key(self, after: int) -> Key:
        """A key behind all that is here and behind the message `after`."""
        self._numbers += 1
        return max(after, self.last_key[0]), self._numbers

    # --- people -------------------------------------------------------------------------------------------------------

    def set_people(self, names: Iterable[str], count: int, away: Iterable[str] = ()) -> None:
        self.people = {fold(name): name for name in names}
        self.away = {*map(fold, away)} & self.people.keys()
        self.head_count = count

    def turn_people(self, away: Iterable[str], back: Iterable[str]) -> None:
        """Who of the people went away, and who is back."""
        self.away |= {*map(fold, away)} & self.people.keys()
        self.away.difference_update(map(fold, back))

    def move_people(self, came: Collection[str], left: Collection[str], count: int | None) -> None:
        """Who came and left. A name that stands in both lists is where it was before. Who comes is not away."""
        self.away.difference_update(map(fold, came), map(fold, left))
        both = {*came} & {*left}
        for name in left:
            if name not in both:
                self.people.pop(fold(name), None)
        for name in came:
            if name not in both and len(self.people) < _PEOPLE_KEPT:
                self.people[fold(name)] = name
        self.head_count = len(self.people) if count is None else count


def _is_loaded(entry: Entry) -> bool:
    """Whether it is a message that the server has."""
    return isinstance(entry, Said) and entry.delivery is Delivery.COMMITTED


def _renamed(told: Iterable[tuple[str, str]], renamed: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Who goes by several names one after the other is told with the first and the last; not at all if they are the same."""
    names = {now: first for first, now in told}
    for name, before in renamed.items():
        first = names.pop(before, before)
        if first != name:
            names[name] = first
    return tuple((first, now) for now, first in names.items())


def _once(*names: str) -> tuple[str, ...]:
    """Each of the names, once: while there was no connection nobody said that they left, or came, in between."""
    return tuple(dict.fromkeys(names))
