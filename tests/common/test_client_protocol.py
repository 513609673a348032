"""The client's protocol against a model server: nothing missed, nothing doubled, wherever the connection is cut."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from common import messages as m
from common.client_events import (
    Acknowledged,
    AwayDelayed,
    AwayRefused,
    Broken,
    CaughtUp,
    Closed,
    Delivered,
    Event,
    JoinRefused,
    NameRefused,
    RequestFailed,
    RoomJoined,
    RoomParted,
    SendDelayed,
    SendFailed,
    Topic,
    Welcomed,
)
from common.client_protocol import TOKENS_SHOWN, ClientProtocol, Phase
from common.codec import ARRAY_ITEMS, encode
from common.errors import Code
from common.framing import HEADER
from tests.support.frames import request_of
from tests.support.groups import rounds
from tests.support.model_server import ModelConnection, ModelServer


class Client:
    """A protocol with its connection to the model, over a line that holds bytes back until they are moved."""

    def __init__(self, server: ModelServer, protocol: ClientProtocol) -> None:
        self.server = server
        self.protocol = protocol
        self.line: ModelConnection | None = None
        self.up = bytearray()
        """Written by the client, not yet at the server."""

    def connect(self) -> None:
        self.line = self.server.connect()
        self.protocol.connected()

    def cut(self) -> None:
        """The connection breaks: what is on its way is gone, in both directions."""
        assert self.line is not None
        self.line.close()
        self.line = None
        self.protocol.data_to_send()
        self.up.clear()
        self.protocol.disconnected()

    def move_up(self, count: int) -> None:
        """So many bytes reach the server."""
        assert self.line is not None
        self.up += self.protocol.data_to_send()
        self.line.receive(bytes(self.up[:count]))
        del self.up[:count]

    def move_down(self, count: int) -> list[Event]:
        """So many bytes reach the client: what they mean."""
        assert self.line is not None
        data = bytes(self.line.out[:count])
        del self.line.out[:count]
        return self.protocol.receive(data)

    def exchange(self, keep_token: bool = True) -> list[Event]:
        """Everything reaches its destination, until there is nothing left to say."""
        assert self.line is not None
        events: list[Event] = []
        while True:
            self.move_up(10**9)
            if not self.line.out:
                return events
            received = self.move_down(10**9)
            if keep_token and any(isinstance(event, Welcomed) for event in received):
                self.protocol.token_kept()
            events += received


@pytest.fixture
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture
def client(server: ModelServer) -> Client:
    """Connected as ada, and welcomed."""
    client = Client(server, ClientProtocol("ada", instance=7))
    client.connect()
    client.exchange()
    return client


def sends(line: ModelConnection | None) -> list[m.Send]:
    """What the server was asked to send on this connection."""
    assert line is not None
    return [request for request in line.requests if isinstance(request, m.Send)]


def kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events]


COUNTS = st.integers(1, 200) | st.just(10**9)
"""How many bytes arrive at once."""


class CutAnywhere(RuleBasedStateMachine):
    """Ada talks and listens while her connection is cut at any byte, and while the server's disk fills up and empties."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ModelServer()
        self.client = Client(self.server, ClientProtocol("ada", instance=7))
        self.said: dict[int, str] = {}
        self.acknowledged: list[int] = []
        self.failed: list[int] = []
        self.delivered: list[int] = []
        self.kept: list[ModelConnection] = []
        """The connections whose token has been kept."""
        self.welcomed = False
        self.in_dev = False
        """Ada has been told that she is in #dev, and has not asked to leave."""
        self.owed: set[int] = set()
        """Messages of #dev that came while she was in it."""
        self.heard_since: int | None = None
        """The end of the log at ada's first welcome."""

    @property
    def online(self) -> bool:
        return self.client.line is not None

    @initialize(lines=st.integers(0, 3))
    def others_have_talked_before(self, lines: int) -> None:
        for number in range(lines):
            self.server.say("bob", m.LOBBY, f"old {number}")

    @rule()
    @precondition(lambda self: not self.online)
    def connect(self) -> None:
        self.client.connect()

    @rule()
    @precondition(lambda self: self.online)
    def cut(self) -> None:
        self.client.cut()
        self.welcomed = False

    @rule(to=st.sampled_from([m.LOBBY, "#dev", "bob"]), empty=st.sampled_from([False, False, False, True]))
    def say(self, to: str, empty: bool) -> None:
        text = "" if empty else f"text {len(self.said)}"
        self.said[self.client.protocol.send(to, text)] = text

    @rule(to=st.sampled_from([m.LOBBY, "#dev", "ada"]))
    def another_says(self, to: str) -> None:
        self.note_owed(self.server.last)
        last = self.server.last
        self.server.say("bob", to, "hello")
        self.note_owed(last)

    @rule()
    @precondition(lambda self: self.online)
    def join(self) -> None:
        self.client.protocol.join("#dev")

    @rule()
    def part(self) -> None:
        self.client.protocol.part("#dev")
        self.in_dev = False
        self.owed &= set(self.delivered)

    @rule(count=COUNTS)
    @precondition(lambda self: self.online)
    def bytes_reach_the_server(self, count: int) -> None:
        last = self.server.last
        self.client.move_up(count)
        self.note_owed(last)

    @rule(count=COUNTS)
    @precondition(lambda self: self.online)
    def bytes_reach_the_client(self, count: int) -> None:
        for event in self.client.move_down(count):
            self.note(event)

    @rule()
    @precondition(lambda self: self.welcomed)
    def keep_the_token(self) -> None:
        assert self.client.line is not None
        self.kept.append(self.client.line)
        self.client.protocol.token_kept()

    @rule(failing=st.sampled_from([Code.STORAGE_FULL, Code.STORAGE_UNAVAILABLE, None]))
    def the_disk_fills_up_or_empties(self, failing: Code | None) -> None:
        self.server.failing = failing

    @rule()
    def retry(self) -> None:
        self.client.protocol.retry()

    def note_owed(self, last: int) -> None:
        if self.in_dev:
            self.owed |= {entry.id for entry in self.server.entries if entry.id > last and entry.conv == "#dev"}

    def note(self, event: Event) -> None:
        match event:
            case Welcomed():
                self.welcomed = True
                assert event.afresh == (self.heard_since is None)
                if self.heard_since is None:
                    self.heard_since = event.cursor
            case Delivered(message):
                assert not self.delivered or message.id > self.delivered[-1]
                self.delivered.append(message.id)
            case Acknowledged(ref, message):
                assert message.text == self.said[ref]
                self.acknowledged.append(ref)
            case SendFailed(ref):
                self.failed.append(ref)
            case RoomJoined("#dev"):
                self.in_dev = "#dev" in self.client.protocol.rooms
            case RoomParted("#dev"):
                self.in_dev = False
            case Broken():
                raise AssertionError(event)

    @invariant()
    def nothing_is_sent_before_the_token_is_kept(self) -> None:
        if self.online and self.client.line not in self.kept:
            assert not sends(self.client.line)

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        answered = self.acknowledged + self.failed
        assert len(answered) == len(set(answered))

    def teardown(self) -> None:
        """All troubles end; then everything is where it belongs."""
        self.server.failing = None
        if not self.online:
            self.client.connect()
        while True:
            self.client.protocol.token_kept()
            for event in self.client.exchange():
                self.note(event)
            if not self.client.protocol.wants_retry:
                break
            self.client.protocol.retry()
        assert not self.client.protocol.outbox
        assert sorted(self.acknowledged + self.failed) == list(self.said)
        own = self.client.protocol.identity
        committed = [entry.text for entry in self.server.entries if entry.identity == own]
        assert committed == [text for ref, text in self.said.items() if ref not in self.failed]
        assert self.heard_since is not None
        heard = {entry.id for entry in self.server.entries if entry.id > self.heard_since and entry.conv != "#dev"}
        assert heard | self.owed <= set(self.delivered)
        assert set(self.delivered) - heard <= {entry.id for entry in self.server.entries if entry.conv == "#dev"}


