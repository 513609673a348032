"""One input after the other that means no good, to one server. Nobody else notices any of them, see `tests.support.oracle`."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgpack
import pytest

from common import messages as m
from common.errors import MEANINGS, Code
from common.framing import HEADER, frame
from common.limits import FRAME_BYTES, Limits
from tests.faults.broken import broken
from tests.support.oracle import Oracle
from tests.support.server import Server, running_server
from tests.support.wire import Wire

Deed: TypeAlias = Callable[["Stranger"], None]
LIMITS = {"messages_per_second": 500, "burst_seconds": 4, "members_per_room": 5}
_NUMBERS = itertools.count(1)
ACTING = ("\x1b]0;pwn\x07", "\x1b[2J", "\x9b31m", "a\0b\x85c\u2028d\r\ne\rf", "\u202eabc")
"""Texts that would act on a terminal, or on the order of what stands there."""
ACTS = "\x1b\x07\x9b\0\x85\u2028\r\u202e"
"""What does so in them."""


class Stranger:
    """Who does something, and what comes of it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.stack = contextlib.ExitStack()
        self.wire = self.connect()

    def connect(self) -> Wire:
        return self.stack.enter_context(Wire(self.server.host, self.server.port))

    def guest(self, **options: Any) -> Wire:
        """The connection, welcomed."""
        self.wire.hello(f"guest{next(_NUMBERS)}", **options)
        return self.wire

    def codes(self) -> list[str]:
        """All errors that come until the server says goodbye: it is asked for that now, or does so after an error that closes."""
        codes: list[str] = []
        with contextlib.suppress(ConnectionError):
            self.wire.send(m.Bye(0))
        while not isinstance(reply := self.wire.receive(), m.Goodbye):
            assert reply is not None, "the server closed without a word"
            if isinstance(reply, m.Error):
                assert reply.text
                codes.append(reply.code)
        closed = bool(codes) and MEANINGS[Code(codes[-1])].closes
        assert reply.reason == ("error" if closed else "bye")
        assert self.wire.receive() is None
        return codes

    def says(self, *bodies: bytes, guest: bool = True) -> list[str]:
        if guest:
            self.guest()
        self.wire.send_bytes(b"".join(map(frame, bodies)))
        return self.codes()

    def asks(self, *values: Any) -> list[str]:
        return self.says(*(msgpack.packb(value) for value in values))


DEEDS: dict[str, Deed] = {}


def deed(act: Deed) -> Deed:
    DEEDS[act.__name__] = act
    return act


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("hostile") / "data", limits=LIMITS) as server:
        yield server


# --- bytes ---------------------------------------------------------------------------------------------------------------


@deed
def nothing_and_half_an_end(stranger: Stranger) -> None:
    stranger.wire.socket.shutdown(socket.SHUT_WR)
    assert stranger.wire.receive() is None


@deed
def a_frame_over_the_limit(stranger: Stranger) -> None:
    stranger.guest().send_bytes(HEADER.pack(FRAME_BYTES + 1))
    assert stranger.codes() == ["frame_too_large"]


@deed
def an_empty_frame(stranger: Stranger) -> None:
    assert stranger.says(b"") == ["empty_frame"]


@deed
def a_message_a_byte_at_a_time(stranger: Stranger) -> None:
    wire = stranger.guest()
    for byte in m.encode(m.Send(m.make_ref(1, 1), m.LOBBY, "slow", {})):
        wire.send_bytes(bytes([byte]))
        time.sleep(0.003)
    assert stranger.codes() == []


@deed
def ten_thousand_requests_in_one_piece(stranger: Stranger) -> None:
    wire = stranger.guest()
    wire.send_bytes(b"".join(m.encode(m.Ping(number)) for number in range(10_000)))
    for number in range(10_000):
        assert wire.expect(m.Pong).ref == number


@deed
def ten_thousand_messages_in_one_piece(stranger: Stranger) -> None:
    wire = stranger.guest(rooms=["#flood"])
    sends = b"".join(m.encode(m.Send(m.make_ref(1, number), "#flood", "x", {})) for number in range(10_000))
    sent = 0
    answered: list[int] = []
    wire.socket.setblocking(False)
    while len(answered) < 10_000:
        with contextlib.suppress(BlockingIOError):
            sent += wire.socket.send(sends[sent : sent + 65536])
        with contextlib.suppress(BlockingIOError):
            while (reply := wire.receive()) is not None:
                if isinstance(reply, m.Error):
                    assert reply.code == "rate_limited"
                if isinstance(reply, m.Error | m.Msg):
                    assert reply.ref is not None
                    answered.append(reply.ref)
        time.sleep(0.001)
    assert sorted(answered) == [m.make_ref(1, number) for number in range(10_000)]


