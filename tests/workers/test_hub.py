"""workers.hub: what a worker makes of its clients' frames and of the broker's batches, without sockets and clocks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from broker.log import Draft
from common import messages as m
from common.codec import encode
from common.errors import Code, Reason, Refused
from common.framing import HEADER
from common.limits import FRAME_BYTES, MEMBERS_SHOWN, PAGE_MESSAGES, ROOM_CHARS, ROOMS_SHOWN, Limits
from common.log import Entry, LogUnreadable, direct
from common.routing import INTRODUCED_AT_ONCE, Batch, Item
from tests.support.frames import replies_in
from tests.support.logs import appended
from tests.support.memory_log import MemoryLog
from workers import hub as hub_module
from workers import tokens
from workers.fanout import Delivery, remainder
from workers.hub import Following, Hub
from workers.session import Phase, Session

ADA, BOB = "g" + "a" * 16, "g" + "b" * 16
LIMITS = Limits(text_bytes=100, topic_bytes=20, requests_pending=3)
LOBBY_ALONE = [["#lobby", "#lobby", 1, ["ada"], {}]]


class ReadableLog(MemoryLog):
    """Cannot be read while `broken`."""

    broken = False

    def expect(self, *which: Any) -> None:
        self._check()
        super().expect(*which)

    def page(self, conv: str, before: int | None, limit: int, until: int) -> tuple[list[Entry], bool]:
        self._check()
        return super().page(conv, before, limit, until)

    def following(self, *wanted: Any) -> Following:
        self._check()
        return super().following(*wanted)

    def _check(self) -> None:
        if self.broken:
            raise LogUnreadable("the log cannot be read: no such file")


class Desk:
    """A hub, with clients that read everything and a broker that says what the test says."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.log = ReadableLog()
        self.identity = ADA
        self.hub = Hub(self.log, limits, "chat-broker 0", lambda: self.identity)
        self.now = 100.0
        self.now_ms = 1_700_000_000_000
        self.position = 0
        self.answered = -1
        self.asked: list[Batch] = []
        """What the broker was sent since the last look."""
        self.got: dict[int, list[m.Reply]] = {}
        self.hub.broker_came()
        self.turn()
        self.broker(["snapshot", self.log.uuid, self.log.key])
        self.look()

    def open(self, sid: int) -> Session:
        return self.hub.opened(sid, f"peer {sid}", self.now)

    def say(self, sid: int, *requests: m.Request) -> list[m.Reply]:
        """A client's requests, in one piece; what it is told at once."""
        return self.say_bytes(sid, b"".join(map(m.encode, requests)))

    def say_bytes(self, sid: int, data: bytes) -> list[m.Reply]:
        self.hub.received(self.hub._sessions[sid], data, self.now, self.now_ms)
        self.turn()
        return self.heard(sid)

    def broker(self, *items: Item, position: int | None = None, answered: int | None = None) -> None:
        """The broker says this, and there is a turn."""
        self.position = self.position if position is None else position
        self.answered = self.answered if answered is None else answered
        self.hub.broker_said([self.position, self.answered, [*items]], self.now, self.now_ms)
        self.turn()

    def turn(self) -> None:
        self.hub.tick(self.now)
        for delivery in self.hub.end_turn():
            self.take(delivery)
        for delivery in self.hub.catch_up(self.now):
            self.take(delivery)
        self.asked += self.hub.take_requests()

    def take(self, delivery: Delivery) -> None:
        for sid in delivery.sids:
            self.got.setdefault(sid, []).extend(replies_in(delivery.data))

    def heard(self, sid: int) -> list[m.Reply]:
        """What this client was told since the last look."""
        return self.got.pop(sid, [])

    def look(self) -> list[Item]:
        """What the broker was asked since the last look."""
        asked, self.asked = self.asked, []
        return [item for batch in asked if batch[0] == "requests" for item in batch[2]]

    def welcome(self, sid: int, identity: str = ADA, name: str = "ada", *rooms: str, after: int | None = None) -> Session:
        """Somebody is here, in the lobby and these rooms."""
        self.identity = identity
        session = self.open(sid)
        self.say(sid, m.Hello(1, m.VERSION, name, {} if after is None else {"after": after}))
        joined = [[room, room.lower(), 1, [name], {}] for room in ("#lobby", *rooms)]
        self.broker(["welcome", sid, 1, name, self.position, joined, {}], answered=self.answered + 1)
        self.look()
        self.heard(sid)
        return session

    def post(self, conv: str, text: str = "hi", identity: str = BOB) -> Entry:
        """A message that is committed."""
        draft = Draft(self.now_ms, conv, conv, "bob", identity, m.make_ref(9, len(self.log.entries)), [text])
        (entry,) = appended(self.log, [draft])
        return entry

    def tell(self, *entries: Entry, sids: Sequence[int] = (), position: int | None = None) -> None:
        """The broker tells of these messages: of those of rooms, and of direct ones for these sessions."""
        items = [
            ["direct", [*sids], [entry.id], [m.encode(entry.as_msg())]] if "~" in entry.conv else room_item(entry)
            for entry in entries
        ]
        self.broker(*items, position=position or entries[-1].id)


def room_item(entry: Entry) -> Item:
    return ["room", entry.conv, [entry.id], [m.encode(entry.as_msg())]]


def texts(replies: list[m.Reply]) -> list[str]:
    return [reply.text for reply in replies if isinstance(reply, m.Msg)]