TestCutAnywhere = CutAnywhere.TestCase
TestCutAnywhere.settings = settings(max_examples=rounds(50, 5_000), stateful_step_count=60)


# --- saying hello ------------------------------------------------------------------------------------------------------


def test_the_first_hello_shows_nothing_and_begins_at_the_end_of_the_log(server: ModelServer) -> None:
    server.say("bob", m.LOBBY, "before")
    client = Client(server, ClientProtocol("ada", instance=7))
    client.connect()
    assert client.protocol.phase is Phase.GREETING
    events = client.exchange()
    assert kinds(events) == [Welcomed, RoomJoined]
    assert events[0] == Welcomed("ada", "idada", "token of idada", True, {}, server.last)
    assert (client.protocol.cursor, client.protocol.phase) == (server.last, Phase.LIVE)
    assert client.line is not None
    assert client.line.requests == [m.Hello(m.make_ref(7, 1), m.VERSION, "ada", {"rooms": []})]


def test_a_second_hello_shows_the_token_the_cursor_and_the_rooms(client: Client) -> None:
    client.protocol.join("#dev")
    client.exchange()
    client.cut()
    missed = client.server.say("bob", "#dev", "are you there?")
    client.connect()
    events = client.exchange()
    assert client.line is not None
    hello = client.line.requests[0]
    assert isinstance(hello, m.Hello)
    assert hello.options == {"rooms": ["#dev"], "token": "token of idada", "after": 0, "log": "log-1"}
    assert kinds(events) == [Welcomed, RoomJoined, RoomJoined, Delivered, CaughtUp]
    assert events[0] == Welcomed("ada", "idada", "token of idada", False, {}, 0, shown="token of idada")
    assert events[3:] == [Delivered(missed.as_msg()), CaughtUp(missed.id)]
    assert client.protocol.phase is Phase.LIVE


def test_beginning_behind_an_id(server: ModelServer) -> None:
    entries = [server.say("bob", m.LOBBY, f"line {number}") for number in range(3)]
    client = Client(server, ClientProtocol("ada", instance=7, after=entries[0].id))
    client.connect()
    assert [event.message.id for event in client.exchange() if isinstance(event, Delivered)] == [
        entry.id for entry in entries[1:]
    ]


def test_a_taken_name_is_refused_and_another_is_tried_on_the_same_connection(server: ModelServer) -> None:
    server.taken.add("ada")
    client = Client(server, ClientProtocol("ada", instance=7))
    client.connect()
    (refused,) = client.exchange()
    assert isinstance(refused, NameRefused)
    assert (refused.name, refused.code) == ("ada", Code.NAME_TAKEN)
    client.protocol.choose_name("lovelace")
    assert kinds(client.exchange()) == [Welcomed, RoomJoined]
    assert client.protocol.name == "lovelace"


def test_a_name_chosen_while_offline_is_used_by_the_next_hello(server: ModelServer) -> None:
    client = Client(server, ClientProtocol("ada", instance=7))
    client.protocol.choose_name("lovelace")
    assert client.protocol.data_to_send() == b""
    client.connect()
    assert kinds(client.exchange()) == [Welcomed, RoomJoined]


