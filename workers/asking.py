"""What clients that were welcomed ask for: checked, and put to the broker, or noted as a page to read; and what they wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from common import messages as m
from common.errors import Code, Refused
from common.limits import MEMBERS_SHOWN, PAGE_MESSAGES, ROOM_CHARS, ROOMS_SHOWN, Limits
from common.log import is_direct, parties
from common.names import check_room, fold
from common.routing import Item
from common.text import clean, clean_line, is_blank
from workers.history import PagesWanted, PageWanted
from workers.pace import Pace
from workers.requests import ANSWERED_WITH_LISTS, Requests
from workers.session import Phase, Session

_LONG_ANSWERS = 8
"""Of requests whose answers may fill half a frame and more, only so many of one client may be unanswered."""
_BEHIND = 100
"""With so many requests unanswered the broker has more to do than to tell who is typing."""
_LONG_REQUESTS = frozenset((*ANSWERED_WITH_LISTS, "find"))
"""Those that the broker answers so, or with where a page is to be read."""
_LIVE = Phase.LIVE
"""A look into the class costs more than a message's other checks."""
_CONV_CHARS = 4 * ROOM_CHARS
"""No conversation's id is longer: it is a room's name in its folded form, or two identities."""


class Asking:
    """See the module's docstring. `sessions` are all of the worker, by sid; what is asked goes into `requests` and `pages`."""

    def __init__(
        self, sessions: Mapping[int, Session], limits: Limits, pace: Pace, requests: Requests, pages: PagesWanted
    ) -> None:
        self._sessions = sessions
        self._limits = limits
        self._long_cost = max(1, limits.requests_pending // _LONG_ANSWERS)
        self._pace = pace
        self._requests = requests
        self._pages = pages
        self._handlers: dict[str, Callable[..., None]] = {
            "join": self._join,
            "part": self._part,
            "history": self._history,
            "members": self._members,
            "rooms": self._rooms,
            "away": self._away,
            "whois": self._whois,
            "typing": self._typing,
        }

    def use_limits(self, limits: Limits) -> None:
        """These hold from now on. Only what a long request counts for stays: those that are unanswered have been counted."""
        self._limits = limits

    def handle(self, session: Session, tag: str, *fields: Any) -> None:
        """One request, of any kind but `send`. Raises `Refused`."""
        session.require_welcome()
        self._handlers[tag](session, *fields)

    # --- what is unanswered ----------------------------------------------------------------------------------------------

    def ask(self, session: Session, request: Item) -> None:
        """Puts a request to the broker."""
        session.pending += self._cost(request)
        self._requests.add(request)

    def answered(self, until: int) -> Iterator[Session]:
        """The broker has dealt with all requests up to this number: who had asked for them and is still here."""
        for request in self._requests.answered(until):
            session = self._sessions.get(request[1])
            if session is not None:
                session.pending -= self._cost(request)
                yield session

    def want_page(self, session: Session, *wanted: Any) -> None:
        """Notes that a page is to be read: the other fields of `PageWanted`."""
        session.pending += self._long_cost
        self._pages.add(PageWanted(session, *wanted))

    def take_pages(self) -> list[PageWanted]:
        """What is to be read of the log in this turn."""
        pages = self._pages.take()
        for wanted in pages:
            wanted.session.pending -= self._long_cost
        return pages

    def _cost(self, request: Item) -> int:
        """What a request counts for among the unanswered ones of its client."""
        tag = request[0]
        if tag == "send":
            return len(request[4])
        return self._long_cost if tag in _LONG_REQUESTS else 1

    # --- the requests ------------------------------------------------------------------------------------------------------

    def send(self, session: Session, ref: int, to: str, text: str, options: m.Options) -> None:
        """A message. Raises `Refused`."""
        if session.phase is not _LIVE:  # quick to tell, and nearly always so
            session.require_welcome()
        self._pace.spend(session)
        conv = prev = None
        if options:
            if options.get("topic"):
                self._topic(session, ref, to, text, options)
                return
            conv, prev = options.get("conv"), options.get("prev")
        text = clean(text)
        if is_blank(text):
            raise Refused(Code.EMPTY_TEXT)
        limit = self._limits.text_bytes
        if len(text) * 4 > limit and len(text.encode()) > limit:
            raise Refused(Code.TOO_LONG, f"a message has at most {limit} bytes, this one has {len(text.encode())}")
        if conv is not None or not 0 < len(to) <= ROOM_CHARS:
            _check_address(to, conv)
        session.pending += 1
        self._requests.add_message(session.sid, ref, to, text, conv, prev)

    def _topic(self, session: Session, ref: int, to: str, text: str, options: m.Options) -> None:
        """A message that sets the topic of a room; an empty one clears it."""
        line = _one_line(text, self._limits.topic_bytes, "an empty topic clears it")
        conv, prev = options.get("conv"), options.get("prev")
        _check_address(to, conv)
        if is_direct(conv) if conv is not None else not m.is_room(to):
            raise Refused(Code.BAD_ROOM, "only a room has a topic, two people have none")
        self.ask(session, ["topic", session.sid, ref, to, [line], conv, [prev]])

    def _join(self, session: Session, ref: int, room: str, options: m.Options) -> None:
        self.ask(session, ["join", session.sid, ref, check_room(room)])

    def _part(self, session: Session, ref: int, room: str, options: m.Options) -> None:
        self.ask(session, ["part", session.sid, ref, check_room(room)])

    def _history(self, session: Session, ref: int, to: str, options: m.Options) -> None:
        before, limit = options.get("before"), min(options.get("limit", PAGE_MESSAGES), PAGE_MESSAGES)
        conv = options.get("conv")
        _check_address(to, conv)
        if conv is None and not m.is_room(to):
            self.ask(session, ["find", session.sid, ref, to, before, limit])
            return
        if conv is None:
            conv = fold(check_room(to))
        elif is_direct(conv) and session.identity not in parties(conv):
            raise Refused(Code.NO_SUCH_CONVERSATION)
        self.want_page(session, ref, to, conv, before, limit)

    def _members(self, session: Session, ref: int, room: str, options: m.Options) -> None:
        limit = min(options.get("limit", MEMBERS_SHOWN), MEMBERS_SHOWN)
        self.ask(session, ["members", session.sid, ref, check_room(room), _after(options), limit])

    def _rooms(self, session: Session, ref: int, options: m.Options) -> None:
        limit = min(options.get("limit", ROOMS_SHOWN), ROOMS_SHOWN)
        self.ask(session, ["rooms", session.sid, ref, _after(options), limit])

    def _away(self, session: Session, ref: int, text: str, options: m.Options) -> None:
        line = _one_line(text, self._limits.away_bytes, "an empty text says that you are back")
        self._pace.spend(session)
        self.ask(session, ["away", session.sid, ref, line])

    def _whois(self, session: Session, ref: int, name: str, options: m.Options) -> None:
        _check_address(name, None)
        self.ask(session, ["whois", session.sid, ref, name])

    def _typing(self, session: Session, ref: int, to: str, options: m.Options) -> None:
        """Not worth an answer, nor that anybody waits for it: what is too much is forgotten."""
        conv = options.get("conv")
        _check_address(to, conv)
        if not session.told_of_typing and len(self._requests) < _BEHIND:
            session.told_of_typing = True
            self.ask(session, ["typing", session.sid, ref, to, conv])


def _check_address(to: str, conv: str | None) -> None:
    """Raises `Refused` for what cannot be anybody or any conversation. `to` may be empty where `conv` is given."""
    if len(to) > ROOM_CHARS or not (to or conv):
        raise Refused(Code.NO_SUCH_USER, "nobody has such a name")
    if conv is not None and len(conv) > _CONV_CHARS:
        raise Refused(Code.NO_SUCH_CONVERSATION)


def _one_line(text: str, limit: int, what_empty_means: str) -> str:
    """The text cleaned, on one line. Raises `Refused` if it has more than `limit` bytes, or is not empty but looks so."""
    line = clean_line(text)
    if text and is_blank(line):
        raise Refused(Code.EMPTY_TEXT, f"nothing is seen of this text; {what_empty_means}")
    size = len(line.encode())
    if size > limit:
        raise Refused(Code.TOO_LONG, f"this has at most {limit} bytes, and yours {size}")
    return line


def _after(options: m.Options) -> str:
    """Behind which name a list is to begin. No name is longer, so that the order is the same."""
    after: str = options.get("after", "")
    return after[:ROOM_CHARS]