def codes(replies: list[m.Reply]) -> list[tuple[int | None, str]]:
    assert all(isinstance(reply, m.Error) for reply in replies), replies
    return [(reply.ref, reply.code) for reply in replies if isinstance(reply, m.Error)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def ada(desk: Desk) -> Desk:
    """Ada is here, as session 1."""
    desk.welcome(1, ADA, "ada")
    return desk


# --- hello ---------------------------------------------------------------------------------------------------------------


def test_hello_is_asked_of_the_broker_and_its_answer_told(desk: Desk) -> None:
    desk.open(1)
    assert desk.say(1, m.Hello(5, m.VERSION, "ada", {"rooms": ["#Dev"], "log": "x"})) == []
    assert desk.look() == [["hello", 1, 5, ADA, "ada", None, "x", ["#Dev"], False]]
    joined = [*LOBBY_ALONE, ["#Dev", "#dev", 2, ["ada", "bob"], {}]]
    desk.broker(["welcome", 1, 5, "Ada", 7, joined, {"#x": "bad_room"}], position=7, answered=0)
    welcome, *rooms = desk.heard(1)
    assert isinstance(welcome, m.Welcome)
    token = welcome.options.pop("token")
    assert tokens.identity_of(desk.log.key, token, desk.now_ms) == ADA
    assert welcome == m.Welcome(
        5,
        "Ada",
        {
            "from": ADA, "last": 7, "log": desk.log.uuid, "server": "chat-broker 0",
            "limits": {"text_bytes": 100, "topic_bytes": 20}, "refused": {"#x": "bad_room"},
        },
    )  # fmt: skip
    assert rooms == [
        m.Joined(5, "#lobby", {"last": 7, "count": 1, "members": ["ada"], "conv": "#lobby"}),
        m.Joined(5, "#Dev", {"last": 7, "count": 2, "members": ["ada", "bob"], "conv": "#dev"}),
    ]
    assert desk.hub.take_notices() == ["Ada came (peer 1)"]


def test_a_token_proves_who_one_is(desk: Desk) -> None:
    desk.open(1)
    token = tokens.mint(desk.log.key, BOB, desk.now_ms, 1)
    desk.say(1, m.Hello(5, m.VERSION, "bob", {"token": token, "after": 0}))
    assert desk.look() == [["hello", 1, 5, BOB, "bob", 0, None, [], True]]


def test_after_a_refusal_another_hello_may_follow(desk: Desk) -> None:
    desk.open(1)
    assert codes(desk.say(1, m.Hello(5, m.VERSION, "ada", {"token": "no"}))) == [(5, Code.BAD_TOKEN)]
    desk.say(1, m.Hello(6, m.VERSION, "ada", {}))
    desk.broker(["refused", 1, 6, Code.NAME_TAKEN, "taken"], answered=0)
    assert codes(desk.heard(1)) == [(6, Code.NAME_TAKEN)]
    desk.say(1, m.Hello(7, m.VERSION, "eve", {}))
    assert [item[:3] for item in desk.look()] == [["hello", 1, 6], ["hello", 1, 7]]


def test_a_token_that_has_expired_while_the_server_ran(desk: Desk) -> None:
    token = tokens.mint(desk.log.key, BOB, desk.now_ms, 1)
    desk.now_ms += 2 * 86_400_000
    desk.open(1)
    assert codes(desk.say(1, m.Hello(5, m.VERSION, "bob", {"token": token}))) == [(5, Code.BAD_TOKEN)]


def test_hello_twice(desk: Desk) -> None:
    desk.open(1)
    twice = desk.say(1, m.Hello(5, m.VERSION, "ada", {}), m.Hello(6, m.VERSION, "bob", {}))
    assert codes(twice) == [(6, Code.ALREADY_LOGGED_IN)]
    desk.broker(["welcome", 1, 5, "ada", 0, LOBBY_ALONE, {}], answered=0)
    desk.heard(1)
    assert codes(desk.say(1, m.Hello(7, m.VERSION, "bob", {}))) == [(7, Code.ALREADY_LOGGED_IN)]


def test_who_says_hello_before_there_was_a_broker_is_not_forgotten() -> None:
    desk = Desk.__new__(Desk)
    desk.log = ReadableLog()
    desk.hub = Hub(desk.log, LIMITS, "chat-broker 0", lambda: ADA)
    desk.now, desk.now_ms, desk.position, desk.answered, desk.asked, desk.got = 100.0, 1_700_000_000_000, 0, -1, [], {}
    for sid, options in [(1, {}), (2, {"token": "no"}), (3, {}), (4, {})]:
        desk.open(sid)
        assert desk.say(sid, m.Hello(5, m.VERSION, "ada", options)) == []
    desk.hub.closed(3)
    assert [type(reply) for reply in desk.say(4, m.Bye(6))] == [m.Goodbye]
    desk.hub.broker_came()
    desk.turn()
    assert desk.asked == [["intro", [], False]]
    desk.broker(["snapshot", desk.log.uuid, desk.log.key])
    assert [item[:2] for item in desk.look()] == [["hello", 1]]
    assert codes(desk.heard(2)) == [(5, Code.BAD_TOKEN)]


def test_a_version_that_is_not_spoken_here_ends_it(desk: Desk) -> None:
    desk.open(1)
    error, goodbye = desk.say(1, m.Hello(5, 2, "ada", {}))
    assert codes([error]) == [(5, Code.BAD_VERSION)]
    assert isinstance(goodbye, m.Goodbye)
    assert desk.hub.take_closing() == [1]


# --- requests ------------------------------------------------------------------------------------------------------------

SEND_REF = m.make_ref(3, 4)
REQUESTS: list[tuple[m.Request, Item]] = [
    (m.Join(5, "#Dev", {}), ["join", 1, 5, "#Dev"]),
    (m.Part(5, "#Dev", {}), ["part", 1, 5, "#Dev"]),
    (m.Send(SEND_REF, "#dev", "a\r\nb\x1b\x07", {}), ["send", 1, SEND_REF, "#dev", ["a\nb"], None, [None]]),
    (m.Send(SEND_REF, "", "x" * 100, {"conv": "c", "prev": 3}), ["send", 1, SEND_REF, "", ["x" * 100], "c", [3]]),
    (m.Send(SEND_REF, "é" * ROOM_CHARS, "€" * 33, {}), ["send", 1, SEND_REF, "é" * ROOM_CHARS, ["€" * 33], None, [None]]),
    (m.Send(SEND_REF, "#dev", "tea", {"topic": False}), ["send", 1, SEND_REF, "#dev", ["tea"], None, [None]]),
    (m.Send(SEND_REF, "#dev", " te\r\na\x1b ", {"topic": True}), ["topic", 1, SEND_REF, "#dev", ["te a"], None, [None]]),
    (m.Send(SEND_REF, "x", "", {"conv": "#dev", "prev": 3, "topic": True}), ["topic", 1, SEND_REF, "x", [""], "#dev", [3]]),
    (m.Send(SEND_REF, "#dev", "é" * 10, {"topic": True}), ["topic", 1, SEND_REF, "#dev", ["é" * 10], None, [None]]),
    (m.History(5, "bob", {"before": 9, "limit": 7}), ["find", 1, 5, "bob", 9, 7]),
    (m.History(5, "bob", {"limit": 2**62}), ["find", 1, 5, "bob", None, PAGE_MESSAGES]),
    (m.Members(5, "#dev", {}), ["members", 1, 5, "#dev", "", MEMBERS_SHOWN]),
    (m.Members(5, "#dev", {"after": "x" * 60_000, "limit": 2**62}), ["members", 1, 5, "#dev", "x" * ROOM_CHARS, MEMBERS_SHOWN]),
    (m.Rooms(5, {"after": "#a", "limit": 1}), ["rooms", 1, 5, "#a", 1]),
    (m.Rooms(5, {"after": "ﷺ" * 20_000, "limit": 2**62}), ["rooms", 1, 5, "ﷺ" * ROOM_CHARS, ROOMS_SHOWN]),
]


@pytest.mark.parametrize(("request_", "item"), REQUESTS)
def test_what_the_broker_is_asked(ada: Desk, request_: m.Request, item: Item) -> None:
    assert ada.say(1, request_) == []
    assert ada.look() == [item]
    assert ada.hub._sessions[1].pending == 1


REFUSED: list[tuple[m.Request, Code]] = [
    (m.Join(5, "dev", {}), Code.BAD_ROOM),
    (m.Join(5, "#" + "x" * 60_000, {}), Code.BAD_ROOM),
    (m.Part(5, "#a b", {}), Code.BAD_ROOM),
    (m.Send(5, "#dev", "", {}), Code.EMPTY_TEXT),
    (m.Send(5, "#dev", " \x00\u200b\n\t", {}), Code.EMPTY_TEXT),
    (m.Send(5, "#dev", "\u3164\n\u2800", {}), Code.EMPTY_TEXT),
    (m.Send(5, "#dev", "x" * 101, {}), Code.TOO_LONG),
    (m.Send(5, "#dev", "\U0001f600" * 26, {}), Code.TOO_LONG),
    (m.Send(5, "", "hi", {}), Code.NO_SUCH_USER),
    (m.Send(5, "", "hi", {"conv": ""}), Code.NO_SUCH_USER),
    (m.Send(5, "x" * (ROOM_CHARS + 1), "hi", {}), Code.NO_SUCH_USER),
    (m.Send(5, "bob", "hi", {"conv": "c" * 60_000}), Code.NO_SUCH_CONVERSATION),
    (m.Send(5, "#dev", "\u200b", {"topic": True}), Code.EMPTY_TEXT),
    (m.Send(5, "#dev", "\u3164", {"topic": True}), Code.EMPTY_TEXT),
    (m.Send(5, "#dev", "é" * 10 + "x", {"topic": True}), Code.TOO_LONG),
    (m.Send(5, "bob", "tea", {"topic": True}), Code.BAD_ROOM),
    (m.Send(5, "#dev", "tea", {"topic": True, "conv": direct(ADA, BOB)}), Code.BAD_ROOM),
    (m.Send(5, "", "tea", {"topic": True}), Code.NO_SUCH_USER),
    (m.History(5, "x" * 60_000, {}), Code.NO_SUCH_USER),
    (m.History(5, "#dev", {"conv": "c" * 65_000}), Code.NO_SUCH_CONVERSATION),
    (m.History(5, "bob", {"conv": direct(BOB, "g" + "c" * 16)}), Code.NO_SUCH_CONVERSATION),
    (m.History(5, "#no room", {}), Code.BAD_ROOM),
    (m.Members(5, "dev", {}), Code.BAD_ROOM),
]


@pytest.mark.parametrize(("request_", "code"), REFUSED)
def test_what_the_broker_is_not_asked(ada: Desk, request_: m.Request, code: Code) -> None:
    assert codes(ada.say(1, request_)) == [(5, code)]
    assert ada.look() == []


@pytest.mark.parametrize("request_", [request_ for request_, _ in REQUESTS], ids=lambda request_: type(request_).__name__)
def test_nothing_but_hello_and_signs_of_life_before_the_welcome(desk: Desk, request_: m.Request) -> None:
    desk.open(1)
    assert codes(desk.say(1, request_)) == [(request_.ref, Code.NOT_LOGGED_IN)]
    assert desk.say(1, m.Ping(6), m.Pong(7)) == [m.Pong(6)]
    desk.say(1, m.Hello(5, m.VERSION, "ada", {}))
    assert codes(desk.say(1, request_)) == [(request_.ref, Code.NOT_LOGGED_IN)]


@pytest.mark.parametrize(
    ("data", "code", "ref"),
    [
        (b"\0\0\0\1\xc1", Code.BAD_ENCODING, None),
        (HEADER.pack(FRAME_BYTES + 1), Code.FRAME_TOO_LARGE, None),
        (b"\xff" * 100, Code.FRAME_TOO_LARGE, None),
    ],
)
def test_what_cannot_be_read_ends_the_connection(ada: Desk, data: bytes, code: Code, ref: int | None) -> None:
    heard = ada.say_bytes(1, m.encode(m.Ping(1)) + data + m.encode(m.Ping(2)))
    assert heard[0] == m.Pong(1)
    assert codes(heard[1:2]) == [(ref, code)]
    assert [type(reply) for reply in heard[2:]] == [m.Goodbye]
    assert not ada.hub.wants_input(ada.hub._sessions[1])


def test_what_can_be_read_and_makes_no_sense_does_not(ada: Desk) -> None:
    heard = ada.say_bytes(1, b"\0\0\0\0" + encode(["shout", 5]) + encode(["join", 6]) + m.encode(m.Ping(7)))
    assert codes(heard[:3]) == [(None, Code.EMPTY_FRAME), (5, Code.UNKNOWN_TYPE), (6, Code.BAD_MESSAGE)]
    assert heard[3:] == [m.Pong(7)]


def test_frames_may_come_in_any_pieces(ada: Desk) -> None:
    for byte in m.encode(m.Join(5, "#dev", {})):
        ada.say_bytes(1, bytes([byte]))
    assert ada.look() == [["join", 1, 5, "#dev"]]


def test_one_with_many_unanswered_requests_is_not_read_from(ada: Desk) -> None:
    session = ada.hub._sessions[1]
    for ref in range(LIMITS.requests_pending):
        assert ada.hub.wants_input(session)
        ada.say(1, m.Join(ref, "#dev", {}))
    assert not ada.hub.wants_input(session)
    ada.broker(["joined", 1, 0, 0, ["#dev", "#dev", 1, ["ada"], {}]], answered=ada.answered + 1)
    assert ada.hub.wants_input(session)


def test_what_is_asked_for_beyond_that_in_one_breath_waits(ada: Desk) -> None:
    """One read may bring hundreds of requests, and each of them a long answer."""
    session = ada.hub._sessions[1]
    most = LIMITS.requests_pending
    ada.say(1, *(m.Members(ref, "#dev", {}) for ref in range(2 * most)), m.Ping(99))
    assert [item[2] for item in ada.look()] == [*range(most)]
    assert not ada.hub.can_go_on(ada.now), "nothing is to be done before something is answered"
    ada.broker(answered=ada.answered + 2)
    assert [item[2] for item in ada.look()] == [most, most + 1]
    assert not ada.hub.wants_input(session)
    ada.broker(answered=ada.answered + most)
    assert ada.hub.wants_input(session)
    assert ada.heard(1) == [m.Pong(99)]


def test_what_one_asks_for_in_one_breath_is_done_in_several_turns(ada: Desk) -> None:
    """The others would have to wait for all of it."""
    heard = ada.say(1, *(m.Ping(ref) for ref in range(500)))
    assert 0 < len(heard) < 200
    assert ada.hub.can_go_on(ada.now)
    assert not ada.hub.wants_input(ada.hub._sessions[1])
    while ada.hub.can_go_on(ada.now):
        ada.turn()
        more = ada.heard(1)
        assert len(more) < 200
        heard += more
    assert heard == [m.Pong(ref) for ref in range(500)]
    assert ada.hub.wants_input(ada.hub._sessions[1])


def test_of_long_answers_fewer_may_be_waited_for() -> None:
    desk = Desk(Limits(requests_pending=256))
    desk.welcome(1, ADA, "ada")
    for ask in (m.Join, m.Members, m.History):
        to = "bob" if ask is m.History else "#dev"
        desk.say(1, *(ask(ref, to, {}) for ref in range(20)))
        assert len(desk.look()) == 8
        for count in (8, 4):
            desk.broker(answered=desk.answered + 8)
            assert len(desk.look()) == count
        desk.broker(answered=desk.answered + 4)
    desk.say(1, *(m.Part(ref, "#dev", {}) for ref in range(20)))
    assert len(desk.look()) == 20


def test_one_who_asks_for_more_and_goes_leaves_nothing(ada: Desk) -> None:
    ada.say(1, *(m.Members(ref, "#dev", {}) for ref in range(2 * LIMITS.requests_pending)))
    ada.hub.closed(1)
    assert not ada.hub._kept_waiting
    ada.turn()


def test_one_who_does_not_read_is_not_read_from(ada: Desk) -> None:
    session = ada.hub._sessions[1]
    session.blocked = True
    assert not ada.hub.wants_input(session)


def test_nobody_is_read_from_while_the_broker_is_far_behind(ada: Desk) -> None:
    bob = ada.welcome(2, BOB, "bob")
    ada.hub._asked.full = True
    assert not ada.hub.wants_input(bob)


# --- rooms and messages --------------------------------------------------------------------------------------------------


def test_a_room_is_heard_from_its_joining_to_its_parting(ada: Desk) -> None:
    ada.welcome(2, BOB, "bob", "#dev")
    one, two, three, four = (ada.post("#dev", text) for text in ("one", "two", "three", "four"))
    ada.broker(
        room_item(one),
        ["joined", 1, 5, 1, ["#Dev", "#dev", 2, ["ada", "bob"], {}]],
        room_item(two),
        room_item(three),
        ["parted", 1, 6, 3, "#Dev", "#dev"],
        room_item(four),
        position=4,
    )
    heard = ada.heard(1)
    assert heard[0] == m.Joined(5, "#Dev", {"last": 1, "count": 2, "members": ["ada", "bob"], "conv": "#dev"})
    assert texts(heard[1:3]) == ["two", "three"]
    assert heard[3:] == [m.Parted(6, "#Dev")]
    assert texts(ada.heard(2)) == ["one", "two", "three", "four"]


def test_a_delivery_tells_up_to_which_id_everything_was_sent_before(ada: Desk) -> None:
    ada.tell(ada.post("#lobby"))
    entry = ada.post("#lobby")
    ada.hub.broker_said([entry.id, ada.answered, [room_item(entry)]], ada.now, ada.now_ms)
    (delivery,) = ada.hub.end_turn()
    assert delivery.base == 1


def test_what_was_said_before_the_parting_is_told_although_it_could_not_be_at_once(ada: Desk) -> None:
    """Not even when another broker comes in the same turn, from which on everybody goes on from the log."""
    one, two = ada.post("#dev", "one"), ada.post("#lobby", "two")
    joined = ["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], {}]]
    ada.hub.broker_said([1, 0, [joined, room_item(one), ["parted", 1, 6, 1, "#dev", "#dev"]]], ada.now, ada.now_ms)
    ada.hub.broker_said([two.id, 0, [["snapshot", ada.log.uuid, ada.log.key]]], ada.now, ada.now_ms)
    (delivery,) = ada.hub.end_turn()
    rest = remainder(delivery, 0, 0)
    assert rest.cursor == 0
    ada.hub.lag(1, rest.cursor)
    ada.turn()
    assert texts(ada.heard(1)) == ["one", "two"]


def test_joining_again_changes_nothing_but_is_answered(ada: Desk) -> None:
    for ref in (5, 6):
        ada.broker(["joined", 1, ref, 0, ["#dev", "#dev", 1, ["ada"], {}]])
        assert [reply.ref for reply in ada.heard(1) if isinstance(reply, m.Joined)] == [ref]
    one = ada.post("#dev", "once")
    ada.broker(room_item(one), ["joined", 1, 7, one.id, ["#dev", "#dev", 1, ["ada"], {}]], position=one.id)
    message, joined = ada.heard(1)
    assert texts([message]) == ["once"]
    assert isinstance(joined, m.Joined)


def test_one_who_joins_and_parts_all_the_time_is_no_burden(ada: Desk) -> None:
    for _ in range(20):
        ada.tell(ada.post("#lobby"))
        ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], {}]], ["parted", 1, 6, ada.position, "#dev", "#dev"])
    assert len(ada.hub._sessions[1].departed) <= 1