def test_a_cursor_of_another_log_means_starting_afresh(client: Client) -> None:
    client.protocol.send(m.LOBBY, "one")
    client.exchange()
    client.cut()
    client.server = ModelServer("log-2")
    ref = client.protocol.send(m.LOBBY, "two")
    client.connect()
    events = client.exchange()
    assert kinds(events) == [Welcomed, RoomJoined, Acknowledged, Delivered]
    assert isinstance(events[0], Welcomed)
    assert events[0].afresh
    assert isinstance(events[2], Acknowledged)
    assert events[2].ref == ref
    assert not client.protocol.outbox


def test_with_a_bad_token_one_is_somebody_new_and_gets_back_what_was_pending(client: Client) -> None:
    client.cut()
    ref = client.protocol.send(m.LOBBY, "was it heard?")
    client.server.expired.add("token of idada")
    client.server.taken.add("ada")
    client.protocol.choose_name("lovelace")
    client.connect()
    events = client.exchange()
    assert kinds(events) == [Welcomed, SendFailed, RoomJoined, CaughtUp]
    assert isinstance(events[0], Welcomed)
    assert events[0].identity == "idlovelace"
    assert isinstance(events[1], SendFailed)
    assert (events[1].ref, events[1].to, events[1].body, events[1].code) == (
        ref,
        m.LOBBY,
        "was it heard?",
        Code.BAD_TOKEN,
    )
    assert not sends(client.line)
    client.protocol.send(m.LOBBY, "hello again")
    assert kinds(client.exchange()) == [Acknowledged, Delivered]


def test_of_more_rooms_than_a_hello_may_name_the_others_are_joined_after_it(client: Client) -> None:
    for number in range(ARRAY_ITEMS + 9):
        client.protocol.join(f"#{number}")
    client.exchange()
    client.cut()
    client.connect()
    events = client.exchange()
    assert isinstance(events[0], Welcomed)
    assert events[0].late == tuple(f"#{number}" for number in range(ARRAY_ITEMS, ARRAY_ITEMS + 9))
    assert {event.room for event in events if isinstance(event, RoomJoined)} == {m.LOBBY, *client.protocol.rooms}
    assert len(client.protocol.rooms) == ARRAY_ITEMS + 9


def test_where_the_right_server_is_back_one_is_who_one_was(client: Client) -> None:
    """Another one had its address in between, and knew neither the token nor the log."""
    client.cut()
    here, client.server = client.server, ModelServer("log-2", realm="@two")
    client.connect()
    (welcomed,) = (event for event in client.exchange() if isinstance(event, Welcomed))
    assert (welcomed.identity, welcomed.shown) == ("idada@two", None)
    client.cut()
    client.server = here
    client.connect()
    (welcomed,) = (event for event in client.exchange() if isinstance(event, Welcomed))
    assert (welcomed.identity, welcomed.shown) == ("idada", "token of idada")
    assert client.protocol.tokens == ["token of idada", "token of idada@two"]


def test_tokens_that_no_server_knows_are_not_kept_for_ever(client: Client) -> None:
    for number in range(TOKENS_SHOWN + 2):
        client.cut()
        client.server = ModelServer(f"log of {number}", realm=f"@{number}")
        client.connect()
        assert Welcomed in kinds(client.exchange())
    newest = range(TOKENS_SHOWN + 1, 1, -1)
    assert client.protocol.tokens == [f"token of idada@{number}" for number in newest]


def test_another_refusal_of_hello_is_reported(client: Client) -> None:
    protocol = ClientProtocol("ada", instance=7)
    protocol.connected()
    error = m.Error(m.make_ref(7, 1), Code.BAD_VERSION, "version 2 is spoken here")
    assert protocol.receive(m.encode(error)) == [RequestFailed(*error)]


def test_rooms_that_cannot_be_joined_again_are_told_and_forgotten(client: Client) -> None:
    client.protocol.join("#dev")
    client.exchange()
    client.cut()
    client.protocol.connected()
    options = {"from": "idada", "last": 0, "log": "log-1", "token": "t", "refused": {"#dev": Code.TOO_MANY_ROOMS}}
    assert client.protocol._hello_ref is not None
    (welcomed,) = client.protocol.receive(m.encode(m.Welcome(client.protocol._hello_ref, "ada", options)))
    assert isinstance(welcomed, Welcomed)
    assert welcomed.refused == {"#dev": Code.TOO_MANY_ROOMS}
    assert not client.protocol.rooms


@pytest.mark.parametrize("missing", ["from", "last", "log", "token"])
def test_a_welcome_that_lacks_something_is_of_no_use(missing: str) -> None:
    options = {"from": "idada", "last": 0, "log": "log-1", "token": "t"}
    del options[missing]
    protocol = ClientProtocol("ada", instance=7)
    protocol.connected()
    assert kinds(protocol.receive(m.encode(m.Welcome(m.make_ref(7, 1), "ada", options)))) == [Broken]


@pytest.mark.parametrize("ref", [m.make_ref(7, 1), m.make_ref(7, 2)])
def test_a_welcome_that_was_not_asked_for_breaks_the_connection(client: Client, ref: int) -> None:
    options = {"from": "ideve", "last": 0, "log": "log-1", "token": "t"}
    assert kinds(client.protocol.receive(m.encode(m.Welcome(ref, "eve", options)))) == [Broken]
    assert client.protocol.name == "ada"
    client.cut()
    client.protocol.connected()
    assert kinds(client.protocol.receive(m.encode(m.Welcome(ref + 1000, "eve", options)))) == [Broken]