@deed
def what_msgpack_never_uses(stranger: Stranger) -> None:
    assert stranger.says(b"\xc1") == ["bad_encoding"]


@deed
def arrays_of_a_million_in_each_other(stranger: Stranger) -> None:
    assert stranger.says(b"\xdd\x00\x0f\x42\x40" * 1000) == ["bad_encoding"]


@deed
def a_thousand_arrays_deep(stranger: Stranger) -> None:
    assert stranger.says(b"\x91" * 1000 + b"\xc0") == ["bad_message"]


@deed
def many_connections_of_noise(stranger: Stranger) -> None:
    rng = random.Random(7)
    for _ in range(60):
        with contextlib.suppress(ConnectionError):
            stranger.connect().send_bytes(rng.randbytes(65536))


@deed
def many_connections_that_say_nothing(stranger: Stranger) -> None:
    for _ in range(300):
        stranger.connect()


@deed
def many_connections_that_are_reset(stranger: Stranger) -> None:
    for _ in range(100):
        wire = stranger.connect()
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.send_bytes(m.encode(m.Hello(1, m.VERSION, "reset", {}))[:20])
        wire.close()


# --- messages ------------------------------------------------------------------------------------------------------------


@deed
def a_key_twice(stranger: Stranger) -> None:
    assert stranger.says(b"\x94\xa4join\x01\xa2#x\x82\xa1a\x01\xa1a\x02") == ["bad_message"]


@deed
def keys_that_are_no_strings(stranger: Stranger) -> None:
    assert stranger.asks(["join", 1, "#x", {5: 1}], ["join", 1, "#x", {None: 1}]) == ["bad_message"] * 2


@deed
def refs_that_are_none(stranger: Stranger) -> None:
    refs = [-1, 1.0, float("nan"), True, "7", None, [], {}]
    assert stranger.asks(*(["send", ref, m.LOBBY, "x", {}] for ref in refs)) == ["bad_message"] * len(refs)


@deed
def the_greatest_ref(stranger: Stranger) -> None:
    assert stranger.asks(["send", 2**64 - 1, m.LOBBY, "x", {}], ["send", 2**64 - 1, m.LOBBY, "y", {}]) == ["id_reused"]


@deed
def what_there_is_not(stranger: Stranger) -> None:
    assert stranger.asks(["admin_kick", 1, "x"], ["ping", 1, {"more": 1}], ["rooms", 1, {"new": 1}]) == [
        "unknown_type",
        "bad_message",
    ]


@deed
def out_of_turn(stranger: Stranger) -> None:
    stranger.wire.send(m.Send(1, m.LOBBY, "x", {}), m.Hello(2, m.VERSION, "first", {}), m.Hello(3, m.VERSION, "second", {}))
    assert stranger.codes() == ["not_logged_in", "already_logged_in"]


@deed
def texts_of_all_lengths(stranger: Stranger) -> None:
    emoji, most = "\U0001f600", Limits().text_bytes // 4
    texts = [emoji * most, emoji * (most + 1), "x" * (4 * most + 1), "", " \n\t", "\u200b"]
    sends = [["send", number, m.LOBBY, text, {}] for number, text in enumerate(texts)]
    assert sorted(stranger.asks(*sends)) == ["empty_text"] * 3 + ["too_long"] * 2


@deed
def texts_that_would_act(stranger: Stranger) -> None:
    wire = stranger.guest()
    for number, text in enumerate(ACTING):
        heard = wire.say(m.make_ref(5, number), m.LOBBY, text + "!")
        assert not any(sign in heard.text for sign in ACTS)


@deed
def topics_that_would_act(stranger: Stranger) -> None:
    wire = stranger.guest(rooms=["#acting"])
    for number, text in enumerate(ACTING):
        heard = wire.say(m.make_ref(5, number), "#acting", text + "!", topic=True)
        assert not any(sign in heard.text for sign in ACTS + "\n")
        wire.send(m.Join(1, "#acting", {}))
        assert wire.expect(m.Joined).options["topic"] == heard.text