def test_other_answers_are_passed_on_as_they_are(ada: Desk) -> None:
    answer = m.MemberList(5, "#dev", ["ada"], {"count": 1, "more": False})
    ada.broker(["reply", 1, m.encode(answer)])
    assert ada.heard(1) == [answer]


def test_messages_for_those_who_are_gone_are_for_nobody(ada: Desk) -> None:
    ada.hub.closed(1)
    ada.broker(
        ["direct", [1, 99], [1], [m.encode(ada.post(direct(ADA, BOB)).as_msg())]],
        room_item(ada.post("#lobby")),
        ["reply", 1, m.encode(m.Error(1, Code.BUSY, "busy"))],
        ["joined", 1, 5, 0, LOBBY_ALONE[0]],
        ["parted", 1, 5, 0, "#dev", "#dev"],
        ["page", 1, 5, "bob", direct(ADA, BOB), None, 5],
        ["lost", 1, Code.NAME_TAKEN, "taken"],
        ["refused", 1, 5, Code.NAME_TAKEN, "taken"],
        ["welcome", 1, 5, "ada", 0, LOBBY_ALONE, {}],
        position=2,
    )
    assert ada.got == {}


def test_direct_messages_go_to_the_sessions_that_are_named(ada: Desk) -> None:
    ada.welcome(2, BOB, "bob")
    ada.welcome(3, "g" + "c" * 16, "cyd")
    ada.tell(ada.post(direct(ADA, BOB), "psst"), sids=[1, 2])
    assert [texts(ada.heard(sid)) for sid in (1, 2, 3)] == [["psst"], ["psst"], []]