@pytest.mark.parametrize("code", [Code.BAD_RESUME, Code.BAD_TOKEN])
def test_hello_is_not_said_again_for_a_reason_that_is_none(client: Client, code: Code) -> None:
    """Otherwise both would go on for ever."""
    client.cut()
    client.protocol.connected()
    for answer in ([], [RequestFailed]):
        client.protocol.data_to_send()
        assert client.protocol._hello_ref is not None
        assert kinds(client.protocol.receive(m.encode(m.Error(client.protocol._hello_ref, code, "no")))) == answer
        assert bool(client.protocol.data_to_send()) == (not answer)


# --- sending -----------------------------------------------------------------------------------------------------------


def test_the_outbox_is_sent_once_and_in_order_each_naming_the_one_before(client: Client) -> None:
    refs = [client.protocol.send(m.LOBBY, text) for text in ("one", "two", "three")]
    acknowledged = [event.ref for event in client.exchange() if isinstance(event, Acknowledged)]
    assert acknowledged == refs == [send.ref for send in sends(client.line)]
    before = [send.options.get("prev") for send in sends(client.line)]
    assert before == [None, *(m.split_ref(ref)[1] for ref in refs[:-1])]
    client.protocol.send(m.LOBBY, "four")
    client.exchange()
    assert sends(client.line)[-1].options["prev"] == m.split_ref(refs[-1])[1]


def test_nothing_goes_out_before_the_token_is_kept(server: ModelServer) -> None:
    client = Client(server, ClientProtocol("ada", instance=7))
    client.protocol.send(m.LOBBY, "one")
    client.connect()
    client.protocol.token_kept()  # of no welcome yet
    client.exchange(keep_token=False)
    client.protocol.send(m.LOBBY, "two")
    client.exchange(keep_token=False)
    assert not sends(client.line)
    client.protocol.token_kept()
    client.protocol.token_kept()
    client.exchange()
    assert [send.text for send in sends(client.line)] == ["one", "two"]


def test_what_is_committed_but_was_not_acknowledged_is_not_said_twice(client: Client) -> None:
    ref = client.protocol.send("bob", "psst")
    client.move_up(10**9)
    client.cut()
    client.connect()
    events = client.exchange()
    assert [event.ref for event in events if isinstance(event, Acknowledged)] == [ref]
    assert [event.message.ref for event in events if isinstance(event, Delivered)] == [ref]
    assert len(client.server.entries) == 1


def test_a_conversation_goes_by_its_id_where_it_is_known(client: Client) -> None:
    client.protocol.send("bob", "hello", conv="idada~idbob")
    client.exchange()
    assert sends(client.line)[0].options["conv"] == "idada~idbob"


def test_a_full_disk_holds_up_and_retrying_sends_in_order(client: Client) -> None:
    client.server.failing = Code.STORAGE_FULL
    refs = [client.protocol.send(m.LOBBY, text) for text in ("one", "two")]
    delayed = {event.ref for event in client.exchange() if isinstance(event, SendDelayed)}
    assert set() < delayed <= set(refs)
    waiting = client.protocol.wants_retry
    client.server.failing = None
    client.protocol.retry()
    assert [event.ref for event in client.exchange() if isinstance(event, Acknowledged)] == refs
    assert (waiting, client.protocol.wants_retry) == (True, False)
    assert [send.ref for send in sends(client.line)] == refs * 2
    assert [entry.text for entry in client.server.entries] == ["one", "two"]


def test_what_is_refused_for_good_is_given_back_and_does_not_hold_up_the_next(client: Client) -> None:
    refused = client.protocol.send("#elsewhere", "one")
    ref = client.protocol.send(m.LOBBY, "two")
    (failed,) = client.exchange()
    assert isinstance(failed, SendFailed)
    assert failed[:4] == (refused, "#elsewhere", "one", Code.NOT_IN_ROOM)
    assert client.protocol.wants_retry
    client.protocol.retry()
    assert [event.ref for event in client.exchange() if isinstance(event, Acknowledged)] == [ref]


def refuse(client: Client, ref: int, text: str) -> list[Event]:
    return client.protocol.receive(m.encode(m.Error(ref, Code.RATE_LIMITED, text)))


@pytest.mark.parametrize(
    ("text", "wait"),
    [("too much, wait 7 s", 7), ("wait 7 s", 1), ("too much, wait 99999 s", 60), ("too much", 1), ("no, wait -1 s", 1)],
)
def test_it_waits_for_as_long_as_it_is_told(client: Client, text: str, wait: float) -> None:
    ref = client.protocol.send(m.LOBBY, "one")
    assert refuse(client, ref, text) == [SendDelayed(ref, Code.RATE_LIMITED, text)]
    assert client.protocol.retry_after == wait
    client.protocol.retry()
    assert client.protocol.retry_after == 1, "what was said before does not count any more"


def test_behind_what_was_refused_nothing_is_sent(client: Client) -> None:
    first = client.protocol.send(m.LOBBY, "one")
    client.protocol.data_to_send()
    refuse(client, first, "too much, wait 1 s")
    refs = [first, *(client.protocol.send(m.LOBBY, text) for text in ("two", "three"))]
    assert client.protocol.data_to_send() == b""
    client.protocol.retry()
    assert [event.ref for event in client.exchange() if isinstance(event, Acknowledged)] == refs