@deed
def topics_that_are_none(stranger: Stranger) -> None:
    most, topic = Limits().topic_bytes, {"topic": True}
    junk: list[Any] = [1, "x", None, [], {}]
    asked: list[Any] = [["send", number, m.LOBBY, "x", {"topic": wrong}] for number, wrong in enumerate(junk)]
    asked += [["send", 10, m.LOBBY, "x" * (most + 1), topic], ["send", 11, m.LOBBY, "x" * 60_000, topic]]
    asked += [["send", 12, m.LOBBY, "\u200b\n", topic], ["send", 13, "nobody", "x", topic], ["send", 14, "#not-in", "x", topic]]
    codes = ["bad_message"] * 5 + ["bad_room", "empty_text", "not_in_room"] + ["too_long"] * 2
    assert sorted(stranger.asks(*asked)) == sorted(codes)


@deed
def a_topic_ten_thousand_times(stranger: Stranger) -> None:
    wire = stranger.guest(rooms=["#changing"])
    sends = [m.Send(m.make_ref(5, number), "#changing", f"topic {number}", {"topic": True}) for number in range(10_000)]
    wire.send_bytes(b"".join(map(m.encode, sends)))
    answered, topic = 0, ""
    while answered < 10_000:
        reply = wire.receive()
        answered += isinstance(reply, m.Msg | m.Error)
        topic = reply.text if isinstance(reply, m.Msg) else topic
    wire.send(m.Join(1, "#changing", {}))
    assert wire.expect(m.Joined).options["topic"] == topic


@deed
def texts_with_half_a_character(stranger: Stranger) -> None:
    assert stranger.says(b"\x95\xa4send\x01\xa6#lobby\xa3\xed\xa0\x80\x80") == ["bad_encoding"]


@deed
def reasons_to_be_away_that_are_none(stranger: Stranger) -> None:
    most = Limits().away_bytes
    asked: list[Any] = [["away", number, reason] for number, reason in enumerate([None, 7, b"x", ["x"]])]
    asked += [["away", 10, "x" * (most + 1)], ["away", 11, "é" * most], ["away", 12, "x" * 60_000], ["away", 13, "\u200b\n"]]
    assert sorted(stranger.asks(*asked)) == ["bad_message"] * 4 + ["empty_text"] + ["too_long"] * 3


@deed
def reasons_to_be_away_that_would_act(stranger: Stranger) -> None:
    wire = stranger.guest()
    for number, reason in enumerate(ACTING):
        wire.send(m.Away(number, reason + "!", {}))
        while (heard := wire.expect(m.Away)).ref is None:  # that it has changed, after what was asked before
            pass
        assert heard.ref == number
        assert heard.text
        assert not any(sign in heard.text for sign in ACTS + "\n")


@deed
def away_and_back_ten_thousand_times(stranger: Stranger) -> None:
    wire = stranger.guest(rooms=[f"#turning{number}" for number in range(20)])
    wire.send_bytes(b"".join(m.encode(m.Away(number, "lunch" if number % 2 else "", {})) for number in range(10_000)))
    codes: dict[int, str] = {}
    while len(codes) < 10_000:
        reply = wire.receive()
        if isinstance(reply, m.Away | m.Error) and reply.ref is not None:
            codes[reply.ref] = reply.code if isinstance(reply, m.Error) else ""
    assert set(codes.values()) == {"", "rate_limited"}, "it is as fast as messages are"


@deed
def questions_about_nobody(stranger: Stranger) -> None:
    names = ["", "nobody here", "\x1b[2J", "x" * 60_000, "#lobby", "g" + "a" * 16]
    assert stranger.asks(*(["whois", number, name] for number, name in enumerate(names))) == ["no_such_user"] * len(names)


@deed
def questions_that_are_none(stranger: Stranger) -> None:
    assert stranger.asks(*(["whois", 1, name] for name in (None, 7, b"x", ["x"]))) == ["bad_message"] * 4


