"""A real server, and connections that speak the protocol to it: rooms, conversations of two, coming back, earlier messages."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest

from common import messages as m
from common.errors import Code
from common.limits import PAGE_MESSAGES
from tests.support.server import Server, running_server
from tests.support.wire import Wire


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of this file; each has names and rooms of its own."""
    with running_server(tmp_path_factory.mktemp("talking") / "data") as server:
        yield server


_NUMBERS = itertools.count(1)


@pytest.fixture
def fresh() -> str:
    """A word that no other test uses, for names and rooms."""
    return f"x{next(_NUMBERS)}"


class People:
    """Opens connections, and closes them at the end of the test."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.wires: list[Wire] = []

    def connect(self) -> Wire:
        self.wires.append(Wire(self.server.host, self.server.port))
        return self.wires[-1]

    def come(self, name: str, *rooms: str) -> Wire:
        wire = self.connect()
        wire.hello(name, rooms=list(rooms))
        return wire


@pytest.fixture
def people(server: Server) -> Iterator[People]:
    people = People(server)
    yield people
    for wire in people.wires:
        wire.close()


def texts(wire: Wire, count: int) -> list[str]:
    return [wire.expect(m.Msg).text for _ in range(count)]


def refused(wire: Wire, request: m.Request) -> str:
    """The code with which this request, and it alone, is refused."""
    wire.send(request)
    while not isinstance(reply := wire.receive(), m.Error):
        assert isinstance(reply, m.Presence | m.Msg), reply
    assert reply.ref == request.ref
    assert reply.text
    return reply.code


def test_welcome_tells_what_a_client_has_to_know(people: People, fresh: str) -> None:
    wire = people.connect()
    wire.send(m.Hello(7, m.VERSION, fresh, {"rooms": [f"#{fresh}", "no room"]}))
    welcome = wire.expect(m.Welcome)
    assert (welcome.ref, welcome.name) == (7, fresh)
    assert set(welcome.options) == {"from", "last", "log", "token", "server", "limits", "refused"}
    assert re.fullmatch(r"chat-broker \d+\.\d+\.\d+", welcome.options["server"])
    assert welcome.options["refused"] == {"no room": Code.BAD_ROOM}
    joined = [wire.expect(m.Joined) for _ in range(2)]
    assert [(reply.ref, reply.room) for reply in joined] == [(7, m.LOBBY), (7, f"#{fresh}")]
    assert joined[1].options["members"] == [fresh]
    assert joined[1].options["count"] == 1


def test_a_room_hears_what_is_said_in_it_and_nobody_else_does(people: People, fresh: str) -> None:
    room = f"#{fresh}"
    ada, bob, eve = people.come("ada" + fresh, room), people.come("bob" + fresh, room), people.come("eve" + fresh)
    said = ada.say(m.make_ref(1, 1), room, "hello, room")
    heard = bob.expect(m.Msg)
    assert heard == said
    assert (heard.to, heard.sender, heard.text) == (room, "ada" + fresh, "hello, room")
    assert refused(eve, m.Send(m.make_ref(1, 1), room, "let me in", {})) == Code.NOT_IN_ROOM
    eve.send(m.Ping(9))
    assert isinstance(eve.expect(m.Pong), m.Pong)  # and no message before it


def test_a_direct_message_is_seen_at_both_ends_and_files_under_one_conversation(people: People, fresh: str) -> None:
    ada, bob, eve = (people.come(name + fresh) for name in ("ada", "bob", "eve"))
    said = ada.say(m.make_ref(1, 1), "bob" + fresh, "psst")
    assert bob.expect(m.Msg) == said
    answer = bob.say(m.make_ref(2, 1), "ada" + fresh, "yes?", conv=said.options["conv"])
    assert ada.expect(m.Msg) == answer
    assert answer.options["conv"] == said.options["conv"]
    assert refused(eve, m.History(3, "bob" + fresh, {"conv": said.options["conv"]})) == Code.NO_SUCH_CONVERSATION
    assert refused(ada, m.Send(m.make_ref(1, 2), "nobody" + fresh, "hello?", {})) == Code.NO_SUCH_USER


def test_a_taken_name_is_refused_and_another_works_on_the_same_connection(people: People, fresh: str) -> None:
    people.come("ada" + fresh)
    wire = people.connect()
    for name in ("ada" + fresh, "ADA" + fresh.upper()):
        assert refused(wire, m.Hello(1, m.VERSION, name, {})) == Code.NAME_TAKEN
    assert refused(wire, m.Hello(2, m.VERSION, "admin", {})) == Code.RESERVED_NAME
    assert refused(wire, m.Hello(3, m.VERSION, "a b", {})) == Code.BAD_NAME
    assert wire.hello("bob" + fresh).name == "bob" + fresh
    assert refused(wire, m.Hello(4, m.VERSION, "bob" + fresh, {})) == Code.ALREADY_LOGGED_IN


def test_coming_back_brings_what_was_missed_in_order_and_once(people: People, fresh: str) -> None:
    room = f"#{fresh}"
    ada, bob = people.connect(), people.come("bob" + fresh, room)
    welcome = ada.hello("ada" + fresh, rooms=[room])
    cursor = ada.say(m.make_ref(1, 1), room, "going").id
    ada.close()
    for number in range(3):
        bob.say(m.make_ref(2, 2 * number + 1), room, f"room {number}")
        bob.say(m.make_ref(2, 2 * number + 2), "ada" + fresh, f"direct {number}")
    back = people.connect()
    again = back.hello("ada" + fresh, rooms=[room], after=cursor, log=welcome.options["log"], token=welcome.options["token"])
    assert again.options["from"] == welcome.options["from"]
    missed = [back.expect(m.Msg) for _ in range(6)]
    assert [msg.text for msg in missed] == [f"{where} {number}" for number in range(3) for where in ("room", "direct")]
    assert cursor < missed[0].id
    assert [msg.id for msg in missed] == sorted({msg.id for msg in missed})
    assert back.expect(m.Resumed).id >= missed[-1].id
    assert back.say(m.make_ref(1, 2), room, "back").id > missed[-1].id


def test_a_cursor_that_cannot_be_and_a_token_that_never_was(people: People, fresh: str) -> None:
    wire = people.connect()
    last = wire.hello("ada" + fresh).options["last"]
    other = people.connect()
    assert refused(other, m.Hello(1, m.VERSION, "bob" + fresh, {"after": last + 1000})) == Code.BAD_RESUME
    assert refused(other, m.Hello(2, m.VERSION, "bob" + fresh, {"after": 0, "log": "another"})) == Code.BAD_RESUME
    assert refused(other, m.Hello(3, m.VERSION, "bob" + fresh, {"token": "made up"})) == Code.BAD_TOKEN
    assert other.hello("bob" + fresh).name == "bob" + fresh


def test_a_repeat_is_answered_by_the_first_and_said_once(people: People, fresh: str) -> None:
    room = f"#{fresh}"
    ada, bob = people.come("ada" + fresh, room), people.come("bob" + fresh, room)
    first = ada.say(m.make_ref(1, 1), room, "once")
    again = ada.say(m.make_ref(1, 1), room, "once")
    assert again.options == {**first.options, "again": True}
    assert again[:6] == first[:6]
    assert refused(ada, m.Send(m.make_ref(1, 1), room, "twice", {})) == Code.ID_REUSED
    ada.say(m.make_ref(1, 2), room, "done")
    assert texts(bob, 2) == ["once", "done"]


def test_what_follows_a_refused_message_waits_for_it(people: People, fresh: str) -> None:
    room = f"#{fresh}"
    ada = people.come("ada" + fresh, room)
    assert refused(ada, m.Send(m.make_ref(1, 1), "#elsewhere", "one", {})) == Code.NOT_IN_ROOM
    assert refused(ada, m.Send(m.make_ref(1, 2), room, "two", {"prev": 1})) == Code.OUT_OF_ORDER
    ada.say(m.make_ref(1, 1), room, "one")
    assert ada.say(m.make_ref(1, 2), room, "two", prev=1).text == "two"


def test_earlier_messages_come_in_pages(people: People, fresh: str) -> None:
    room = f"#{fresh}"
    ada = people.come("ada" + fresh, room)
    count = PAGE_MESSAGES + 30
    ada.send(*(m.Send(m.make_ref(1, number), room, f"line {number}", {}) for number in range(1, count + 1)))
    assert texts(ada, count) == [f"line {number}" for number in range(1, count + 1)]
    ada.send(m.History(1, room, {"limit": 10_000}))
    newest = ada.expect(m.Page)
    assert len(newest.rows) == PAGE_MESSAGES
    assert newest.options["more"] is True
    ada.send(m.History(2, room, {"before": newest.rows[0][0]}))
    older = ada.expect(m.Page)
    assert older.options["more"] is False
    assert [row[5] for row in older.rows + newest.rows] == [f"line {number}" for number in range(1, count + 1)]
    outsider = people.come("bob" + fresh)
    outsider.send(m.History(3, room, {"limit": 1}))
    assert [row[5] for row in outsider.expect(m.Page).rows] == [f"line {count}"]


def test_who_comes_and_goes_is_told(people: People, fresh: str) -> None:
    room = f"#{fresh}"
    ada = people.come("ada" + fresh, room)
    bob = people.come("bob" + fresh)
    bob.send(m.Join(1, room, {}))
    joined = bob.expect(m.Joined)
    assert sorted(joined.options["members"]) == ["ada" + fresh, "bob" + fresh]

    def count_when(key: str, name: str) -> int:
        """How many were in the room when this name stood among those who joined, or left."""
        while (presence := ada.expect(m.Presence)).room != room or name not in presence.options.get(key, ()):
            pass
        count: int = presence.options["count"]
        return count

    assert count_when("joined", "bob" + fresh) == 2
    bob.send(m.Part(2, room, {}))
    assert bob.expect(m.Parted) == m.Parted(2, room)
    assert count_when("left", "bob" + fresh) == 1
    ada.send(m.Members(3, room, {}), m.Rooms(4, {}))
    assert ada.expect(m.MemberList).names == ["ada" + fresh]
    assert [room, 1] in ada.expect(m.RoomList).rooms


def test_goodbye_is_answered_and_the_connection_closed(people: People, fresh: str) -> None:
    wire = people.come("ada" + fresh)
    wire.send(m.Bye(5))
    assert wire.expect(m.Goodbye).reason == "bye"
    assert wire.receive() is None