def test_what_was_refused_is_sent_again_a_share_at_a_time(client: Client) -> None:
    client.server.failing = Code.BUSY
    refs = [client.protocol.send(m.LOBBY, str(number)) for number in range(1_000)]
    client.exchange()
    before = len(sends(client.line))
    client.protocol.retry()
    client.exchange()
    assert len(sends(client.line)) - before == 64, "while it is refused, no more is tried"
    client.server.failing = None
    client.protocol.retry()
    assert [event.ref for event in client.exchange() if isinstance(event, Acknowledged)] == refs
    assert len(sends(client.line)) - before == 64 + 1_000, "and all of it follows what is accepted"


def test_what_waited_for_a_retry_is_sent_by_the_next_connection(client: Client) -> None:
    client.server.failing = Code.BUSY
    ref = client.protocol.send(m.LOBBY, "one")
    client.exchange()
    client.cut()
    assert not client.protocol.wants_retry
    client.server.failing = None
    client.connect()
    assert [event.ref for event in client.exchange() if isinstance(event, Acknowledged)] == [ref]


def test_a_stranger_with_the_same_ref_acknowledges_nothing(client: Client) -> None:
    ref = client.protocol.send(m.LOBBY, "mine")
    theirs = m.Msg(1, 0, m.LOBBY, "ada", ref, "mine", {"conv": m.LOBBY, "from": "a stranger"})
    assert client.protocol.receive(m.encode(theirs)) == [Delivered(theirs)]
    assert ref in client.protocol.outbox


def test_another_device_of_the_same_person_acknowledges_nothing(client: Client) -> None:
    ref = client.protocol.send(m.LOBBY, "mine")
    theirs = m.Msg(1, 0, m.LOBBY, "ada", m.make_ref(8, 2), "mine", {"conv": m.LOBBY, "from": "idada"})
    assert client.protocol.receive(m.encode(theirs)) == [Delivered(theirs)]
    assert ref in client.protocol.outbox


def test_a_message_that_is_held_already_is_dropped(client: Client) -> None:
    second = client.server.say("bob", m.LOBBY, "two").as_msg()
    client.exchange()
    assert client.protocol.receive(m.encode(second)) == []
    assert client.protocol.receive(m.encode(second._replace(id=second.id - 1))) == []


def test_a_repeat_neither_moves_the_cursor_nor_is_delivered(client: Client) -> None:
    again = m.Msg(999, 0, m.LOBBY, "ada", m.make_ref(7, 1), "x", {"conv": m.LOBBY, "from": "idada", "again": True})
    assert client.protocol.receive(m.encode(again)) == []
    assert client.protocol.cursor == 0


# --- rooms and other requests ------------------------------------------------------------------------------------------


def test_joining_and_leaving(client: Client) -> None:
    client.protocol.join("#dev")
    (joined,) = client.exchange()
    assert joined == RoomJoined("#dev", "#dev", 0, 1, ["ada"])
    assert list(client.protocol.rooms) == ["#dev"]
    client.protocol.part("#dev")
    assert client.exchange() == [RoomParted("#dev")]
    assert not client.protocol.rooms


def aways(client: Client) -> list[str]:
    """What was said of being away on this connection."""
    assert client.line is not None
    return [request.text for request in client.line.requests if isinstance(request, m.Away)]


def too_fast(client: Client, ref: int) -> list[Event]:
    """What was asked is refused, before it is answered otherwise."""
    client.protocol.data_to_send()
    return client.protocol.receive(m.encode(m.Error(ref, Code.RATE_LIMITED, "too fast, wait 7 s")))


def test_being_away_is_said_again_after_each_welcome_until_one_is_back(client: Client) -> None:
    ref = client.protocol.be_away("lunch")
    assert m.Away(ref, "lunch", {}) in client.exchange()
    client.cut()
    client.connect()
    client.exchange()
    assert aways(client) == ["lunch"]
    client.protocol.be_away("")
    client.exchange()
    client.cut()
    client.connect()
    client.exchange()
    assert aways(client) == []


def test_what_was_said_of_it_without_a_connection_is_said_later(client: Client) -> None:
    client.cut()
    assert client.protocol.be_away("lunch") == 0
    client.connect()
    client.exchange()
    assert aways(client) == ["lunch"]


def test_that_one_is_back_is_said_again_where_the_server_may_not_know_it(client: Client) -> None:
    client.protocol.be_away("lunch")
    client.exchange()
    client.protocol.be_away("")
    client.cut()  # on the way
    client.connect()
    client.exchange()
    assert aways(client) == [""]


def test_typing_is_told_while_one_is_up_to_date_and_its_refusal_is_no_event(client: Client) -> None:
    assert client.line is not None
    client.protocol.typing("#lobby", "#lobby")
    client.protocol.typing("bob")
    client.move_up(10**9)
    told = [request for request in client.line.requests if isinstance(request, m.Typing)]
    assert [(one.to, one.options) for one in told] == [("#lobby", {"conv": "#lobby"}), ("bob", {})]
    assert client.protocol.receive(m.encode(m.Error(told[-1].ref, Code.NO_SUCH_USER, "nobody"))) == []
    client.protocol.typing("bob")
    client.move_up(10**9)
    last = client.line.requests[-1]
    assert client.protocol.receive(m.encode(m.Error(last.ref, Code.UNKNOWN_TYPE, "there is no message 'typing'"))) == []
    client.protocol.typing("bob")
    assert client.protocol.data_to_send() == b"", "an older server is left alone with it"
    client.cut()
    client.protocol.typing("bob")
    client.connect()
    client.exchange()
    assert not any(isinstance(request, m.Typing) for request in client.line.requests)
    client.protocol.typing("bob")
    client.move_up(10**9)
    assert isinstance(client.line.requests[-1], m.Typing), "the next server may know it"


