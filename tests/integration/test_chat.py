"""What a connection may do to a real server, and what it gets: limits, silence, slowness, being here twice, leaving."""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Iterator

import pytest

from common import messages as m
from common.codec import MAP_ITEMS
from common.errors import Code
from tests.support.server import Server, running_server
from tests.support.timeouts import seconds, wait_until
from tests.support.wire import Wire

SETTINGS = f"""
[limits]
login_seconds = {math.ceil(seconds(1))}
name_grace_seconds = 1
rooms_per_user = 3
text_bytes = 1000
send_buffer_bytes = 8192
backlog_bytes = 4096
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of this file; each has names and rooms of its own."""
    folder = tmp_path_factory.mktemp("chat")
    (folder / "settings.toml").write_text(SETTINGS)
    with running_server(folder / "data", "--config", str(folder / "settings.toml")) as server:
        yield server


def connect(server: Server) -> Wire:
    return Wire(server.host, server.port)


def texts(wire: Wire, count: int) -> list[str]:
    return [wire.expect(m.Msg).text for _ in range(count)]


def error(wire: Wire) -> m.Error:
    """The next reply that is not presence is an error."""
    while isinstance(reply := wire.receive(), m.Presence | m.Pong):
        pass
    assert isinstance(reply, m.Error), reply
    return reply


def test_whoever_says_no_hello_that_is_accepted_is_sent_away_whatever_else_it_says(server: Server) -> None:
    with connect(server) as silent, connect(server) as talkative, connect(server) as refused:
        talkative.send(m.Ping(1))
        refused.send(m.Hello(1, m.VERSION, "admin", {}))
        assert error(refused).code == Code.RESERVED_NAME
        for wire in (silent, talkative, refused):
            assert error(wire).code == Code.LOGIN_TIMEOUT
            goodbye = wire.receive()
            assert isinstance(goodbye, m.Goodbye)
            assert goodbye.reason == "error"
            assert wire.receive() is None


def test_limits_are_those_of_the_settings(server: Server) -> None:
    with connect(server) as ada:
        welcome = ada.hello("ada1", rooms=["#one", "#two", "#three"])
        assert welcome.options["limits"] == {"text_bytes": 1000, "topic_bytes": 1000}
        assert welcome.options["refused"] == {"#three": Code.TOO_MANY_ROOMS}
        ada.send(m.Join(2, "#four", {}), m.Send(3, "#one", "x" * 1001, {}))
        assert {(reply.ref, reply.code) for reply in (error(ada), error(ada))} == {(2, Code.TOO_MANY_ROOMS), (3, Code.TOO_LONG)}
        assert ada.say(m.make_ref(1, 1), "#one", "x" * 1000).text == "x" * 1000


def test_two_devices_are_one_person_who_gets_everything_twice(server: Server) -> None:
    with connect(server) as desk, connect(server) as phone, connect(server) as bob:
        token = desk.hello("Ada2", rooms=["#two-devices"]).options["token"]
        assert phone.hello("ADA2", rooms=["#two-devices"], token=token).name == "Ada2"
        bob.hello("bob2", rooms=["#two-devices"])
        bob.send(m.Members(5, "#two-devices", {}))
        assert bob.expect(m.MemberList).names == ["Ada2", "bob2"]
        workers = [worker["connections"] for worker in server.status()["per_worker"]]
        assert min(workers) >= 1, "they are at both workers"
        bob.say(m.make_ref(1, 1), "#two-devices", "to the room")
        bob.say(m.make_ref(1, 2), "ada2", "to Ada")
        desk.send(m.Send(m.make_ref(2, 1), "bob2", "from the desk", {}))
        for wire in (phone, desk):
            assert texts(wire, 3) == ["to the room", "to Ada", "from the desk"]


def test_a_name_is_its_owners_for_a_while_and_then_anybodys(server: Server) -> None:
    left = (Code.NAME_TAKEN, "ada3 belongs to somebody who just left: pick another name, or wait 1 s")
    with connect(server) as ada:
        token = ada.hello("ada3").options["token"]
        ada.send(m.Bye(1))
        ada.expect(m.Goodbye)
    with connect(server) as bob, connect(server) as ada:
        wait_until(lambda: refusal(bob, "ada3") == left, "ada3 has left", every=0.02)
        assert ada.hello("ada3", token=token).name == "ada3"
    with connect(server) as bob:
        wait_until(lambda: is_welcome(bob, "ada3"), "the name is free", every=0.05)


def refusal(wire: Wire, name: str) -> tuple[str, str]:
    """The code and the text with which this hello is refused."""
    wire.send(m.Hello(1, m.VERSION, name, {}))
    refused = error(wire)
    return refused.code, refused.text


def is_welcome(wire: Wire, name: str) -> bool:
    """Whether this hello is accepted."""
    wire.send(m.Hello(1, m.VERSION, name, {}))
    reply = wire.receive()
    assert isinstance(reply, m.Welcome | m.Error)
    return isinstance(reply, m.Welcome)