def test_who_did_not_say_what_it_has_seen_gets_nothing_old(desk: Desk) -> None:
    """Not even when it is cut off by its own slowness in the turn of its welcome."""
    desk.open(1)
    desk.say(1, m.Hello(1, m.VERSION, "ada", {}))
    old = desk.post(direct(ADA, BOB), "old")
    desk.broker(["welcome", 1, 1, "ada", 1, LOBBY_ALONE, {}], position=old.id)
    desk.hub.lag(1, 0)
    desk.tell(desk.post(direct(ADA, BOB), "new"), sids=[1])
    assert texts(desk.heard(1)) == ["new"]


# --- presence --------------------------------------------------------------------------------------------------------------


def test_presence_is_told_after_a_moment(ada: Desk) -> None:
    ada.broker(["presence", "#lobby", "#lobby", ["bob"], [], 2])
    assert ada.heard(1) == []
    assert ada.hub.next_timer(ada.now) == pytest.approx(0.1)
    ada.now += 0.11
    ada.turn()
    assert ada.heard(1) == [m.Presence("#lobby", {"count": 2, "joined": ["bob"], "left": []})]


def test_who_is_away_is_told_after_a_moment_and_to_who_joins(ada: Desk) -> None:
    ada.broker(["turned", "#lobby", "#lobby", ["bob"], [], 2])
    assert ada.heard(1) == []
    ada.now += 0.11
    ada.turn()
    assert ada.heard(1) == [
        m.Presence("#lobby", {"count": 2, "joined": [], "left": [], "away": ["bob"], "back": []}),
    ]
    ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 2, ["ada", "bob"], {"away": ["bob"]}]])
    (joined,) = ada.heard(1)
    assert isinstance(joined, m.Joined)
    assert (joined.options["members"], joined.options["away"]) == (["ada", "bob"], ["bob"])


def test_the_topic_of_a_room_is_told_to_who_joins(ada: Desk) -> None:
    topic = {"topic": "tea", "topic_by": "bob", "topic_ms": 7}
    ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], topic]])
    assert ada.heard(1) == [m.Joined(5, "#dev", {"last": 0, "count": 1, "members": ["ada"], "conv": "#dev", **topic})]


def test_a_topic_does_not_go_together_with_messages() -> None:
    desk = Desk(Limits())
    desk.welcome(1)
    options = [{}, {"topic": True}, {"topic": True}, {}, {}]
    desk.say(1, *(m.Send(m.make_ref(1, number), "#dev", "tea", more) for number, more in enumerate(options)))
    assert [(item[0], len(item[4])) for item in desk.look()] == [("send", 1), ("topic", 1), ("topic", 1), ("send", 2)]
    assert desk.hub.awaits_messages


def test_a_reason_to_be_away_is_cleaned_and_has_a_limit(ada: Desk) -> None:
    most = LIMITS.away_bytes
    assert ada.say(1, m.Away(5, " at\n\x1b lunch ", {}), m.Away(6, "é" * (most // 2), {}), m.Away(7, "", {})) == []
    assert [item[2:] for item in ada.look()] == [[5, "at lunch"], [6, "é" * (most // 2)], [7, ""]]
    ada.broker(answered=ada.answered + 3)
    assert codes(ada.say(1, m.Away(8, "x" * (most + 1), {}), m.Away(9, "\u200b", {}))) == [
        (8, Code.TOO_LONG),
        (9, Code.EMPTY_TEXT),
    ]
    ada.open(2)
    assert codes(ada.say(2, m.Away(9, "x", {}))) == [(9, Code.NOT_LOGGED_IN)]


def test_who_somebody_is_is_asked_of_the_broker(ada: Desk) -> None:
    assert ada.say(1, m.Whois(5, "BOB", {})) == []
    assert ada.look() == [["whois", 1, 5, "BOB"]]
    ada.broker(answered=ada.answered + 1)
    assert codes(ada.say(1, m.Whois(6, "", {}), m.Whois(7, "x" * (ROOM_CHARS + 1), {}))) == [
        (6, Code.NO_SUCH_USER),
        (7, Code.NO_SUCH_USER),
    ]
    ada.open(2)
    assert codes(ada.say(2, m.Whois(9, "x", {}))) == [(9, Code.NOT_LOGGED_IN)]


def test_that_somebody_types_is_passed_on_once_in_a_second(ada: Desk) -> None:
    ada.welcome(2, BOB, "bob")
    for sid in (1, 1, 2, 1):
        assert ada.say(sid, m.Typing(5, "#lobby", {"conv": "#lobby"})) == []
    assert ada.look() == [["typing", sid, 5, "#lobby", "#lobby"] for sid in (1, 2)]
    ada.now += 1.1
    ada.turn()
    ada.say(1, m.Typing(6, "bob", {}))
    assert ada.look() == [["typing", 1, 6, "bob", None]]
    ada.hub.closed(1)
    assert not ada.hub._typed, "nothing is kept of who is not here"


def test_that_somebody_types_is_not_passed_on_to_a_broker_that_is_behind() -> None:
    desk = Desk(Limits(requests_pending=1_000))
    desk.welcome(1)
    desk.say(1, *(m.History(number, "bob", {}) for number in range(100)))
    desk.look()
    desk.say(1, m.Typing(5, "#lobby", {}))
    assert desk.look() == []


def test_typing_is_wrong_where_it_can_be_to_nobody(ada: Desk) -> None:
    assert codes(ada.say(1, m.Typing(5, "", {}), m.Typing(6, "x" * 99, {}))) == [(5, Code.NO_SUCH_USER), (6, Code.NO_SUCH_USER)]
    ada.open(2)
    assert codes(ada.say(2, m.Typing(9, "x", {}))) == [(9, Code.NOT_LOGGED_IN)]


def test_who_is_typing_is_told_to_the_others_who_read(ada: Desk) -> None:
    typing = m.IsTyping("#lobby", "bob", {"conv": "#lobby", "from": BOB})
    ada.welcome(2, BOB, "bob")
    blocked, lagging = (ada.welcome(sid, "g" + letter * 16, letter) for sid, letter in ((3, "c"), (4, "d")))
    for sid in (1, 2, 3, 4):
        ada.heard(sid)
    blocked.blocked = True
    ada.log.broken = True
    ada.hub.lag(4, 0)
    assert lagging.phase is Phase.LAGGING
    ada.broker(["typing", "#lobby", [], BOB, m.encode(typing)])
    assert [ada.heard(sid) for sid in (1, 2, 3, 4)] == [[typing], [], [], []]
    ada.broker(["typing", direct(ADA, BOB), [1, 99], BOB, m.encode(typing)])
    assert [ada.heard(sid) for sid in (1, 2, 3, 4)] == [[typing], [], [], []]
    ada.broker(["typing", "#elsewhere", [], BOB, m.encode(typing)])
    assert ada.heard(1) == []


def test_all_connections_of_one_who_is_away_are_told_once(ada: Desk) -> None:
    ada.welcome(2, ADA, "ada")
    ada.broker(["said", 1, 5, "lunch"], ["away", [1, 2], "lunch"])
    assert ada.heard(1) == [m.Away(5, "lunch", {})]
    assert ada.heard(2) == [m.Away(None, "lunch", {})]
    ada.broker(["away", [1, 2], "lunch"])
    assert ada.heard(2) == [], "they know it"
    ada.broker(["away", [1, 2], ""])
    assert ada.heard(2) == [m.Away(None, "", {})]


def test_two_devices_that_speak_at_once_believe_the_same_in_the_end(ada: Desk) -> None:
    ada.welcome(2, ADA, "ada")
    ada.broker(["said", 1, 5, "lunch"], ["said", 2, 6, ""], ["away", [1, 2], ""])
    assert ada.heard(1) == [m.Away(5, "lunch", {}), m.Away(None, "", {})]
    assert ada.heard(2) == [m.Away(6, "", {})]


def test_a_welcome_says_whether_one_is_away_who_is_here_already(ada: Desk) -> None:
    for sid, told, options in ((2, [], {}), (3, ["lunch"], {"away": "lunch"}), (4, [""], {"away": ""})):
        ada.open(sid)
        ada.say(sid, m.Hello(1, 1, "ada", {}))
        ada.broker(["welcome", sid, 1, "ada", 0, LOBBY_ALONE, {}, *told])
        welcome = next(heard for heard in ada.heard(sid) if isinstance(heard, m.Welcome))
        assert {key: value for key, value in welcome.options.items() if key == "away"} == options
    ada.broker(["away", [2, 3, 4], "lunch"])
    assert [ada.heard(sid) for sid in (2, 3, 4)] == [[m.Away(None, "lunch", {})], [], [m.Away(None, "lunch", {})]]


def test_being_away_is_said_no_faster_than_messages(ada: Desk) -> None:
    limits = Limits(messages_per_second=1, burst_seconds=1)
    ada.hub.use_limits(limits)
    assert codes(ada.say(1, *(m.Away(number, "lunch", {}) for number in range(5, 9)))) == [
        (7, Code.RATE_LIMITED),
        (8, Code.RATE_LIMITED),
    ]


def test_who_is_away_is_introduced_as_such_until_they_are_back_or_gone(ada: Desk) -> None:
    ada.welcome(2, ADA, "ada")
    ada.welcome(3, ADA, "ada")

    def introduced() -> list[list[Any]]:
        ada.hub.broker_lost()
        ada.hub.broker_came()
        ada.asked.clear()
        ada.turn()
        sessions: list[list[Any]] = ada.asked[0][1]
        return [session[4:] for session in sessions]

    ada.broker(["away", [1, 2, 3, 99], "lunch"])
    assert introduced() == [["lunch"]] * 3
    ada.broker(["away", [1], ""])
    ada.hub.closed(2)
    assert introduced() == [[], ["lunch"]]
    ada.hub.closed(3)
    assert not ada.hub._away, "nothing is kept of who is not away or not here"


def test_who_is_there_replaces_what_was_to_be_told(ada: Desk) -> None:
    presence = m.Presence("#lobby", {"count": 1, "members": ["ada"]})
    ada.broker(["presence", "#lobby", "#lobby", ["bob"], [], 2], ["present", "#lobby", m.encode(presence)])
    ada.now += 1
    ada.turn()
    assert ada.heard(1) == [presence]


def test_what_those_before_were_not_told_yet_is_not_told_to_those_after_them(ada: Desk) -> None:
    """A room that is empty has nobody to be told that the last one left."""
    ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], {}]])
    ada.broker(["presence", "#dev", "#dev", ["ada"], [], 1])
    ada.broker(["parted", 1, 6, 0, "#dev", "#dev"])
    ada.welcome(2, BOB, "bob", "#dev")
    ada.broker(["presence", "#dev", "#dev", ["bob"], [], 1])
    ada.now += 1
    ada.turn()
    assert [reply.options["joined"] for reply in ada.heard(2) if isinstance(reply, m.Presence)] == [["bob"]]


@pytest.mark.parametrize("lagging", [True, False])
def test_what_is_to_be_told_of_a_room_is_told_although_somebody_else_came_in(ada: Desk, lagging: bool) -> None:
    ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], {}]], ["presence", "#dev", "#dev", ["cyd"], [], 2])
    if lagging:
        ada.log.broken = True
        ada.hub.lag(1, 0)
    ada.welcome(2, BOB, "bob", "#dev")
    ada.heard(1)
    ada.now += 0.2
    ada.turn()
    assert ada.heard(1) == [m.Presence("#dev", {"count": 2, "joined": ["cyd"], "left": []})]