def test_a_reason_that_was_refused_is_not_said_again(client: Client) -> None:
    client.protocol.be_away("lunch")
    client.exchange()
    ref = client.protocol.be_away("x" * 999)
    assert client.protocol.receive(m.encode(m.Error(ref, Code.TOO_LONG, "too long"))) == [
        AwayRefused(Code.TOO_LONG, "too long", "lunch")
    ]
    assert client.protocol.away == "lunch"


def test_a_reason_that_was_refused_after_a_welcome_is_dropped(client: Client) -> None:
    client.cut()
    client.protocol.be_away("x" * 999)
    client.connect()
    assert client.line is not None
    client.move_up(10**9)
    client.move_down(10**9)
    client.move_up(10**9)
    assert aways(client) == ["x" * 999]
    ref = client.line.requests[-1].ref
    client.line.out.clear()
    assert client.protocol.receive(m.encode(m.Error(ref, Code.TOO_LONG, "too long"))) == [
        AwayRefused(Code.TOO_LONG, "too long", "")
    ]
    assert client.protocol.away == ""
    client.cut()
    client.connect()
    client.exchange()
    assert aways(client) == []


def test_who_came_back_on_another_device_meanwhile_is_not_away(client: Client) -> None:
    """The welcome tells; and it does not count against what has been said since."""
    other = Client(client.server, ClientProtocol("ada", instance=2))
    other.connect()
    other.exchange()
    client.protocol.be_away("lunch")
    client.exchange()
    client.cut()
    other.protocol.be_away("")
    other.exchange()
    client.connect()
    client.exchange()
    assert (client.protocol.away, aways(client)) == ("", [])
    client.cut()
    client.protocol.be_away("dinner")
    client.connect()
    client.exchange()
    other.exchange()
    assert (client.protocol.away, other.protocol.away) == ("dinner", "dinner")


def test_what_was_said_too_fast_is_said_again_after_a_while(client: Client) -> None:
    ref = client.protocol.be_away("lunch")
    assert too_fast(client, ref) == [AwayDelayed(Code.RATE_LIMITED, "too fast, wait 7 s")]
    assert (client.protocol.wants_retry, client.protocol.retry_after) == (True, 7)
    client.protocol.retry()
    client.exchange()
    assert not client.protocol.wants_retry
    assert client.server.away == {"ada": "lunch"}


def test_that_an_older_reason_was_said_too_fast_is_nothing_while_a_newer_one_is_under_way(client: Client) -> None:
    older, newer = client.protocol.be_away("lunch"), client.protocol.be_away("dinner")
    assert too_fast(client, older) == []
    assert not client.protocol.wants_retry
    assert kinds(client.protocol.receive(m.encode(m.Away(newer, "dinner", {})))) == [m.Away]
    assert (client.protocol.away, client.protocol.away_unsaid) == ("dinner", False)


def test_an_answer_to_an_older_reason_does_not_count_against_the_one_that_waits(client: Client) -> None:
    """A worker refuses by itself, and so before the broker answers what was asked earlier."""
    older, newer = client.protocol.be_away("lunch"), client.protocol.be_away("dinner")
    too_fast(client, newer)
    client.protocol.receive(m.encode(m.Away(older, "lunch", {})))
    assert (client.protocol.away, client.protocol.away_unsaid, client.protocol.wants_retry) == ("dinner", True, True)


def test_an_older_reason_that_is_refused_for_good_changes_nothing_of_the_newer_one(client: Client) -> None:
    older, newer = client.protocol.be_away("x" * 999), client.protocol.be_away("dinner")
    error = m.Error(older, Code.TOO_LONG, "too long")
    assert client.protocol.receive(m.encode(error)) == [RequestFailed(*error)]
    client.protocol.receive(m.encode(m.Away(newer, "dinner", {})))
    assert (client.protocol.away, client.protocol.away_unsaid) == ("dinner", False)


def test_that_messages_are_taken_again_says_no_reason_before_its_time(client: Client) -> None:
    client.server.failing = Code.STORAGE_FULL
    client.protocol.send(m.LOBBY, "one")
    client.exchange()
    client.server.failing = None
    client.protocol.retry()
    client.move_up(10**9)
    too_fast(client, client.protocol.be_away("lunch"))
    client.exchange()
    assert not client.protocol.outbox
    assert (aways(client), client.protocol.retry_after) == ([], 7)
    client.protocol.retry()
    client.exchange()
    assert client.server.away == {"ada": "lunch"}


def test_who_came_back_on_another_device_is_not_away_after_the_next_welcome(client: Client) -> None:
    client.protocol.be_away("lunch")
    client.exchange()
    client.server.turn("ada", "")
    client.exchange()
    assert client.protocol.away == ""
    client.cut()
    client.connect()
    client.exchange()
    assert aways(client) == []


def test_an_older_word_of_being_back_does_not_count_against_a_newer_one(client: Client) -> None:
    client.protocol.be_away("lunch")
    client.server.turn("ada", "")  # is on the way
    client.exchange()
    assert client.protocol.away == "lunch"


def test_a_join_that_was_not_answered_is_asked_again_with_the_next_hello(client: Client) -> None:
    client.protocol.join("#dev")
    client.cut()
    client.connect()
    assert [event.room for event in client.exchange() if isinstance(event, RoomJoined)] == [m.LOBBY, "#dev"]


