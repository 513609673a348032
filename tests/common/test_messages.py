"""Every message survives the wire, and nothing else is taken for one."""

from __future__ import annotations

import itertools
import math
from typing import Any, TypeAlias

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import messages as m
from common.errors import Code, Refused
from common.framing import HEADER
from tests.support.frames import request_of

REFS = st.integers(0, m.REF_MAX)
IDS = st.integers(0, m.ID_MAX)
COUNTERS = st.integers(0, 2**m.COUNTER_BITS - 1)
COUNTS = st.integers(1, m.ID_MAX)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.lists(TEXTS, max_size=4)
JUNK: st.SearchStrategy[Any] = st.sampled_from([-1, 1.0, math.nan, True, "7", b"7", None, [], {}, [[]], 2**64 - 1])


def options(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[m.Options]:
    """Any of the known options, and some that are unknown."""
    unknown = st.dictionaries(st.sampled_from(["later", "x"]), REFS | TEXTS, max_size=2)
    return st.builds(lambda known, unknown: {**unknown, **known}, st.fixed_dictionaries({}, optional=known), unknown)


MSG_OPTIONS = options(conv=TEXTS, topic=st.booleans(), again=st.booleans(), **{"from": TEXTS})
ROWS = st.tuples(IDS, IDS, TEXTS, TEXTS, REFS, TEXTS, MSG_OPTIONS).map(list)
WELCOME_OPTIONS = options(
    last=IDS,
    log=TEXTS,
    token=TEXTS,
    server=TEXTS,
    limits=st.dictionaries(TEXTS, IDS, max_size=2),
    refused=st.dictionaries(TEXTS, TEXTS, max_size=2),
    **{"from": TEXTS},
)
WHOIS_OPTIONS = options(devices=IDS, since=IDS, seen=IDS, away=TEXTS, rooms=NAMES, more=st.booleans(), **{"from": TEXTS})

JOINED_OPTIONS = options(last=IDS, count=IDS, members=NAMES, away=NAMES, conv=TEXTS, topic=TEXTS, topic_by=TEXTS, topic_ms=IDS)

REQUESTS: dict[type[m.Request], st.SearchStrategy[m.Request]] = {
    m.Hello: st.builds(m.Hello, REFS, REFS, TEXTS, options(after=IDS, log=TEXTS, rooms=NAMES, token=TEXTS)),
    m.Join: st.builds(m.Join, REFS, TEXTS, options()),
    m.Part: st.builds(m.Part, REFS, TEXTS, options()),
    m.Send: st.builds(m.Send, REFS, TEXTS, TEXTS, options(conv=TEXTS, prev=COUNTERS, topic=st.booleans())),
    m.History: st.builds(m.History, REFS, TEXTS, options(before=IDS, limit=COUNTS, conv=TEXTS)),
    m.Members: st.builds(m.Members, REFS, TEXTS, options(after=TEXTS, limit=COUNTS)),
    m.Rooms: st.builds(m.Rooms, REFS, options(after=TEXTS, limit=COUNTS)),
    m.Away: st.builds(m.Away, REFS, TEXTS, options()),
    m.Whois: st.builds(m.Whois, REFS, TEXTS, options()),
    m.Typing: st.builds(m.Typing, REFS, TEXTS, options(conv=TEXTS)),
    m.Ping: st.builds(m.Ping, REFS),
    m.Pong: st.builds(m.Pong, REFS),
    m.Bye: st.builds(m.Bye, REFS),
}
REPLIES: dict[type[m.Reply], st.SearchStrategy[m.Reply]] = {
    m.Welcome: st.builds(m.Welcome, REFS, TEXTS, WELCOME_OPTIONS),
    m.Joined: st.builds(m.Joined, REFS, TEXTS, JOINED_OPTIONS),
    m.Parted: st.builds(m.Parted, REFS, TEXTS),
    m.Msg: st.builds(m.Msg, IDS, IDS, TEXTS, TEXTS, REFS, TEXTS, MSG_OPTIONS),
    m.Resumed: st.builds(m.Resumed, REFS, IDS),
    m.Page: st.builds(m.Page, REFS, TEXTS, st.lists(ROWS, max_size=3), options(more=st.booleans(), conv=TEXTS)),
    m.MemberList: st.builds(m.MemberList, REFS, TEXTS, NAMES, options(count=IDS, more=st.booleans())),
    m.RoomList: st.builds(m.RoomList, REFS, st.lists(st.tuples(TEXTS, IDS).map(list)), options(more=st.booleans())),
    m.Presence: st.builds(m.Presence, TEXTS, options(joined=NAMES, left=NAMES, away=NAMES, back=NAMES, count=IDS)),
    m.Away: st.builds(m.Away, REFS, TEXTS, options()),
    m.Whois: st.builds(m.Whois, REFS, TEXTS, WHOIS_OPTIONS),
    m.IsTyping: st.builds(m.IsTyping, TEXTS, TEXTS, options(conv=TEXTS, **{"from": TEXTS})),
    m.Ping: st.builds(m.Ping, REFS),
    m.Pong: st.builds(m.Pong, REFS),
    m.Goodbye: st.builds(m.Goodbye, TEXTS, TEXTS),
    m.Error: st.builds(m.Error, REFS | st.none(), TEXTS, TEXTS),
}
Message: TypeAlias = m.Request | m.Reply


def body_of(message: Message) -> bytes:
    return m.encode(message)[HEADER.size :]


def packed(*message: Any) -> bytes:
    body: bytes = msgpack.packb(message)
    return body


def refusal(body: bytes) -> Refused:
    with pytest.raises(Refused) as refused:
        request_of(body)
    return refused.value


def test_no_message_is_left_out_here() -> None:
    assert set(REQUESTS) == {shape.build for shape in m.REQUESTS.values()}
    assert set(REPLIES) == {shape.build for shape in m.REPLIES.values()}


@given(st.one_of(*REQUESTS.values()))
def test_requests_survive_the_wire(request: m.Request) -> None:
    parsed = request_of(body_of(request))
    assert (type(parsed), parsed) == (type(request), request)


@given(st.one_of(*REPLIES.values()))
def test_replies_survive_the_wire(reply: m.Reply) -> None:
    parsed = m.parse_reply(body_of(reply))
    assert (type(parsed), parsed) == (type(reply), reply)


@given(st.one_of(*REQUESTS.values()))
def test_an_empty_map_at_the_end_may_be_left_out(request: m.Request) -> None:
    if isinstance(request[-1], dict):
        tag, *fields, _ = msgpack.unpackb(body_of(request))
        assert request_of(packed(tag, *fields)) == (*request[:-1], {})


@given(st.one_of(*REQUESTS.values(), *REPLIES.values()), st.data())
def test_junk_in_place_of_a_field_is_a_bad_message_or_a_good_one(message: Message, data: st.DataObject) -> None:
    value = msgpack.unpackb(body_of(message))
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(JUNK)
    parse = request_of if type(message) in REQUESTS else m.parse_reply
    try:
        parsed = parse(packed(*value))
    except Refused as refused:
        code = refused.code
    else:
        assert parsed is None or body_of(parsed) == packed(*value)
        return
    assert code in (Code.BAD_MESSAGE, Code.UNKNOWN_TYPE)


@given(st.lists(JUNK | st.sampled_from([*m.REQUESTS, *m.REPLIES]), max_size=6) | JUNK)
def test_junk_is_refused_in_words(value: object) -> None:
    for parse in (request_of, m.parse_reply):
        try:
            parse(msgpack.packb(value))
        except Refused as refused:
            code, text = refused.code, refused.text
            assert code in (Code.BAD_MESSAGE, Code.UNKNOWN_TYPE)
            assert text


@pytest.mark.parametrize("ref", [-1, 1.0, math.nan, True, "7", None, b"7"])
def test_a_ref_is_an_unsigned_integer(ref: object) -> None:
    refused = refusal(packed("send", ref, "#dev", "hello", {}))
    assert refused.code == Code.BAD_MESSAGE
    assert refused.ref is None


def test_the_greatest_ref_is_fine() -> None:
    assert request_of(packed("ping", 2**64 - 1)) == m.Ping(2**64 - 1)


@pytest.mark.parametrize(
    "fields",
    [
        ("send", 7, "#dev"),
        ("send", 7, "#dev", "hello", {}, {}),
        ("send", 7, "#dev", 5, {}),
        ("send", 7, "#dev", "hello", []),
        ("send", 7, "#dev", "hello", {"prev": -1}),
        ("send", 7, "#dev", "hello", {"prev": 2**32}),
        ("send", 7, "#dev", "hello", {"topic": 1}),
        ("send", 7, "#dev", "hello", {"prev": 1, "topic": "tea"}),
        ("hello", 7, 1, "ada", {"rooms": "#dev"}),
        ("hello", 7, 1, "ada", {"rooms": ["#dev", 5]}),
        ("hello", 7, 1, "ada", {"after": 2**63}),
        ("hello", 7, 1, "ada", {"after": -1}),
        ("history", 7, "#dev", {"limit": 0}),
        ("ping", 7, {}),
        ("shout", 7),
    ],
)
def test_a_refusal_names_the_request_where_it_can(fields: tuple[Any, ...]) -> None:
    refused = refusal(packed(*fields))
    assert refused.code == (Code.UNKNOWN_TYPE if fields[0] == "shout" else Code.BAD_MESSAGE)
    assert refused.ref == 7
    assert fields[0] in refused.text


@pytest.mark.parametrize("value", [[], {}, None, 5, "ping", [5], [["ping"], 1], [None]])
def test_what_is_no_message_at_all(value: object) -> None:
    assert refusal(msgpack.packb(value)).code == Code.BAD_MESSAGE


def test_what_is_nested_deeply_is_refused_without_a_fuss() -> None:
    assert refusal(b"\x91" * 1000 + b"\xc0").code == Code.BAD_MESSAGE


def test_a_long_unknown_tag_is_not_told_back_at_length() -> None:
    assert len(refusal(packed("x" * 10_000, 1)).text) < 100


def test_unknown_options_are_ignored() -> None:
    assert request_of(packed("join", 1, "#dev", {"later": [1, 2]})) == m.Join(1, "#dev", {"later": [1, 2]})


def test_a_client_passes_over_what_a_newer_server_says() -> None:
    assert m.parse_reply(packed("confetti", 1, 2, 3)) is None


@pytest.mark.parametrize(
    "row",
    [[1, 2, "#dev", "ada", 3, "hello"], [1, 2, "#dev", "ada", 3, "hello", {"conv": 5}], [-1, 2, "", "", 3, "", {}], "row"],
)
def test_a_page_of_anything_but_messages_is_refused(row: object) -> None:
    with pytest.raises(Refused):
        m.parse_reply(packed("page", 1, "#dev", [row], {}))


@pytest.mark.parametrize("limit", ["text_bytes", "topic_bytes"])
@pytest.mark.parametrize("most", ["16000", None, [], 0, -1, 1.5, True])
def test_a_limit_that_is_no_number_is_refused(most: object, limit: str) -> None:
    """A client compares with it."""
    with pytest.raises(Refused):
        m.parse_reply(packed("welcome", 1, "ada", {"limits": {limit: most}}))
    later = m.Welcome(1, "ada", {"limits": {"text_bytes": 1, "later": most}})
    assert m.parse_reply(body_of(later)) == later


@given(st.integers(0, 2**32 - 1), COUNTERS)
def test_a_ref_is_an_instance_and_a_counter(instance: int, counter: int) -> None:
    ref = m.make_ref(instance, counter)
    assert 0 <= ref <= m.REF_MAX
    assert m.split_ref(ref) == (instance, counter)


@given(st.integers(0, 2**32 - 1), COUNTERS, COUNTERS)
def test_refs_of_an_instance_rise_with_its_counter(instance: int, one: int, other: int) -> None:
    assert (m.make_ref(instance, one) < m.make_ref(instance, other)) == (one < other)


def test_rooms_are_told_from_people() -> None:
    assert m.is_room(m.LOBBY)
    assert not m.is_room("ada")


def test_what_is_recognised_at_once_is_what_the_table_takes() -> None:
    """Nothing else, and all of it."""
    refs = [-1, 0, 2**64 - 1, True, 1.0]
    texts = ["", "a", b"a", None]
    values = [None, -1, 0, 2**32 - 1, 2**32, True, "a", b"a"]
    maps: list[Any] = [None, [], {}, {"x": 1}, *({key: value} for key in ("conv", "prev") for value in values)]
    for fields in itertools.product(refs, texts, texts, maps):
        value = ["send", *fields]
        try:
            m._check(list(value), m.REQUESTS)
            right = True
        except Refused:
            right = False
        assert m._is_right_send(value) == right, value