def test_the_people_of_a_large_room_are_told_a_few_at_a_time_and_once(desk: Desk) -> None:
    """Also those who are catching up."""
    sids = range(1, 25)
    for sid in sids:
        desk.welcome(sid, f"{ADA[:-2]}{sid:02}", f"ada{sid}")
    desk.log.broken = True
    for sid in (4, 14):
        desk.hub.lag(sid, 0)
    desk.broker(["presence", "#lobby", "#lobby", [], [], 5_000])
    heard = []
    for _ in range(25):
        desk.now += 0.05
        desk.turn()
        heard.append([sid for sid in sids for reply in desk.heard(sid) if reply == m.Presence("#lobby", {"count": 5_000})])
    assert sorted(sid for turn in heard for sid in turn) == [*sids]
    assert max(map(len, heard)) == 3


def test_presence_is_told_to_those_who_are_catching_up(ada: Desk) -> None:
    """They are not slow: the broker was replaced, say, and so they go on from the log."""
    ada.hub.lag(1, 0)
    presence = m.Presence("#lobby", {"count": 1, "members": ["ada"]})
    ada.log.broken = True
    ada.broker(["present", "#lobby", m.encode(presence)], ["present", "#dev", m.encode(presence)])
    assert ada.heard(1) == [presence]


def test_one_who_did_not_read_asks_who_is_there_when_it_does(ada: Desk) -> None:
    session = ada.hub._sessions[1]
    ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], {}]])
    ada.heard(1)
    session.blocked = True
    ada.hub.lag(1, 0)
    for conv in ("#lobby", "#dev", "#none"):
        ada.broker(["presence", conv, conv, ["bob"], [], 2])
    ada.now += 1
    ada.turn()
    ada.broker(["parted", 1, 6, 0, "#dev", "#dev"])
    assert ada.look() == []
    session.blocked = False
    ada.turn()
    assert ada.look() == [["present", 1, None, "#lobby"]]
    ada.turn()
    assert ada.look() == []


def test_one_who_did_not_read_hears_once_that_it_is_away_when_it_does(ada: Desk) -> None:
    """However often another device of the person said so: what waits for one that does not read is bounded."""
    session = ada.hub._sessions[1]
    session.blocked = True
    ada.hub.lag(1, 0)
    for number in range(100):
        ada.broker(["away", [1], f"lunch {number}" if number % 2 else ""])
    ada.turn()
    assert ada.heard(1) == []
    session.blocked = False
    ada.turn()
    assert ada.heard(1) == [m.Away(None, "lunch 99", {})]
    ada.turn()
    assert ada.heard(1) == []


# --- history -------------------------------------------------------------------------------------------------------------


def test_a_page_of_a_room(ada: Desk) -> None:
    for number in range(5):
        ada.tell(ada.post("#lobby", str(number)))
    ada.post("#lobby", "not told of yet")
    ada.heard(1)
    (page,) = ada.say(1, m.History(5, "#LOBBY", {"limit": 2, "before": 5}))
    assert isinstance(page, m.Page)
    assert (page.ref, page.to, [row[5] for row in page.rows]) == (5, "#LOBBY", ["2", "3"])
    assert page.options == {"more": True, "conv": "#lobby"}
    (page,) = ada.say(1, m.History(6, "anything", {"conv": "#lobby"}))
    assert isinstance(page, m.Page)
    assert ([row[5] for row in page.rows], page.options["more"]) == (["0", "1", "2", "3", "4"], False)
    assert ada.hub._sessions[1].pending == 0


def test_a_page_of_a_person_is_asked_of_the_broker(ada: Desk) -> None:
    ada.tell(ada.post(direct(ADA, BOB), "psst"), sids=[])
    ada.say(1, m.History(5, "bob", {}))
    assert ada.look() == [["find", 1, 5, "bob", None, PAGE_MESSAGES]]
    ada.broker(["page", 1, 5, "bob", direct(ADA, BOB), None, 10], answered=ada.answered + 1)
    (page,) = ada.heard(1)
    assert isinstance(page, m.Page)
    assert [row[5] for row in page.rows] == ["psst"]
    assert ada.hub._sessions[1].pending == 0


def test_a_page_fits_a_frame(ada: Desk) -> None:
    for number in range(10):
        ada.tell(ada.post("#lobby", str(number) + "x" * 16_000))
    ada.heard(1)
    (page,) = ada.say(1, m.History(5, "#lobby", {}))
    assert isinstance(page, m.Page)
    assert [row[5][0] for row in page.rows] == ["6", "7", "8", "9"]
    assert page.options["more"] is True


def test_the_least_backlog_is_enough_to_catch_up() -> None:
    desk = Desk(Limits(backlog_bytes=1))
    for number in range(3):
        desk.post("#lobby", str(number))
    desk.position = 3
    desk.welcome(1, after=0)
    while desk.hub.can_go_on(desk.now):
        desk.turn()
    assert desk.hub._sessions[1].phase is Phase.LIVE