def test_a_room_is_asked_for_once_by_hello_or_right_after_the_welcome(server: ModelServer) -> None:
    client = Client(server, ClientProtocol("ada", instance=7))
    client.protocol.join("#before")
    client.connect()
    client.protocol.join("#meanwhile")
    assert [event.room for event in client.exchange() if isinstance(event, RoomJoined)] == [m.LOBBY, "#before", "#meanwhile"]


def test_a_room_is_remembered_once_and_as_the_server_spells_it(client: Client) -> None:
    client.protocol.join("#DEV")
    client.exchange()
    assert list(client.protocol.rooms) == ["#dev"]
    client.protocol.join("#Ops")
    client.cut()
    client.connect()
    client.exchange()
    assert list(client.protocol.rooms) == ["#dev", "#ops"]
    client.protocol.part("#Dev")
    assert list(client.protocol.rooms) == ["#ops"]


def test_a_room_joined_while_the_welcome_is_on_its_way_is_joined_behind_it(client: Client) -> None:
    client.cut()
    client.connect()
    client.protocol.join("#dev")
    client.protocol.join("#ops")
    client.protocol.part("#ops")
    assert [event.room for event in client.exchange() if isinstance(event, RoomJoined)] == [m.LOBBY, "#dev"]
    assert list(client.protocol.rooms) == ["#dev"]


def test_a_room_parted_while_the_welcome_is_on_its_way_is_left_behind_it(client: Client) -> None:
    client.protocol.join("#dev")
    client.exchange()
    client.cut()
    client.connect()
    client.protocol.part("#dev")
    events = client.exchange()
    assert kinds(events) == [Welcomed, RoomJoined, CaughtUp, RoomParted]
    assert not client.protocol.rooms
    assert not client.server.names_in("#dev")


@pytest.mark.parametrize(("name", "token"), [("somebody", "token"), ("ada", "x" * 1_001)])
def test_a_welcome_for_another_or_with_a_monstrous_token_is_none(server: ModelServer, name: str, token: str) -> None:
    protocol = ClientProtocol("ada", instance=7)
    protocol.connected()
    protocol.data_to_send()
    options = {"from": "g1", "last": 0, "log": "log-1", "token": token}
    (event,) = protocol.receive(m.encode(m.Welcome(1, name, options)))
    assert isinstance(event, Broken)


def test_the_lobby_needs_no_remembering(client: Client) -> None:
    client.protocol.join("#Lobby")
    client.exchange()
    assert not client.protocol.rooms


def test_a_room_that_was_not_asked_for_is_none_of_ours(client: Client) -> None:
    client.protocol.join("#dev")
    client.move_up(10**9)
    assert client.line is not None
    join = client.line.requests[-1]
    assert isinstance(join, m.Join)
    ref = join.ref
    assert kinds(client.protocol.receive(m.encode(m.Joined(ref, "#Dev", {})))) == [RoomJoined]
    assert kinds(client.protocol.receive(m.encode(m.Joined(ref, "#other", {})))) == []
    assert [*client.protocol.rooms] == ["#Dev"]


def test_a_refused_join_is_reported_and_not_tried_again(client: Client) -> None:
    client.server.full.add("#dev")
    client.protocol.join("#dev")
    (refused,) = client.exchange()
    assert refused == JoinRefused("#dev", Code.ROOM_FULL, "as many people are in the room as may be")
    assert not client.protocol.rooms


def test_of_a_room_that_was_asked_for_again_the_last_answer_counts(client: Client) -> None:
    client.server.full.add("#dev")
    client.protocol.join("#dev")
    client.move_up(10**9)
    client.server.full.clear()
    client.protocol.part("#dev")
    client.protocol.join("#dev")
    assert kinds(client.exchange()) == [RoomJoined]
    assert [*client.protocol.rooms] == ["#dev"]


def test_a_room_that_was_parted_before_it_was_joined_is_joined_where_it_was_asked_for_again(client: Client) -> None:
    """What is said in between is missed, and so what is seen of the room must not begin before it."""
    client.protocol.join("#dev")
    client.protocol.part("#dev")
    client.move_up(10**9)
    bob = Client(client.server, ClientProtocol("bob", instance=8))
    bob.connect()
    bob.protocol.join("#dev")
    bob.exchange()
    bob.protocol.send("#dev", "nobody else hears it")
    bob.exchange()
    client.protocol.join("#dev")
    (joined,) = client.exchange()
    assert isinstance(joined, RoomJoined)
    assert joined.position == bob.protocol.cursor


def test_a_room_that_is_joined_again_while_it_is_replayed_begins_anew(client: Client) -> None:
    """Answers overtake the log: of the earlier stay messages still come, with a hole between them and what is new."""
    client.protocol.join("#dev")
    client.exchange()

    def say(id: int, conv: str = "#dev") -> list[Event]:
        options = {"conv": conv, "from": "g" + "b" * 16}
        return client.protocol.receive(m.encode(m.Msg(id, 0, conv, "bob", 1, "hello", options)))

    assert kinds(say(1)) == [Delivered]
    client.protocol.part("#dev")
    client.protocol.join("#dev")
    client.protocol.data_to_send()
    (ref,) = client.protocol._joining
    client.protocol.receive(m.encode(m.Parted(ref - 1, "#dev")))
    client.protocol.receive(m.encode(m.Joined(ref, "#dev", {"conv": "#dev", "last": 20})))
    client.protocol.join("#dev")  # it is in there already
    client.protocol.receive(m.encode(m.Joined([*client.protocol._joining][-1], "#dev", {"conv": "#dev", "last": 30})))
    assert say(10) == []
    assert client.protocol.cursor == 10
    assert kinds(say(11, m.LOBBY)) == [Delivered]
    assert kinds(say(21)) == [Delivered]
    client.cut()
    client.connect()
    client.exchange()
    assert not client.protocol._begin, "what is replayed of another connection has no hole"