@deed
def typing_to_nobody(stranger: Stranger) -> None:
    wrong = [["typing", 1, to] for to in (None, 7, b"x")] + [["typing", 2, "#x", {"conv": 5}]]
    assert stranger.asks(*wrong, *(["typing", 3, to] for to in ("", "x" * 60_000))) == ["bad_message"] * 4 + ["no_such_user"] * 2


@deed
def typing_without_end(stranger: Stranger) -> None:
    """To everybody, to who is not here, and into what is not one's own: nothing comes of it."""
    wire, other = stranger.guest(rooms=["#typing"]), stranger.connect()
    other.hello(f"guest{next(_NUMBERS)}", rooms=["#typing"])
    places = [("#typing", {}), ("nobody", {}), ("x", {"conv": f"g{'a' * 16}~g{'b' * 16}"}), ("x", {"conv": "~"})]
    wire.send_bytes(b"".join(m.encode(m.Typing(number, *places[number % 4])) for number in range(10_000)))
    wire.send(m.Ping(7))
    assert wire.expect(m.Pong).ref == 7
    said = wire.say(m.make_ref(1, 1), "#typing", "done")
    heard = 0
    while (reply := other.receive()) != said:
        heard += isinstance(reply, m.IsTyping)
    assert heard <= 5


@deed
def the_same_ref_for_two(stranger: Stranger) -> None:
    wire = stranger.guest()
    first = wire.say(9, m.LOBBY, "one")
    assert wire.say(9, m.LOBBY, "one").id == first.id
    wire.send(m.Send(9, m.LOBBY, "two", {}))
    assert stranger.codes() == ["id_reused"]


@deed
def cursors_that_are_none(stranger: Stranger) -> None:
    wire = stranger.wire
    for number, after in enumerate((-1, 1.0, "7")):
        wire.send_bytes(frame(msgpack.packb(["hello", number, m.VERSION, "back", {"after": after}])))
    wire.send(m.Hello(9, m.VERSION, "back", {"after": m.ID_MAX}), m.Hello(10, m.VERSION, "back", {"log": "no", "after": 0}))
    codes = stranger.codes()
    assert sorted(codes[:3]) == ["bad_message"] * 3
    assert set(codes[3:]) <= {"bad_resume", "already_logged_in"}


@deed
def rooms_without_end(stranger: Stranger) -> None:
    wire = stranger.guest()
    for number in range(300):
        wire.send(m.Join(number, f"#{number}", {}))
    wire.send(m.Part(1, "#never", {}), m.Join(2, "#" + "x" * 60_000, {}), m.Join(3, "#a b", {}))
    codes: list[str] = []
    while len(codes) < 300 - Limits().rooms_per_user + 4:
        if isinstance(reply := wire.receive(), m.Error):
            codes.append(reply.code)
    assert set(codes) == {"too_many_rooms", "not_in_room", "bad_room"}


@deed
def a_room_that_is_full(stranger: Stranger) -> None:
    wires = [stranger.connect() for _ in range(LIMITS["members_per_room"])]
    for wire in wires:
        wire.hello(f"guest{next(_NUMBERS)}", rooms=["#full"])
    stranger.guest().send(m.Join(1, "#full", {}))
    while not isinstance(reply := stranger.wire.receive(), m.Error):
        assert reply is not None
    assert reply.code == "room_full"


@deed
def pages_of_what_is_not_ours(stranger: Stranger) -> None:
    asked = [
        ["history", 1, "x", {"conv": "gaaaaaaaaaaaaaaaa~gbbbbbbbbbbbbbbbb"}],
        ["history", 2, "nobody", {}],
        ["history", 3, "#x", {"limit": 0}],
    ]
    codes = stranger.asks(*asked)
    assert codes.count("no_such_conversation") == 1


@deed
def rooms_that_look_alike(stranger: Stranger) -> None:
    wire = stranger.guest(rooms=["#wolf"])
    wire.send(m.Join(1, "#wоlf", {}), m.Join(2, "#WOLF", {}), m.Join(3, "#ｗｏｌｆ", {}))
    assert stranger.codes() == ["room_confusable"]


@deed
def a_hello_with_all_that_fits(stranger: Stranger) -> None:
    rooms = [f"#{'한' * 20}{number}" for number in range(150)]
    options: dict[str, Any] = {f"unknown{number}": [number] * 50 for number in range(60)}
    welcome = stranger.wire.hello("everywhere", rooms=rooms, **options)
    assert set(welcome.options["refused"].values()) == {"too_many_rooms"}