def test_one_who_does_not_read_gets_no_further_pages(ada: Desk) -> None:
    ada.hub._sessions[1].blocked = True
    assert ada.say(1, *(m.History(ref, "#lobby", {}) for ref in range(3))) == []
    assert not ada.hub.can_go_on(ada.now), "nothing is to be done before it reads"
    ada.hub._sessions[1].blocked = False
    assert ada.hub.can_go_on(ada.now)
    for ref in range(3):
        ada.turn()
        assert [reply.ref for reply in ada.heard(1) if isinstance(reply, m.Page)] == [ref]


def test_a_log_that_cannot_be_read(ada: Desk) -> None:
    ada.tell(ada.post("#lobby", "one"))
    ada.heard(1)
    ada.log.broken = True
    ada.hub.lag(1, 0)
    assert ada.hub.can_go_on(ada.now)
    assert codes(ada.say(1, m.History(5, "#lobby", {}))) == [(5, Code.BUSY)]
    assert not ada.hub.can_go_on(ada.now), "it is not tried again at once"
    ada.log.broken = False
    ada.now += 1.1
    assert ada.hub.can_go_on(ada.now)
    ada.turn()
    assert texts(ada.heard(1)) == ["one"]
    assert len(ada.hub.take_notices()) == 3


# --- goodbye -------------------------------------------------------------------------------------------------------------


def test_goodbye(ada: Desk) -> None:
    assert ada.say(1, m.Ping(4), m.Bye(5), m.Ping(6)) == [m.Pong(4), m.Goodbye(Reason.BYE, "goodbye")]
    assert ada.hub.take_closing() == [1]
    ada.tell(ada.post("#lobby"))
    assert ada.heard(1) == []
    ada.hub.take_notices()
    ada.hub.closed(1)
    ada.turn()
    assert ada.look() == [["gone", 1, False, 0]]
    assert ada.hub.take_notices() == ["ada left (peer 1)"]


def test_goodbye_comes_when_all_is_answered(ada: Desk) -> None:
    """The answers come before it: also a message of one's own, which is everybody's."""
    assert ada.say(1, m.Send(SEND_REF, "#lobby", "last words", {}), m.History(6, "#lobby", {}), m.Bye(5)) != []
    entry = ada.post("#lobby", "last words", ADA)
    ada.broker(room_item(entry), position=1, answered=ada.answered + 1)
    message, goodbye = ada.heard(1)
    assert texts([message]) == ["last words"]
    assert isinstance(goodbye, m.Goodbye)


def test_goodbye_comes_when_all_that_was_missed_is_told(desk: Desk) -> None:
    for number in range(2 * PAGE_MESSAGES):
        desk.post("#lobby", str(number))
    desk.broker(position=desk.log.last)
    desk.open(1)
    desk.say(1, m.Hello(1, m.VERSION, "ada", {"after": 0}))
    desk.hub.broker_said([desk.position, 0, [["welcome", 1, 1, "ada", desk.position, LOBBY_ALONE, {}]]], desk.now, desk.now_ms)
    desk.hub.received(desk.hub._sessions[1], m.encode(m.Bye(2)), desk.now, desk.now_ms)
    for _ in range(4):
        assert desk.hub.can_go_on(desk.now)
        desk.turn()
    heard = desk.heard(1)
    assert texts(heard) == [str(number) for number in range(2 * PAGE_MESSAGES)]
    assert heard[-2:] == [m.Resumed(1, desk.position), m.Goodbye(Reason.BYE, "goodbye")]
    assert desk.hub.take_closing() == [1]


def test_one_who_is_told_goodbye_is_told_nothing_more(desk: Desk) -> None:
    for sid in (1, 2):
        desk.open(sid)
        desk.say(sid, m.Hello(5, m.VERSION, "ada", {}))
    desk.hub.farewell()
    desk.turn()
    assert [type(reply) for sid in (1, 2) for reply in desk.heard(sid)] == [m.Goodbye] * 2
    desk.hub.lag(1, 0)
    desk.broker(["welcome", 1, 5, "ada", 0, LOBBY_ALONE, {}], ["refused", 2, 5, Code.NAME_TAKEN, "taken"])
    desk.tell(desk.post("#lobby"))
    assert desk.got == {}
    assert [desk.hub._sessions[sid].phase for sid in (1, 2)] == [Phase.LEAVING] * 2


@pytest.mark.parametrize("phase", ["greeting", "asked", "live", "lagging", "leaving"])
def test_a_connection_may_end_at_any_time(desk: Desk, phase: str) -> None:
    if phase in ("live", "lagging", "leaving"):
        desk.welcome(1)
    else:
        desk.open(1)
    if phase == "asked":
        desk.say(1, m.Hello(1, m.VERSION, "ada", {}))
    if phase == "lagging":
        desk.hub.lag(1, 0)
    if phase == "leaving":
        desk.say(1, m.Bye(1))
    desk.look()
    desk.hub.closed(1)
    desk.hub.closed(1)
    desk.tell(desk.post("#lobby"))
    desk.turn()
    assert desk.look() == ([] if phase == "greeting" else [["gone", 1, phase == "asked", 0]])
    assert not desk.hub._lagging
    assert not desk.hub._live
    assert desk.hub.figures()["connections"] == 0


def test_a_session_that_is_lost_is_told_why(ada: Desk) -> None:
    ada.broker(["lost", 1, Code.NAME_TAKEN, "Ada is taken"])
    error, goodbye = ada.heard(1)
    assert codes([error]) == [(None, Code.NAME_TAKEN)]
    assert goodbye == m.Goodbye(Reason.ERROR, "Ada is taken")
    assert ada.hub.take_closing() == [1]


# --- silence -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reads", [True, False])
def test_one_who_never_says_hello_is_sent_away_whatever_else_it_says(desk: Desk, reads: bool) -> None:
    session = desk.open(1)
    session.blocked = not reads
    while desk.now < 100.0 + LIMITS.login_seconds - 1:
        desk.now += 1
        assert desk.say(1, m.Ping(1)) == ([m.Pong(1)] if reads else [])
    desk.now += 1
    desk.turn()
    error, goodbye = desk.heard(1)
    assert codes([error]) == [(None, Code.LOGIN_TIMEOUT)]
    assert isinstance(goodbye, m.Goodbye)


def test_one_who_may_not_even_begin_is_told_why_and_not_heard(desk: Desk) -> None:
    session = desk.open(1)
    desk.hub.turn_away(session, Refused(Code.TLS_REQUIRED))
    desk.turn()
    error, goodbye = desk.heard(1)
    assert codes([error]) == [(None, Code.TLS_REQUIRED)]
    assert isinstance(goodbye, m.Goodbye)
    assert not desk.hub.wants_input(session)


@pytest.mark.parametrize("by_the_broker", [True, False])
def test_after_a_refusal_there_is_as_much_time_for_another_hello(desk: Desk, by_the_broker: bool) -> None:
    desk.open(1)
    desk.now += LIMITS.login_seconds - 1
    if by_the_broker:
        desk.say(1, m.Hello(1, m.VERSION, "ada", {}))
        desk.now += 3 * LIMITS.login_seconds
        desk.turn()
        assert desk.heard(1) == [], "it waits for the broker, and not we for it"
        desk.broker(["refused", 1, 1, Code.NAME_TAKEN, "taken"], answered=0)
        assert codes(desk.heard(1)) == [(1, Code.NAME_TAKEN)]
    else:
        assert codes(desk.say(1, m.Hello(1, m.VERSION, "ada", {"token": "made up"}))) == [(1, Code.BAD_TOKEN)]
    for _ in range(LIMITS.login_seconds - 1):
        desk.now += 1
        assert desk.say(1, m.Ping(1)) == [m.Pong(1)]
    desk.now += 1
    desk.turn()
    error, goodbye = desk.heard(1)
    assert codes([error]) == [(None, Code.LOGIN_TIMEOUT)]
    assert isinstance(goodbye, m.Goodbye)


def test_a_silent_client_is_asked_and_then_sent_away(ada: Desk) -> None:
    ada.now += LIMITS.idle_seconds
    ada.turn()
    assert ada.heard(1) == [m.Ping(0)]
    ada.now += 2
    ada.turn()
    assert ada.heard(1) == [], "it is asked once"
    ada.say(1, m.Pong(0))
    ada.now += LIMITS.idle_seconds
    ada.turn()
    assert ada.heard(1) == [m.Ping(0)]
    ada.now += LIMITS.idle_seconds
    ada.turn()
    assert [reply.reason for reply in ada.heard(1) if isinstance(reply, m.Goodbye)] == [Reason.IDLE]


def test_one_who_does_not_read_is_not_asked(ada: Desk) -> None:
    ada.hub._sessions[1].blocked = True
    ada.now += 10 * LIMITS.idle_seconds
    ada.turn()
    assert ada.heard(1) == []


