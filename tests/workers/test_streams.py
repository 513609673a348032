"""workers.streams: who is brought what, at once or from the log, as a hub has it."""

from __future__ import annotations

import sys

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from common import messages as m
from common.errors import Code
from common.framing import HEADER
from common.limits import Limits
from common.log import direct
from common.routing import Item
from tests.support.desk import ADA, BOB, LOBBY_ALONE, Desk, room_item, texts
from tests.support.frames import replies_in
from workers import streams
from workers.fanout import Delivery, remainder
from workers.session import Phase
from workers.streams import Following

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


def test_a_snapshot_without_news_changes_nothing(ada: Desk) -> None:
    ada.hub.broker_said([ada.position, ada.answered, [["snapshot", ada.log.uuid, ada.log.key]]], ada.now, ada.now_ms)
    assert ada.hub._sessions[1].phase is Phase.LIVE


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


def test_the_people_of_a_large_room_are_told_a_few_at_a_time_and_once(desk: Desk) -> None:
    """Also those who are catching up."""
    sids = range(1, 25)
    for sid in sids:
        desk.welcome(sid, f"{ADA[:-2]}{sid:02}", f"ada{sid}")
    desk.log.broken = True
    for sid in (4, 14):
        desk.hub.lag(sid, 0)
    desk.broker(["presence", "#lobby", "#lobby", [], [], 5_000, {}])
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


# --- catching up -----------------------------------------------------------------------------------------------------------


def test_the_least_backlog_is_enough_to_catch_up() -> None:
    desk = Desk(Limits(backlog_bytes=1))
    for number in range(3):
        desk.post("#lobby", str(number))
    desk.position = 3
    desk.welcome(1, after=0)
    while desk.hub.can_go_on(desk.now):
        desk.turn()
    assert desk.hub._sessions[1].phase is Phase.LIVE


def test_those_who_catch_up_take_turns(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    """However much there is to be read for one, the others are served as well."""
    monkeypatch.setattr(streams, "MESSAGES_PER_TURN", 10)
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
    for cost, served in ((streams.MESSAGES_PER_TURN, 1), (streams.MESSAGES_PER_TURN // 2, 2), (0, 3)):
        costs.append(cost)
        before = sum(session.cursor for session in sessions)
        desk.turn()
        assert sum(session.cursor for session in sessions) - before == served * 10
    while desk.hub.can_go_on(desk.now):
        desk.turn()
    assert all(session.phase is Phase.LIVE for session in sessions)


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
