"""workers.asking: what the broker is asked for a client, what it is not, and how much at a time, as a hub has it."""

from __future__ import annotations

import pytest

from common import messages as m
from common.errors import Code
from common.limits import MEMBERS_SHOWN, PAGE_MESSAGES, ROOM_CHARS, ROOMS_SHOWN, Limits
from common.log import direct
from common.routing import Item
from tests.support.desk import ADA, BOB, LIMITS, Desk, codes

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


def test_a_topic_does_not_go_together_with_messages() -> None:
    desk = Desk(Limits())
    desk.welcome(1)
    options = [{}, {"topic": True}, {"topic": True}, {}, {}]
    desk.say(1, *(m.Send(m.make_ref(1, number), "#dev", "tea", more) for number, more in enumerate(options)))
    assert [(item[0], len(item[4])) for item in desk.look()] == [("send", 1), ("topic", 1), ("topic", 1), ("send", 2)]
    assert desk.hub.awaits_messages


def test_one_request_alone_is_not_waited_for() -> None:
    desk = Desk(Limits())
    desk.welcome(1)
    for number, waited_for in enumerate((False, True)):
        desk.say(1, m.Send(m.make_ref(1, number), f"#dev{number}", "tea", {}))
        desk.look()
        assert desk.hub.awaits_messages is waited_for


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


def test_a_page_of_a_person_is_asked_of_the_broker(ada: Desk) -> None:
    ada.tell(ada.post(direct(ADA, BOB), "psst"), sids=[])
    ada.say(1, m.History(5, "bob", {}))
    assert ada.look() == [["find", 1, 5, "bob", None, PAGE_MESSAGES]]
    ada.broker(["page", 1, 5, "bob", direct(ADA, BOB), None, 10], answered=ada.answered + 1)
    (page,) = ada.heard(1)
    assert isinstance(page, m.Page)
    assert [row[5] for row in page.rows] == ["psst"]
    assert ada.hub._sessions[1].pending == 0


# --- how much --------------------------------------------------------------------------------------------------------------


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


def test_being_away_is_said_no_faster_than_messages(ada: Desk) -> None:
    limits = Limits(messages_per_second=1, burst_seconds=1)
    ada.hub.use_limits(limits)
    assert codes(ada.say(1, *(m.Away(number, "lunch", {}) for number in range(5, 9)))) == [
        (7, Code.RATE_LIMITED),
        (8, Code.RATE_LIMITED),
    ]


def test_new_limits_hold_for_those_who_are_here() -> None:
    desk = Desk(Limits(messages_per_second=1, burst_seconds=1))
    desk.welcome(1)
    desk.hub.use_limits(Limits(messages_per_second=100, burst_seconds=1, text_bytes=1))
    assert {error[1] for error in desk.say(1, *sends(*range(50))) if isinstance(error, m.Error)} == {"too_long"}
