"""workers.hub: what a worker makes of its clients' frames and of the broker's batches, without sockets and clocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from common import messages as m
from common.codec import encode
from common.errors import Code, Reason, Refused
from common.framing import HEADER
from common.limits import FRAME_BYTES, PAGE_MESSAGES, Limits
from common.log import direct
from common.routing import INTRODUCED_AT_ONCE
from tests.support.desk import ADA, BOB, LIMITS, LOBBY_ALONE, Desk, ReadableLog, codes, room_item, texts
from tests.support.frames import replies_in
from workers import tokens
from workers.fanout import remainder
from workers.hub import Hub
from workers.session import Phase

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


# --- requests ------------------------------------------------------------------------------------------------------------


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


# --- presence --------------------------------------------------------------------------------------------------------------


def test_presence_is_told_after_a_moment(ada: Desk) -> None:
    ada.broker(["presence", "#lobby", "#lobby", ["bob"], [], 2, {}])
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
    assert introduced() == [[]]


def test_who_is_there_replaces_what_was_to_be_told(ada: Desk) -> None:
    presence = m.Presence("#lobby", {"count": 1, "members": ["ada"]})
    ada.broker(["presence", "#lobby", "#lobby", ["bob"], [], 2, {}], ["present", "#lobby", m.encode(presence)])
    ada.now += 1
    ada.turn()
    assert ada.heard(1) == [presence]


def test_what_those_before_were_not_told_yet_is_not_told_to_those_after_them(ada: Desk) -> None:
    """A room that is empty has nobody to be told that the last one left."""
    ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], {}]])
    ada.broker(["presence", "#dev", "#dev", ["ada"], [], 1, {}])
    ada.broker(["parted", 1, 6, 0, "#dev", "#dev"])
    ada.welcome(2, BOB, "bob", "#dev")
    ada.broker(["presence", "#dev", "#dev", ["bob"], [], 1, {}])
    ada.now += 1
    ada.turn()
    assert [reply.options["joined"] for reply in ada.heard(2) if isinstance(reply, m.Presence)] == [["bob"]]


@pytest.mark.parametrize("lagging", [True, False])
def test_what_is_to_be_told_of_a_room_is_told_although_somebody_else_came_in(ada: Desk, lagging: bool) -> None:
    ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], {}]], ["presence", "#dev", "#dev", ["cyd"], [], 2, {}])
    if lagging:
        ada.log.broken = True
        ada.hub.lag(1, 0)
    ada.welcome(2, BOB, "bob", "#dev")
    ada.heard(1)
    ada.now += 0.2
    ada.turn()
    assert ada.heard(1) == [m.Presence("#dev", {"count": 2, "joined": ["cyd"], "left": []})]


def test_one_who_did_not_read_asks_who_is_there_when_it_does(ada: Desk) -> None:
    session = ada.hub._sessions[1]
    ada.broker(["joined", 1, 5, 0, ["#dev", "#dev", 1, ["ada"], {}]])
    ada.heard(1)
    session.blocked = True
    ada.hub.lag(1, 0)
    for conv in ("#lobby", "#dev", "#none"):
        ada.broker(["presence", conv, conv, ["bob"], [], 2, {}])
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


def test_nobody_is_told_to_have_it_all_before_they_have(desk: Desk) -> None:
    """However little is kept of what a connection does not take, and however much is to be said behind the messages."""
    backlog = 400
    desk.hub.use_limits(replace(LIMITS, backlog_bytes=backlog))
    desk.tell(desk.post("#lobby", "one"), desk.post("#lobby", "two"))
    session = desk.open(1)
    desk.say(1, m.Hello(5, m.VERSION, "ada", {"after": 0}))
    session.blocked = True
    desk.broker(["welcome", 1, 5, "ada", 2, LOBBY_ALONE, {}], ["away", [1], "at lunch " * 30], answered=0)
    session.blocked = False
    kept = b""
    for delivery in desk.hub.catch_up(desk.now):
        rest, cursor = remainder(delivery, 0, backlog - len(kept))
        kept += rest
        if cursor is not None:
            desk.hub.lag(1, cursor)
    told = replies_in(kept)
    assert [type(reply) for reply in told] == [m.Msg, m.Msg, m.Away, m.Resumed]
    assert texts(told) == ["one", "two"]


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


def test_a_page_fits_a_frame(ada: Desk) -> None:
    for number in range(10):
        ada.tell(ada.post("#lobby", str(number) + "x" * 16_000))
    ada.heard(1)
    (page,) = ada.say(1, m.History(5, "#lobby", {}))
    assert isinstance(page, m.Page)
    assert [row[5][0] for row in page.rows] == ["6", "7", "8", "9"]
    assert page.options["more"] is True


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
    assert ada.say(1, m.Send(4, "#lobby", "last words", {}), m.History(6, "#lobby", {}), m.Bye(5)) != []
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
    assert not desk.hub._streams._lagging
    assert not desk.hub._streams._live
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