@deed
def one_person_with_many_connections(stranger: Stranger) -> None:
    """What they may say and where they may be is theirs together."""
    token = stranger.wire.hello("many").options["token"]
    others = [stranger.connect() for _ in range(50)]
    refused = 0
    for number, wire in enumerate(others):
        welcome = wire.hello("many", token=token, rooms=[f"#many{number}-{k}" for k in range(10)])
        refused += len(welcome.options["refused"])
    assert refused == 50 * 10 - (Limits().rooms_per_user - 1)
    for wire in others:
        wire.send(*(m.Send(m.make_ref(8, number), "many", "x", {}) for number in range(10)))


@deed
def answers_that_nobody_reads(stranger: Stranger) -> None:
    wire = stranger.guest()
    asked = b"".join(
        m.encode(m.History(number, m.LOBBY, {})) + m.encode(m.Members(number, m.LOBBY, {})) for number in range(9_000)
    )
    wire.socket.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        wire.send_bytes(asked)


@deed
def what_follows_a_goodbye(stranger: Stranger) -> None:
    wire = stranger.guest()
    wire.send(m.Bye(1), m.Send(m.make_ref(1, 1), m.LOBBY, "one more thing", {}), m.Join(2, "#late", {}))
    assert wire.expect(m.Goodbye).reason == "bye"
    assert wire.receive() is None


# --- names ---------------------------------------------------------------------------------------------------------------


def greetings(stranger: Stranger, *names: str) -> list[str]:
    """How each name is answered, on one connection."""
    codes = []
    for number, name in enumerate(names):
        stranger.wire.send(m.Hello(number, m.VERSION, name, {}))
        reply = stranger.wire.receive()
        assert isinstance(reply, m.Error), name
        codes.append(reply.code)
    return codes


@deed
def names_that_are_none(stranger: Stranger) -> None:
    names = [
        "",
        " ",
        " ada",
        "ada ",
        "a\tb",
        "a\nb",
        "a\0b",
        "*",
        "#room",
        "@everyone",
        "x" * 33,
        "adm\u200bin",
        "\x1b[2J",
        "Ⅷ",
        "aא",
    ]
    assert greetings(stranger, *names) == ["bad_name"] * len(names)


@deed
def names_of_the_server(stranger: Stranger) -> None:
    assert greetings(stranger, "server", "SYSTEM", "Admin", "ａｄｍｉｎ", "broker") == ["reserved_name"] * 5
    assert greetings(stranger, "аdmin", "rοοt", "systеm") == ["name_confusable"] * 3


@deed
def names_of_others(stranger: Stranger) -> None:
    stranger.connect().hello("Mike")
    assert greetings(stranger, "mike", "MIKE", "ｍｉｋｅ") == ["name_taken"] * 3
    assert greetings(stranger, "mіke", "Мike") == ["name_confusable"] * 2
    stranger.wire.hello("rnike")


@deed
def tokens_that_are_none(stranger: Stranger) -> None:
    for number, token in enumerate(["", "x", "x" * 60_000, "\0", "g3k7…"]):
        stranger.wire.send(m.Hello(number, m.VERSION, "somebody", {"token": token}))
    assert stranger.codes() == ["bad_token"] * 5


@deed
def hellos_without_end(stranger: Stranger) -> None:
    for number in range(Limits().hellos_refused + 1):
        stranger.wire.send(m.Hello(number, m.VERSION, "admin", {"token": "x"}))
    codes = stranger.codes()
    assert codes == ["bad_token"] * Limits().hellos_refused + ["too_many_attempts"]


@pytest.mark.parametrize("act", DEEDS.values(), ids=DEEDS.keys())
def test_nobody_else_notices(act: Deed, server: Server, oracle: Oracle) -> None:
    stranger = Stranger(server)
    with stranger.stack:
        act(stranger)
    oracle.check()


def test_it_shows_when_something_is_left_behind(tmp_path: Path) -> None:
    with broken("keeps_its_copies"), running_server(tmp_path / "data") as server, Oracle(server, patience=0.5) as oracle:
        stranger = Stranger(server)
        with stranger.stack:
            many_connections_that_are_reset(stranger)
        with pytest.raises(AssertionError, match="descriptors are closed"):
            oracle.check()