@pytest.mark.parametrize("why", ["does not read", "waits for answers"])
def test_one_who_could_not_be_heard_has_time_to_answer(ada: Desk, why: str) -> None:
    session = ada.hub._sessions[1]
    if why == "does not read":
        session.blocked = True
    else:
        session.pending = LIMITS.requests_pending
    for _ in range(10):
        ada.now += LIMITS.idle_seconds
        ada.turn()
    session.blocked, session.pending = False, 0
    ada.turn()
    assert ada.heard(1) == []
    ada.now += LIMITS.idle_seconds
    ada.turn()
    assert ada.heard(1) == [m.Ping(0)]


# --- the broker comes and goes ---------------------------------------------------------------------------------------------


def test_a_new_broker_hears_who_is_here_and_what_is_not_answered(ada: Desk) -> None:
    ada.welcome(2, BOB, "bob", "#Dev")
    ada.open(3)
    ada.say(3, m.Hello(1, m.VERSION, "cyd", {}))
    ada.say(1, m.Join(5, "#dev", {}))
    ada.say(2, m.Bye(6))
    ada.hub.broker_lost()
    ada.say(1, m.Part(6, "#dev", {}))
    ada.asked.clear()
    ada.turn()
    assert ada.asked == []
    ada.hub.broker_came()
    ada.turn()
    intro, requests = ada.asked
    assert intro == ["intro", [[1, ADA, "ada", ["#lobby"]]], False]
    assert requests[:2] == ["requests", ada.answered + 1]
    assert [item[:2] for item in requests[2]] == [["hello", 3], ["join", 1], ["part", 1]]


@pytest.mark.parametrize(
    ("sessions", "parts"),
    [
        (0, [(0, False)]),
        (INTRODUCED_AT_ONCE, [(INTRODUCED_AT_ONCE, False)]),
        (INTRODUCED_AT_ONCE + 1, [(INTRODUCED_AT_ONCE, True), (1, False)]),
    ],
)
def test_an_introduction_comes_in_parts(desk: Desk, sessions: int, parts: list[tuple[int, bool]]) -> None:
    for sid in range(sessions):
        session = desk.open(sid)
        session.phase = Phase.LIVE
    desk.broker(["introduce"])
    assert [(len(introduced), more) for _, introduced, more in desk.asked] == parts


def test_what_was_committed_meanwhile_comes_from_the_log(ada: Desk) -> None:
    ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], {}]])
    ada.tell(ada.post("#lobby", "before"))
    for text in ("one", "two"):
        ada.post("#dev", text)
    ada.post("#elsewhere", "no")
    ada.post(direct(ADA, BOB), "psst")
    last = ada.post("#lobby", "three")
    ada.broker(["snapshot", ada.log.uuid, ada.log.key], room_item(last), position=last.id)
    assert texts(ada.heard(1)) == ["before", "one", "two", "psst", "three"]
    ada.tell(ada.post("#lobby", "live"))
    assert texts(ada.heard(1)) == ["live"]


def test_a_snapshot_tells_the_reader_which_log_it_is(ada: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    expected: list[Any] = []
    monkeypatch.setattr(ada.log, "expect", lambda *which: expected.append(which))
    ada.broker(["snapshot", "another", ada.log.key], position=7)
    assert expected == [("another", 7)]


def test_a_log_that_cannot_be_opened_at_once_is_noted(ada: Desk) -> None:
    ada.hub.take_notices()
    ada.log.broken = True
    ada.broker(["snapshot", ada.log.uuid, ada.log.key])
    assert ada.hub.take_notices() == ["the log cannot be read: no such file"]
    ada.tell(ada.post("#lobby", "live all the same"))
    assert texts(ada.heard(1)) == ["live all the same"]


def test_a_snapshot_without_news_changes_nothing(ada: Desk) -> None:
    ada.hub.broker_said([ada.position, ada.answered, [["snapshot", ada.log.uuid, ada.log.key]]], ada.now, ada.now_ms)
    assert ada.hub._sessions[1].phase is Phase.LIVE


def test_figures(ada: Desk) -> None:
    ada.tell(*(ada.post("#lobby") for _ in range(3)))
    ada.welcome(2, BOB, "bob")
    ada.hub.lag(2, 1)
    ada.say_bytes(1, b"")
    ada.log.broken = True
    ada.hub.lag(1, 2)
    ada.say(1, m.Join(5, "#dev", {}))
    assert ada.hub.figures() == {"connections": 2, "position": 3, "lagging": 1, "slowest_behind": 1, "unanswered": 1}


# --- the end -------------------------------------------------------------------------------------------------------------


def is_drained(desk: Desk) -> bool:
    return desk.hub.drained


def test_before_the_end_everything_is_answered_and_then_everybody_is_told(ada: Desk) -> None:
    ada.welcome(2, BOB, "bob")
    ada.hub.lag(2, 0)
    ada.open(3)
    assert not is_drained(ada)
    ada.say(1, m.Join(5, "#dev", {}))
    ada.hub.drain()
    assert not is_drained(ada)
    assert not ada.hub.wants_input(ada.hub._sessions[1])
    ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], {}]], answered=ada.answered + 1)
    assert is_drained(ada)
    page = ["page", 1, 6, "bob", direct(ADA, BOB), None, 5]
    ada.hub.broker_said([0, ada.answered, [page]], ada.now, ada.now_ms)
    assert not is_drained(ada)
    assert ada.hub.can_go_on(ada.now)
    ada.turn()
    assert is_drained(ada)
    ada.hub.farewell()
    ada.turn()
    for sid in (1, 2, 3):
        assert [reply.reason for reply in ada.heard(sid) if isinstance(reply, m.Goodbye)] == [Reason.SHUTDOWN]
    assert sorted(ada.hub.take_closing()) == [1, 2, 3]


# --- everything once, in order, to whom it belongs -------------------------------------------------------------------------

CONVS = ["#lobby", "#a", "#b"]
PEOPLE = {1: ADA, 2: BOB}
SMALL = Limits(backlog_bytes=400, text_bytes=200)


class Socket:
    """A client's connection: takes so many bytes, and then none until it is read from."""

    def __init__(self) -> None:
        self.room = 0
        self.unsent = b""
        self.taken = bytearray()
        self.told = 0
        """Everything up to this id was sent, or is left to the log."""

    def send(self, data: bytes) -> int:
        count = min(self.room, len(data))
        self.room -= count
        self.taken += data[:count]
        return count