def test_goodbye_right_behind_messages_comes_behind_them_too(server: Server) -> None:
    with connect(server) as ada:
        ada.hello("ada4", rooms=["#hasty"])
        sends = [m.Send(m.make_ref(1, number), "#hasty", f"line {number}", {}) for number in range(50)]
        ada.send(*sends, m.Bye(1), m.Send(m.make_ref(1, 99), "#hasty", "too late", {}))
        assert texts(ada, 50) == [f"line {number}" for number in range(50)]
        assert ada.expect(m.Goodbye) == m.Goodbye("bye", "goodbye")
        assert ada.receive() is None
    with connect(server) as bob:
        bob.hello("bob4", rooms=["#hasty"])
        bob.send(m.History(1, "#hasty", {"limit": 1}))
        assert [row[5] for row in bob.expect(m.Page).rows] == ["line 49"]


def test_goodbye_right_behind_hello_comes_when_all_that_was_missed_is_told(server: Server) -> None:
    with connect(server) as bob:
        bob.hello("bob5", rooms=["#missed"])
        bob.send(*(m.Send(m.make_ref(1, number), "#missed", f"{number} " + "x" * 200, {}) for number in range(500)))
        first, *_ = [bob.expect(m.Msg) for _ in range(500)]
    with connect(server) as ada:
        ada.send(m.Hello(1, m.VERSION, "ada5", {"rooms": ["#missed"], "after": first.id - 1}), m.Bye(2))
        for _ in range(3):
            assert isinstance(ada.receive(), m.Welcome | m.Joined)
        assert [text.split()[0] for text in texts(ada, 500)] == [str(number) for number in range(500)]
        ada.expect(m.Resumed)
        ada.expect(m.Goodbye)


def test_one_who_does_not_read_holds_up_nobody_and_misses_nothing(server: Server) -> None:
    lines = [f"{number} " + "x" * 900 for number in range(200)]
    with connect(server) as bob, connect(server) as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.hello("slow6", rooms=["#flood"])
        bob.hello("bob6", rooms=["#flood"])
        bob.send(*(m.Send(m.make_ref(1, number), "#flood", line, {}) for number, line in enumerate(lines)))
        assert texts(bob, len(lines)) == lines
        wait_until(lambda: sorted(worker["lagging"] for worker in server.status()["per_worker"]) == [0, 1], "it is behind")
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024 * 1024)
        slow.send(m.Send(m.make_ref(2, 1), "#flood", "are you done?", {}))
        heard = [slow.expect(m.Msg) for _ in range(len(lines) + 1)]
        assert [message.text for message in heard] == [*lines, "are you done?"]
        assert [message.id for message in heard] == sorted({message.id for message in heard})


def test_connections_that_are_reset_at_the_worst_moment_end_no_worker(server: Server) -> None:
    """The goodbye that their error earns them finds a socket that is no more."""
    pids = server.children()
    for _ in range(100):
        wire = connect(server)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.send_bytes(b"\0\0\0\1\xc1")
        wire.close()
    with connect(server) as ada, connect(server) as bob:
        for wire, name in ((ada, "ada7"), (bob, "bob7")):
            wire.hello(name)
        ada.say(m.make_ref(1, 1), "bob7", "still here?")
        assert texts(bob, 1) == ["still here?"]
    assert server.children() == pids


def test_nothing_is_nobodys_name(server: Server) -> None:
    """Not even after somebody was written to of whom the log knows no name."""
    with connect(server) as ada, connect(server) as bob:
        ada.hello("ada8")
        bob.hello("bob8")
        ada.say(m.make_ref(1, 1), "bob8", "psst")
        ada.send(m.Send(m.make_ref(1, 2), "", "to whom?", {}), m.History(3, "", {}))
        assert [error(ada).code, error(ada).code] == [Code.NO_SUCH_USER] * 2
        assert bob.expect(m.Msg).text == "psst"
        bob.send(m.Ping(1))
        while not isinstance(reply := bob.receive(), m.Pong):
            assert isinstance(reply, m.Presence), reply


def test_whatever_is_asked_the_answer_fits_a_frame(server: Server) -> None:
    rooms = ["#" + "x" * 40_000, *(f"bad room {number}" for number in range(250))]
    with connect(server) as ada:
        ada.send(m.Hello(1, m.VERSION, "ada9", {"rooms": rooms}))
        assert len(ada.expect(m.Welcome).options["refused"]) == MAP_ITEMS
        ada.send(m.History(2, "#lobby", {"conv": "c" * 65_400}), m.Members(3, "#lobby", {"after": "x" * 65_000}))
        ada.expect(m.Joined)
        assert error(ada).code == Code.NO_SUCH_CONVERSATION
        assert ada.expect(m.MemberList).names == []