def test_a_room_that_was_parted_before_it_was_joined_is_left(client: Client) -> None:
    client.protocol.join("#dev")
    client.protocol.part("#dev")
    assert client.exchange() == [RoomParted("#dev")]
    assert not client.protocol.rooms


def test_an_error_of_no_request_is_reported(client: Client) -> None:
    error = m.Error(None, Code.FRAME_TOO_LARGE, "too large")
    assert client.protocol.receive(m.encode(error)) == [RequestFailed(*error)]


@pytest.mark.parametrize(
    "reply",
    [
        m.Page(9, m.LOBBY, [[1, 2, m.LOBBY, "bob", 3, "hello", {}]], {"more": True}),
        m.MemberList(9, m.LOBBY, ["ada"], {"count": 1}),
        m.RoomList(9, [[m.LOBBY, 1]], {"more": False}),
        m.Presence(m.LOBBY, {"joined": ["bob"]}),
        m.Pong(9),
    ],
)
def test_answers_and_presence_are_handed_on_and_leave_the_cursor(client: Client, reply: Event) -> None:
    assert isinstance(reply, m.Page | m.MemberList | m.RoomList | m.Presence | m.Pong)
    assert client.protocol.receive(m.encode(reply)) == [reply]
    assert client.protocol.cursor == 0


def test_requests_carry_what_was_given_and_nothing_else(client: Client) -> None:
    protocol = client.protocol
    refs = [
        protocol.history(m.LOBBY),
        protocol.history("bob", conv="idada~idbob", before=9, limit=5),
        protocol.members(m.LOBBY),
        protocol.members(m.LOBBY, after="bob"),
        protocol.list_rooms(),
        protocol.list_rooms(after="#dev"),
    ]
    data, requests = protocol.data_to_send(), []
    while data:
        (length,) = HEADER.unpack_from(data)
        requests.append(request_of(data[HEADER.size : HEADER.size + length]))
        data = data[HEADER.size + length :]
    assert requests == [
        m.History(refs[0], m.LOBBY, {}),
        m.History(refs[1], "bob", {"conv": "idada~idbob", "before": 9, "limit": 5}),
        m.Members(refs[2], m.LOBBY, {}),
        m.Members(refs[3], m.LOBBY, {"after": "bob"}),
        m.Rooms(refs[4], {}),
        m.Rooms(refs[5], {"after": "#dev"}),
    ]
    assert refs == sorted(set(refs))


def test_a_ping_is_answered_by_itself(client: Client) -> None:
    assert client.protocol.receive(m.encode(m.Ping(5))) == []
    assert client.protocol.data_to_send() == m.encode(m.Pong(5))
    assert client.protocol.data_to_send() == b""


def test_goodbye(client: Client) -> None:
    client.protocol.bye()
    assert client.protocol.phase is Phase.LEAVING
    assert client.exchange() == [Closed("bye", "see you")]


def test_the_server_says_goodbye(client: Client) -> None:
    assert client.protocol.receive(m.encode(m.Goodbye("shutdown", "back soon"))) == [Closed("shutdown", "back soon")]
    assert client.protocol.phase is Phase.LEAVING


def test_offline_nothing_is_written(server: ModelServer) -> None:
    protocol = ClientProtocol("ada", instance=7)
    protocol.send(m.LOBBY, "later")
    protocol.history(m.LOBBY)
    protocol.ping()
    protocol.retry()
    assert protocol.data_to_send() == b""


@pytest.mark.parametrize("junk", [b"\0\0\0\1\xc1", b"\0\0\0\0", b"\0\0\0\1\x05", b"\xff\xff\xff\xff", m.encode(m.Bye(1))])
def test_what_cannot_be_understood_breaks_the_connection_behind_what_can(client: Client, junk: bytes) -> None:
    good = m.Pong(3)
    events = client.protocol.receive(m.encode(good) + junk)
    assert kinds(events) == [m.Pong, Broken]


def test_messages_of_a_newer_server_are_passed_over(client: Client) -> None:
    assert client.protocol.receive(encode(["confetti", 1])) == []


# --- topics -----------------------------------------------------------------------------------------------------------


def test_a_topic_is_sent_like_any_message(client: Client) -> None:
    client.protocol.send("#lobby", "hello")
    client.protocol.send("#lobby", "tea", topic=True)
    client.protocol.send("#lobby", "", topic=True)
    events = client.exchange()
    assert [send.options for send in sends(client.line)] == [{}, {"prev": 2, "topic": True}, {"prev": 3, "topic": True}]
    assert [event.message.options.get("topic") for event in events if isinstance(event, Delivered)] == [None, True, True]
    assert not client.protocol.outbox


def test_a_topic_that_was_not_acknowledged_is_sent_again_as_one(client: Client) -> None:
    client.protocol.send("#lobby", "tea", topic=True)
    client.cut()
    client.connect()
    client.exchange()
    assert sends(client.line)[0].options["topic"] is True
    assert [(entry.text, entry.topic) for entry in client.server.entries] == [("tea", True)]
    assert not client.protocol.outbox


def test_who_joins_is_told_the_topic(client: Client) -> None:
    topic = client.server.say("bob", "#dev", "tea", topic=True)
    client.server.say("bob", "#dev", "hello")
    client.protocol.join("#dev")
    (joined,) = client.exchange()
    assert isinstance(joined, RoomJoined)
    assert joined.topic == Topic("tea", "bob", topic.time_ms, client.server.last)