class Reading(RuleBasedStateMachine):
    """Two people in rooms, who read at any speed and lose their connections, against a plain account of what is theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(SMALL)
        self.items: list[Item] = []
        """What the broker will say next."""
        self.next_sid = 0
        self.sids: dict[int, int] = {}
        """The session that each person has now."""
        self.sockets: dict[int, Socket] = {}
        self.rooms: dict[int, set[str]] = {person: {"#lobby"} for person in PEOPLE}
        self.own: dict[int, list[int]] = {person: [] for person in PEOPLE}
        """The ids that each person is to get."""
        self.seen: dict[int, list[int]] = {person: [] for person in PEOPLE}
        """What they got over the connections before this one."""
        for person in PEOPLE:
            self.connect(person, None)

    def connect(self, person: int, after: int | None) -> None:
        self.next_sid += 1
        sid = self.sids[person] = self.next_sid
        self.sockets[sid] = Socket()
        self.desk.identity = PEOPLE[person]
        session = self.desk.open(sid)
        hello = m.Hello(1, m.VERSION, "x", {} if after is None else {"after": after})
        self.desk.hub.received(session, m.encode(hello), self.desk.now, self.desk.now_ms)
        joined = [[conv, conv, 1, [], {}] for conv in sorted(self.rooms[person])]
        self.items.append(["welcome", sid, 1, "x", self.desk.log.last, joined, {}])

    @initialize(looks_through=st.sampled_from([3, sys.maxsize]))
    def begin(self, looks_through: int) -> None:
        self.desk.log.looks_through = looks_through

    @rule(conv=st.sampled_from(CONVS), size=st.sampled_from([1, 50, 150]))
    def message(self, conv: str, size: int) -> None:
        entry = self.desk.post(conv, "x" * size)
        self.items.append(room_item(entry))
        for person in PEOPLE:
            if conv in self.rooms[person]:
                self.own[person].append(entry.id)

    @rule(person=st.sampled_from([*PEOPLE]))
    def direct_message(self, person: int) -> None:
        entry = self.desk.post(direct(PEOPLE[person], "g" + "c" * 16))
        self.items.append(["direct", [self.sids[person]], [entry.id], [m.encode(entry.as_msg())]])
        self.own[person].append(entry.id)

    @rule(person=st.sampled_from([*PEOPLE]), conv=st.sampled_from(CONVS[1:]))
    def join_or_part(self, person: int, conv: str) -> None:
        rooms, position = self.rooms[person], self.desk.log.last
        if conv in rooms:
            rooms.discard(conv)
            self.items.append(["parted", self.sids[person], 5, position, conv, conv])
        else:
            rooms.add(conv)
            self.items.append(["joined", self.sids[person], 5, position, [conv, conv, 1, [], {}]])

    @rule()
    def presence(self) -> None:
        self.items.append(["present", "#lobby", m.encode(m.Presence("#lobby", {"count": 1}))])

    @precondition(lambda self: self.items)
    @rule()
    def broker_says(self) -> None:
        self.desk.hub.broker_said([self.desk.log.last, -1, self.items], self.desk.now, self.desk.now_ms)
        self.items = []

    @precondition(lambda self: not any(item[0] in ("welcome", "joined", "parted") for item in self.items))
    @rule()
    def broker_is_replaced(self) -> None:
        """What the last one had to say is lost; the log has it."""
        self.items = [["snapshot", self.desk.log.uuid, self.desk.log.key]]

    @rule()
    def turn(self) -> None:
        hub = self.desk.hub
        hub.tick(self.desk.now)
        for delivery in hub.end_turn():
            self.deliver(delivery)
        for delivery in hub.catch_up(self.desk.now):
            assert len(delivery.data) <= SMALL.backlog_bytes or len(delivery.parts) == 1, "more than may be kept for it"
            self.deliver(delivery)

    def deliver(self, delivery: Delivery) -> None:
        """What `workers.process` does with it."""
        for sid in delivery.sids:
            socket = self.sockets.get(sid)
            if socket is None:
                continue
            taken = 0 if socket.unsent else socket.send(delivery.data)
            if taken < len(delivery.data):
                rest, cursor = remainder(delivery, taken, SMALL.backlog_bytes - len(socket.unsent))
                socket.unsent += rest
                self.desk.hub._sessions[sid].blocked = True
                if cursor is not None:
                    socket.told = cursor
                    self.desk.hub.lag(sid, cursor)

    @rule(person=st.sampled_from([*PEOPLE]), count=st.sampled_from([1, 30, 100, 1_000]))
    def read(self, person: int, count: int) -> None:
        sid = self.sids[person]
        socket = self.sockets[sid]
        socket.room += count
        socket.unsent = socket.unsent[socket.send(socket.unsent) :]
        self.desk.hub._sessions[sid].blocked = bool(socket.unsent)

    @rule(person=st.sampled_from([*PEOPLE]))
    def lose_the_connection(self, person: int) -> None:
        """And come back at once, with the greatest id that came through."""
        sid = self.sids[person]
        self.desk.hub.closed(sid)
        self.items = [item for item in self.items if item[1] != sid or item[0] in ("room", "direct", "present")]
        seen = self.seen[person] + ids_in(self.sockets.pop(sid).taken)
        after = seen[-1] if seen else 0
        self.seen[person] = seen
        missed = [entry for entry in self.desk.log.entries if entry.id > after]
        self.own[person] = seen + [
            entry.id for entry in missed if entry.conv in self.rooms[person] or PEOPLE[person] in entry.conv.split("~")
        ]
        self.connect(person, after)

    def teardown(self) -> None:
        for _ in range(2):
            self.desk.hub.broker_said([self.desk.log.last, -1, self.items], self.desk.now, self.desk.now_ms)
            self.items = []
            for _ in range(4 * len(self.desk.log.entries) + 4):
                self.turn()
                for person in PEOPLE:
                    self.read(person, 100_000)
        for person, sid in self.sids.items():
            assert not self.sockets[sid].unsent
            assert self.seen[person] + ids_in(self.sockets[sid].taken) == self.own[person]
            assert self.desk.hub._sessions[sid].phase is Phase.LIVE


def ids_in(data: bytes | bytearray) -> list[int]:
    """The ids of the messages that arrived whole."""
    whole, at = bytearray(), 0
    while len(data) - at >= HEADER.size:
        end = at + HEADER.size + HEADER.unpack_from(data, at)[0]
        if end > len(data):
            break
        whole += data[at:end]
        at = end
    return [reply.id for reply in replies_in(bytes(whole)) if isinstance(reply, m.Msg)]


TestReading = Reading.TestCase
TestReading.settings = settings(stateful_step_count=40)


def test_those_who_catch_up_take_turns(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    """However much there is to be read for one, the others are served as well."""
    monkeypatch.setattr(hub_module, "MESSAGES_PER_TURN", 10)
    for number in range(1_000):
        desk.post("#lobby", str(number))
    desk.broker(position=1_000)
    for sid in (1, 2, 3):
        desk.open(sid)
        desk.say(sid, m.Hello(1, m.VERSION, f"n{sid}", {"after": 0}))
    items: list[Item] = [["welcome", sid, 1, f"n{sid}", 1_000, LOBBY_ALONE, {}] for sid in (1, 2, 3)]
    desk.broker(*items, answered=2)
    for served in (1, 2, 3, 1):
        assert [sid for sid in (1, 2, 3) if texts(desk.heard(sid))] == [served]
        desk.turn()


def test_a_helping_counts_for_what_finding_it_costs(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    """One who has many conversations may get nothing in a turn, and holds up nobody all the same."""
    costs = [0]
    monkeypatch.setattr(desk.log, "following", lambda after, until, *_: Following([], min(after + 10, until), costs[-1]))
    desk.broker(position=100)
    sessions = [desk.welcome(sid, after=0) for sid in (1, 2, 3)]
    for cost, served in ((hub_module.MESSAGES_PER_TURN, 1), (hub_module.MESSAGES_PER_TURN // 2, 2), (0, 3)):
        costs.append(cost)
        before = sum(session.cursor for session in sessions)
        desk.turn()
        assert sum(session.cursor for session in sessions) - before == served * 10
    while desk.hub.can_go_on(desk.now):
        desk.turn()
    assert all(session.phase is Phase.LIVE for session in sessions)


# --- limits --------------------------------------------------------------------------------------------------------------


def sends(*numbers: int) -> list[m.Request]:
    return [m.Send(number, "#lobby", "hi", {}) for number in numbers]


def test_who_sends_too_much_at_once_is_told_how_long_to_wait() -> None:
    desk = Desk(Limits(messages_per_second=2, burst_seconds=2))
    desk.welcome(1)
    refused = desk.say(1, *sends(*range(8)))
    assert [error.ref for error in refused if isinstance(error, m.Error)] == [5, 6, 7]
    assert {error[1:] for error in refused if isinstance(error, m.Error)} == {
        ("rate_limited", "too many messages at once, wait 1 s")
    }
    assert [(item[2], len(item[4])) for item in desk.look()] == [(0, 5)]
    desk.now += 1.0
    assert [error.ref for error in desk.say(1, *sends(5, 6, 7)) if isinstance(error, m.Error)] == [7]
    desk.now += 1000.0
    assert [error.ref for error in desk.say(1, *sends(*range(8))) if isinstance(error, m.Error)] == [5, 6, 7], "no more is saved"


def test_only_messages_are_limited() -> None:
    desk = Desk(Limits(messages_per_second=1, burst_seconds=1))
    desk.welcome(1)
    desk.say(1, *sends(1, 2, 3))
    assert desk.say(1, *(m.Ping(number) for number in range(50))) == [m.Pong(number) for number in range(50)]
    assert codes(desk.say(1, m.Send(5, "#lobby", "tea", {"topic": True}))) == [(5, Code.RATE_LIMITED)], "a topic is one"


def test_a_refused_hello_may_be_followed_by_another_but_not_forever() -> None:
    desk = Desk(Limits(hellos_refused=3))
    session = desk.open(1)
    for ref in range(3):
        [error] = desk.say(1, m.Hello(ref, m.VERSION, "ada", {"token": "nonsense"}))
        assert error[:2] == (ref, "bad_token")
    last = desk.say(1, m.Hello(3, m.VERSION, "ada", {}))
    assert [type(reply) for reply in last] == [m.Error, m.Goodbye]
    assert last[0][:2] == (3, "too_many_attempts")
    assert session.phase is Phase.LEAVING


def test_new_limits_hold_for_those_who_are_here() -> None:
    desk = Desk(Limits(messages_per_second=1, burst_seconds=1))
    desk.welcome(1)
    desk.hub.use_limits(Limits(messages_per_second=100, burst_seconds=1, text_bytes=1))
    assert {error[1] for error in desk.say(1, *sends(*range(50))) if isinstance(error, m.Error)} == {"too_long"}
