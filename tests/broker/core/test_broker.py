"""broker.core.broker: what each request leads to, for whom, in which order; and when the disk fails or processes die."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.log import Person, StorageError, StorageFull, StorageUnavailable
from common import messages as m
from common.codec import MAP_ITEMS
from common.errors import Code
from common.limits import MEMBERS_SHOWN, ROOM_CHARS
from common.log import Entry, Run, direct
from common.names import fold
from common.routing import Batch, Item
from tests.support.memory_log import MemoryLog
from tests.support.office import ADA, BOB, CYD, GRACE_MS, Office, ref, run, send, told_topic, topic

# --- before the broker is ready ------------------------------------------------------------------------------------------


def test_no_name_is_granted_before_every_worker_has_introduced_itself() -> None:
    office = Office(workers=2)
    office.broker.begin(office.now_ms)
    assert office.broker.strangers == [(1, 0), (2, 0)]
    office.introduce(1)
    assert office.ask(1, ["hello", 1, 1, ADA, "ada", None, None, [], False]) == [["snapshot", office.log.uuid, office.log.key]]
    assert not office.is_ready()
    assert office.broker.strangers == [(2, 0)]
    office.introduce(2, [5, BOB, "Ada", ["#lobby"]])
    office.settle()
    assert office.is_ready()
    assert [item[:4] for item in office.heard(1)] == [["refused", 1, 1, Code.NAME_TAKEN]]


def test_introductions_do_not_count_before_all_workers_are_named() -> None:
    office = Office(workers=1)
    office.introduce(1)
    office.settle()
    assert office.heard(1) == [["snapshot", office.log.uuid, office.log.key]]
    assert office.ask(1, ["hello", 1, 1, ADA, "ada", None, None, [], False]) == []
    office.broker.begin(office.now_ms)
    office.settle()
    assert office.heard(1)[0][0] == "welcome"


def test_a_worker_that_dies_without_an_introduction_is_not_waited_for() -> None:
    office = Office(workers=2)
    office.broker.begin(office.now_ms)
    office.introduce(1)
    office.request(1, ["hello", 1, 1, ADA, "ada", None, None, [], False])
    office.broker.worker_gone(2, 0, office.now_ms)
    office.settle()
    assert office.is_ready()
    assert [item[0] for item in office.heard(1)] == ["snapshot", "welcome"]


def test_a_worker_that_is_started_later_is_not_waited_for(office: Office) -> None:
    office.broker.worker_came(3, 0)
    assert office.is_ready()
    assert office.hello(1, 1, ADA, "ada")[0] == "welcome"


def test_an_introduction_in_parts_counts_when_it_is_complete() -> None:
    office = Office(workers=1)
    office.broker.begin(office.now_ms)
    office.broker.receive(1, ["intro", [[1, ADA, "ada", ["#lobby"]]], True], office.now_ms)
    assert not office.is_ready()
    office.broker.receive(1, ["intro", [[2, BOB, "bob", ["#lobby"]]], False], office.now_ms)
    office.settle()
    assert office.broker.figures()["users"] == 2


# --- hello ---------------------------------------------------------------------------------------------------------------


def test_hello_is_answered_with_the_position_and_the_rooms(office: Office) -> None:
    answer = office.hello(1, 1, ADA, "Ada", "#Dev", "#lobby")
    assert answer == [
        "welcome",
        1,
        1,
        "Ada",
        0,
        [["#lobby", "#lobby", 1, ["Ada"], {}], ["#Dev", "#dev", 1, ["Ada"], {}]],
        {},
        None,
    ]
    answer = office.hello(2, 1, BOB, "bob", "#dev")
    assert answer[5][1] == ["#Dev", "#dev", 2, ["Ada", "bob"], {}]


def test_a_room_that_is_asked_for_twice_is_entered_once(office: Office) -> None:
    answer = office.hello(1, 1, ADA, "ada", "#dev", "#DEV", "#LOBBY")
    assert [room[0] for room in answer[5]] == ["#lobby", "#dev"]


def test_rooms_that_are_refused_stand_in_the_welcome(office: Office) -> None:
    answer = office.hello(1, 1, ADA, "ada", "#a b", "#dev", "dev")
    assert answer[6] == {"#a b": Code.BAD_ROOM, "dev": Code.BAD_ROOM}
    assert [room[0] for room in answer[5]] == ["#lobby", "#dev"]


def test_a_welcome_fits_a_frame_whatever_rooms_are_asked_for(office: Office) -> None:
    answer = office.hello(1, 1, ADA, "ada", "#" + "x" * 60_000, *(f"no room {number}" for number in range(255)))
    assert len(answer[6]) == MAP_ITEMS
    assert max(map(len, answer[6])) <= ROOM_CHARS


@pytest.mark.parametrize(
    ("after", "log", "good"),
    [(0, None, True), (1, None, True), (2, None, False), (1, "own", True), (1, "another", False), (2**63 - 1, "own", False)],
)
def test_a_cursor_is_of_this_log_and_not_beyond_its_end(ada_and_bob: Office, after: int, log: str | None, good: bool) -> None:
    office = ada_and_bob
    office.ask(1, send(1, 1, "#dev"))
    log = office.log.uuid if log == "own" else log
    (answer,) = office.ask(1, ["hello", 2, 1, CYD, "cyd", after, log, [], True])
    assert (answer[0] == "welcome") == good
    assert good or answer[3] == Code.BAD_RESUME
    assert good or office.hello(2, 2, BOB, "cyd")[0] == "welcome", "the name was not taken"


# --- rooms ---------------------------------------------------------------------------------------------------------------


def test_joining_is_answered_with_the_room_as_it_is(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.hello(1, 2, CYD, "cyd")
    assert office.ask(1, ["join", 2, 5, "#DEV"]) == [["joined", 2, 5, 0, ["#dev", "#dev", 3, ["ada", "bob", "cyd"], {}]]]
    assert office.ask(1, ["join", 2, 6, "#dev"]) == [["joined", 2, 6, 0, ["#dev", "#dev", 3, ["ada", "bob", "cyd"], {}]]]


def test_parting(ada_and_bob: Office) -> None:
    office = ada_and_bob
    assert office.ask(1, ["part", 1, 5, "#DEV"]) == [["parted", 1, 5, 0, "#dev", "#dev"]]
    assert office.error(1, ["part", 1, 6, "#dev"]) == Code.NOT_IN_ROOM
    assert office.error(1, ["part", 1, 7, "#Lobby"]) == Code.BAD_ROOM
    assert office.error(1, send(1, 8, "#dev")) == Code.NOT_IN_ROOM


def test_members_in_pages(office: Office) -> None:
    for sid, name in enumerate(["ada", "bob", "cyd"]):
        office.hello(1, sid, f"g{sid:016}", name, "#dev")
    asked = office.ask(
        1, ["members", 0, 5, "#Dev", "ada", 1], ["members", 0, 6, "#dev", "bob", 1], ["members", 0, 7, "#none", "", 1]
    )
    assert [item[2] for item in asked] == [
        m.MemberList(5, "#Dev", ["bob"], {"count": 3, "more": True}),
        m.MemberList(6, "#dev", ["cyd"], {"count": 3, "more": False}),
        m.MemberList(7, "#none", [], {"count": 0, "more": False}),
    ]


def test_rooms_in_pages(office: Office) -> None:
    office.hello(1, 1, ADA, "ada", "#B", "#a")
    asked = office.ask(1, ["rooms", 1, 5, "", 2], ["rooms", 1, 6, "#b", 2], ["rooms", 1, 7, "#LOBBY", 2])
    assert [item[2] for item in asked] == [
        m.RoomList(5, [["#a", 1], ["#B", 1]], {"more": True}),
        m.RoomList(6, [["#lobby", 1]], {"more": False}),
        m.RoomList(7, [], {"more": False}),
    ]


# --- messages ------------------------------------------------------------------------------------------------------------


def test_a_message_to_a_room_goes_once_to_each_worker_with_people_there(office: Office) -> None:
    for number, sid, identity, name in [(1, 1, ADA, "ada"), (1, 2, CYD, "cyd"), (2, 1, BOB, "bob")]:
        office.hello(number, sid, identity, name, *(["#dev"] if number == 1 else []))
    office.ask(1, send(1, 1, "#DEV", "hello"))
    message = m.Msg(1, office.now_ms, "#dev", "ada", ref(1), "hello", {"conv": "#dev", "from": ADA})
    assert office.heard(1) == [["room", 1, "#dev", message]]
    assert office.heard(2) == []


def test_a_message_to_a_person_goes_to_all_connections_of_both(office: Office) -> None:
    for number, sid, identity, name in [(1, 1, ADA, "ada"), (2, 1, ADA, "ada"), (1, 2, BOB, "Bob"), (2, 2, CYD, "cyd")]:
        office.hello(number, sid, identity, name)
    office.ask(1, send(1, 1, "bob", "psst"))
    message = m.Msg(1, office.now_ms, "Bob", "ada", ref(1), "psst", {"conv": direct(ADA, BOB), "from": ADA})
    assert office.heard(1) == [["direct", 1, [1, 2], message]]
    assert office.heard(2) == [["direct", 1, [1], message]]


def test_a_message_to_oneself_comes_once(ada_and_bob: Office) -> None:
    (answer,) = ada_and_bob.ask(1, send(1, 1, "ada"))
    assert answer[:3] == ["direct", 1, [1]]
    assert answer[3].options["conv"] == direct(ADA, ADA)


def test_one_who_has_left_can_be_written_to_and_answered_under_their_name(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.ask(2, ["gone", 1, False, 0])
    (in_grace,) = office.ask(1, send(1, 1, "BOB"))
    office.now_ms += GRACE_MS + 1
    office.broker.tick(office.now_ms)
    (later,) = office.ask(1, send(1, 2, "BOB"))
    (answer,) = office.ask(1, send(1, 3, "whoever", conv=direct(ADA, BOB)))
    assert [item[3].to for item in (in_grace, later, answer)] == ["bob"] * 3
    assert [item[3].options["conv"] for item in (in_grace, later, answer)] == [direct(ADA, BOB)] * 3


def test_nobody_is_nobody(office: Office) -> None:
    """Neither is one who was written to, and has no name in the log, whoever writes to no name."""
    office.log.people[CYD] = Person(CYD, "", "", 0)
    office.hello(1, 1, ADA, "ada")
    assert office.error(1, send(1, 1, "")) == Code.NO_SUCH_USER
    assert office.error(1, send(1, 2, "zoe")) == Code.NO_SUCH_USER
    assert office.error(1, ["find", 1, 3, "", None, 10]) == Code.NO_SUCH_USER


def test_the_conversation_decides_and_not_the_name(ada_and_bob: Office) -> None:
    office = ada_and_bob
    (answer,) = office.ask(1, send(1, 1, "cyd", conv=direct(ADA, BOB)))
    assert (answer[3].to, answer[3].options["conv"]) == ("bob", direct(ADA, BOB))
    (answer,) = office.ask(1, send(1, 2, "bob", conv="#dev"))
    assert answer[:3] == ["room", 2, "#dev"]
    assert answer[3].to == "#dev"


@pytest.mark.parametrize(
    ("conv", "code"),
    [
        (direct(BOB, CYD), Code.NO_SUCH_CONVERSATION),
        (f"{BOB}~{ADA}", Code.NO_SUCH_CONVERSATION),
        (direct(ADA, CYD), Code.NO_SUCH_CONVERSATION),
        (f"{ADA}~", Code.NO_SUCH_CONVERSATION),
        ("~", Code.NO_SUCH_CONVERSATION),
        ("#DEV", Code.NOT_IN_ROOM),
        ("", Code.NOT_IN_ROOM),
        ("#none", Code.NOT_IN_ROOM),
    ],
)
def test_a_conversation_that_is_none_of_ones_own(ada_and_bob: Office, conv: str, code: Code) -> None:
    assert ada_and_bob.error(1, send(1, 1, "bob", conv=conv)) == code
    assert not ada_and_bob.log.entries


def test_one_without_a_name_in_the_log_is_called_what_the_sender_calls_them(office: Office) -> None:
    office.log.people[CYD] = Person(CYD, "", "", 0)
    office.hello(1, 1, ADA, "ada")
    (answer,) = office.ask(1, send(1, 1, "cyd", conv=direct(ADA, CYD)))
    assert answer[3].to == "cyd"
    assert office.error(1, send(1, 2, "not a name", conv=direct(ADA, CYD))) == Code.BAD_NAME


def test_the_history_of_a_person_is_that_of_the_conversation(ada_and_bob: Office) -> None:
    assert ada_and_bob.ask(1, ["find", 1, 5, "BOB", 9, 20]) == [["page", 1, 5, "BOB", direct(ADA, BOB), 9, 20]]


# --- topics --------------------------------------------------------------------------------------------------------------


def test_a_topic_is_a_message_of_the_log_that_is_told_to_who_joins(ada_and_bob: Office) -> None:
    office = ada_and_bob
    assert told_topic(office, 1, 1) == {}
    office.ask(1, topic(1, 1, "#DEV", "tea at five"))
    message = m.Msg(1, office.now_ms, "#dev", "ada", ref(1), "tea at five", {"conv": "#dev", "from": ADA, "topic": True})
    assert office.heard(1) == office.heard(2) == [["room", 1, "#dev", message]]
    known = {"topic": "tea at five", "topic_by": "ada", "topic_ms": office.now_ms}
    office.now_ms += 5
    assert told_topic(office, 2, 1) == known
    assert [joined[4] for joined in office.hello(1, 2, CYD, "cyd", "#dev")[5]] == [{}, known]
    office.ask(2, topic(1, 1, "whatever", "", conv="#dev"))
    assert told_topic(office, 1, 1) == {}, "an empty one clears it"


def test_a_topic_outlives_the_people_and_the_broker(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.ask(1, topic(1, 1, "#dev", "tea"))
    told = told_topic(office, 2, 1)
    office.ask(1, topic(1, 2, "#lobby", "lobby"), ["part", 1, 3, "#dev"])
    office.ask(2, ["part", 1, 3, "#dev"])
    assert told_topic(office, 2, 1) == told
    office = Office(log=office.log).open()
    office.introduce(1, [1, ADA, "ada", ["#lobby", "#dev"]])
    office.settle()
    assert told_topic(office, 1, 1) == told


def test_the_log_is_asked_for_a_topic_once(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office().open()
    asked: list[str] = []
    monkeypatch.setattr(office.log, "topic", asked.append)
    for sid in range(3):
        office.hello(1, sid, f"g{sid:016}", f"n{sid}", "#dev")
    assert told_topic(office, 1, 1) == {}
    assert asked == ["#lobby", "#dev"]


def test_a_topic_is_set_once_and_in_order_like_any_message(ada_and_bob: Office) -> None:
    office = ada_and_bob
    assert office.error(1, topic(1, 2, "#dev", "tea", prev=1)) == Code.OUT_OF_ORDER
    office.ask(1, send(1, 1, "#dev", "hi"), topic(1, 2, "#dev", "tea", prev=1), send(1, 3, "#dev", "hi", prev=2))
    assert [entry.topic for entry in office.log.entries] == [False, True, False]
    office.ask(2, topic(1, 1, "#dev", "milk"))
    (again,) = office.ask(1, topic(1, 2, "#dev", "tea", prev=1))
    assert (again[0], again[2].options.get("again"), again[2].options.get("topic")) == ("reply", True, True)
    assert told_topic(office, 1, 1)["topic"] == "milk", "a repeat sets nothing"
    assert office.error(1, topic(1, 2, "#dev", "coffee")) == Code.ID_REUSED
    assert office.error(1, send(1, 2, "#dev", "tea")) == Code.ID_REUSED, "it was no message"
    assert office.error(1, topic(1, 1, "#dev", "hi")) == Code.ID_REUSED, "it was no topic"
    assert len(office.log.entries) == 4


def test_only_who_is_in_a_room_sets_its_topic(ada_and_bob: Office) -> None:
    assert ada_and_bob.error(1, topic(1, 1, "#elsewhere", "tea")) == Code.NOT_IN_ROOM
    assert not ada_and_bob.log.entries


# --- once, and in order ----------------------------------------------------------------------------------------------------


def test_a_repeat_stores_nothing_and_answers_one_connection(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.ask(1, send(1, 1, "#dev", "hello"))
    office.hello(1, 2, ADA, "ada", "#dev", known=True)
    (answer,) = office.ask(1, send(2, 1, "#dev", "hello"))
    assert answer[:2] == ["reply", 2]
    assert (answer[2].id, answer[2].options["again"]) == (1, True)
    assert office.heard(2) == []
    assert office.log.count == 1
    assert office.batches[1][0] == 1


@pytest.mark.parametrize("same_turn", [True, False])
@pytest.mark.parametrize(
    ("to", "text", "conv", "good"),
    [
        ("#dev", "hello", None, True),
        ("#DEV", "hello", None, True),
        ("anything", "hello", "#dev", True),
        ("#dev", "hello!", None, False),
        ("#lobby", "hello", None, False),
        ("#dev", "hello", "#lobby", False),
        ("bob", "hello", None, False),
    ],
)
def test_a_key_stands_for_one_text_in_one_place(
    ada_and_bob: Office, to: str, text: str, conv: str | None, good: bool, same_turn: bool
) -> None:
    office = ada_and_bob
    office.request(1, send(1, 1, "#dev", "hello"))
    if not same_turn:
        office.settle()
    answer = office.ask(1, send(1, 1, to, text, conv))[-1][2]
    assert isinstance(answer, m.Msg) if good else answer.code == Code.ID_REUSED
    assert office.log.count == 1


def test_a_key_is_ones_own(ada_and_bob: Office) -> None:
    ada_and_bob.ask(1, send(1, 1, "#dev", "of ada"))
    ada_and_bob.ask(2, send(1, 1, "#dev", "of bob"))
    assert [entry.text for entry in ada_and_bob.log.entries] == ["of ada", "of bob"]


def test_what_follows_a_refused_message_is_refused(ada_and_bob: Office) -> None:
    office = ada_and_bob
    answers = office.ask(1, send(1, 1, "#dev"), send(1, 2, "#no", prev=1), send(1, 3, "#dev", prev=2), send(1, 4, "#dev", prev=1))
    assert [item[0] for item in answers] == ["room", "reply", "reply", "room"]
    assert [item[2].code for item in answers[1:3]] == [Code.NOT_IN_ROOM, Code.OUT_OF_ORDER]
    assert office.error(1, send(1, 5, "#dev", prev=3)) == Code.OUT_OF_ORDER
    assert office.ask(1, send(1, 3, "#dev", prev=4))[0][0] == "room", "an error used up no ref"


def test_messages_that_come_together_are_one_run(ada_and_bob: Office) -> None:
    ada_and_bob.ask(1, run(1, 1, "#dev", "one"))
    before = ada_and_bob.log.written
    answers = ada_and_bob.ask(1, run(1, 2, "#dev", "two", "three", "four"))
    assert [(item[1], item[3].text) for item in answers] == [(2, "two"), (3, "three"), (4, "four")]
    assert ada_and_bob.log.written - before == 1


@pytest.mark.parametrize("same_turn", [True, False])
def test_what_is_repeated_of_a_run_is_stored_once(ada_and_bob: Office, same_turn: bool) -> None:
    first, again = run(1, 1, "#dev", "one", "two", "three"), run(1, 2, "#dev", "two", "3", "four")
    answers = ada_and_bob.ask(1, first, again) if same_turn else [*ada_and_bob.ask(1, first), *ada_and_bob.ask(1, again)]
    told = [item[-1] for item in answers[3:]]
    assert (told[0].id, told[0].text, told[0].options["again"]) == (2, "two", True)
    assert (told[1].ref, told[1].code) == (ref(3), Code.ID_REUSED)
    assert (told[2].id, told[2].text) == (4, "four")
    assert [entry.text for entry in ada_and_bob.log.entries] == ["one", "two", "three", "four"]


def test_of_a_run_whose_first_is_refused_the_others_are_judged_by_themselves(ada_and_bob: Office) -> None:
    answers = ada_and_bob.ask(1, run(1, 2, "#dev", "b", "c", "d", "e", prevs=[1, 2, None, 4]))
    assert [item[-1].code for item in answers[:2]] == [Code.OUT_OF_ORDER, Code.OUT_OF_ORDER]
    assert [item[-1].text for item in answers[2:]] == ["d", "e"]
    answers = ada_and_bob.ask(1, run(1, 6, "#no", "f", "g", prevs=[None, 6]))
    assert [item[-1].code for item in answers] == [Code.NOT_IN_ROOM, Code.OUT_OF_ORDER]


# --- the disk ------------------------------------------------------------------------------------------------------------


def test_the_trouble_is_over_when_the_log_takes_a_probe(ada_and_bob: Office) -> None:
    """And not when a few rows fitted in, or what was to be stored of people."""
    office = ada_and_bob
    office.log.next_failure = office.log.no_room = StorageFull("full")
    assert office.error(1, send(1, 1, "#dev")) == Code.STORAGE_FULL
    office.settle()
    assert office.ask(1, send(1, 1, "#dev"))[0][0] == "room"
    office.broker.tick(office.now_ms)
    assert office.broker.trouble is office.log.no_room
    assert office.broker.figures()["trouble"] == "full"
    office.log.no_room = None
    office.broker.tick(office.now_ms)
    assert office.broker.figures()["trouble"] is None


def test_what_could_not_be_stored_of_people_is_stored_later(office: Office) -> None:
    office.hello(1, 1, ADA, "ada")
    office.log.next_failure = StorageFull("full")
    office.ask(1, ["join", 1, 2, "#dev"])
    assert not office.log.people
    office.broker.tick(office.now_ms)
    office.settle()
    assert [*office.log.people] == [ADA]


def test_what_could_not_be_stored_of_people_is_not_tried_in_each_turn(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be much of it, and a turn is short. Messages are tried, without it."""
    office.hello(1, 1, ADA, "ada")
    office.hello(1, 2, BOB, "bob")
    tried = []
    append = office.log.append

    def append_and_note(drafts: Sequence[Run], people: Sequence[Person]) -> list[Run]:
        tried.append((len(drafts), [person.name for person in people]))
        return append(drafts, people)

    monkeypatch.setattr(office.log, "append", append_and_note)
    office.log.next_failure = office.log.no_room = StorageFull("full")
    office.ask(1, ["join", 1, 2, "#dev"])
    for _ in range(3):
        office.ask(1, ["join", 2, 2, "#dev"])
        office.broker.tick(office.now_ms)
    office.ask(1, send(1, 1, "#dev"))
    assert tried == [(0, ["ada"]), (1, [])]
    office.log.no_room = None
    office.broker.tick(office.now_ms)
    office.settle()
    assert tried[2:] == [(0, ["ada", "bob"])]


def test_of_people_who_could_not_be_stored_not_endlessly_many_are_held(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.core.people._UNWRITTEN_MOST", 2)
    office.log.next_failure = office.log.no_room = StorageFull("full")
    for number, name in enumerate(["ada", "bob", "cyd"], 1):
        office.hello(1, number, f"g{number:016}", name, "#dev")
    office.log.no_room = None
    office.broker.tick(office.now_ms)
    office.settle()
    assert [person.name for person in office.log.people.values()] == ["ada", "bob"]
    office.ask(1, ["join", 3, 2, "#ops"])
    assert [person.name for person in office.log.people.values()] == ["ada", "bob", "cyd"]


class UnreadableLog(MemoryLog):
    """Cannot be read while `broken`."""

    broken = False

    def _check(self) -> None:
        if self.broken:
            raise StorageUnavailable("moved")

    def newest_counter(self, identity: str, instance: int) -> int | None:
        self._check()
        return super().newest_counter(identity, instance)

    def person(self, identity: str) -> Person | None:
        self._check()
        return super().person(identity)

    def people_named(self, name_key: str) -> list[Person]:
        self._check()
        return super().people_named(name_key)

    def topic(self, conv: str) -> Entry | None:
        self._check()
        return super().topic(conv)


def test_a_log_that_cannot_be_read_refuses_what_needs_it_and_nothing_else() -> None:
    log = UnreadableLog()
    office = Office(log=log).open()
    office.hello(1, 1, ADA, "ada")
    log.broken = True
    assert office.error(1, send(1, 1, "#lobby")) == Code.STORAGE_UNAVAILABLE
    assert office.error(1, ["find", 1, 2, "zoe", None, 10]) == Code.STORAGE_UNAVAILABLE
    assert office.broker.trouble is not None
    assert office.hello(1, 2, BOB, "bob", known=True)[0] == "welcome"
    assert office.ask(1, ["join", 2, 3, "#dev"])[0][0] == "joined"
    log.broken = False
    assert office.ask(1, send(1, 1, "#lobby"))[0][0] == "room"


def test_a_topic_that_could_not_be_read_is_told_later() -> None:
    log = UnreadableLog()
    office = Office(log=log).open()
    office.hello(1, 1, ADA, "ada")
    office.ask(1, topic(1, 1, "#lobby", "tea"))
    office = Office(log=log).open()
    log.broken = True
    assert office.hello(1, 2, BOB, "bob")[5][0][4] == {}
    log.broken = False
    assert told_topic(office, 1, 2, "#lobby")["topic"] == "tea"


# --- typing ----------------------------------------------------------------------------------------------------------------


def test_who_is_typing_is_told_in_its_place_among_the_messages(ada_and_bob: Office) -> None:
    office = ada_and_bob
    typing = ["typing", "#dev", [], ADA, m.IsTyping("#dev", "ada", {"conv": "#dev", "from": ADA})]
    office.request(1, ["typing", 1, 5, "#DEV", None], send(1, 1, "#dev"), ["typing", 1, 6, "", "#dev"])
    office.settle()
    for number in (1, 2):
        assert [item if item[0] == "typing" else item[0] for item in office.heard(number)] == [typing, "room", typing]


def test_who_is_typing_to_somebody_is_told_to_all_their_devices(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.hello(1, 7, BOB, "bob", known=True)
    conv = direct(ADA, BOB)
    heard = m.IsTyping("bob", "ada", {"conv": conv, "from": ADA})
    for to, place in (("BOB", None), ("", conv)):
        assert office.ask(1, ["typing", 1, 5, to, place]) == [["typing", conv, [7], ADA, heard]]
        assert office.heard(2) == [["typing", conv, [1], ADA, heard]]
    assert office.log.people == {ADA: office.log.people[ADA], BOB: office.log.people[BOB]}


def test_typing_to_nobody_is_nothing(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.hello(1, 2, CYD, "cyd")
    office.ask(1, ["gone", 2, False, 0])
    nowhere = ["#elsewhere", None], ["cyd", None], ["nobody", None], ["ada", None], ["", "~"], ["", direct(BOB, CYD)], ["", "#x"]
    assert office.ask(1, *(["typing", 1, 5, to, conv] for to, conv in nowhere)) == []
    assert office.batches[1][1] == office.next_number[1] - 1, "it is dealt with all the same"


def test_not_more_typists_of_a_conversation_are_told_of_than_matter(ada_and_bob: Office) -> None:
    office = ada_and_bob
    for _ in range(2):
        heard = office.ask(2, *(["typing", 1, 5, "#dev", None] for _ in range(100)))
        assert len(heard) == 5
        office.now_ms += 1_000
        office.broker.tick(office.now_ms)


def test_in_a_large_room_nobody_is_told_who_is_typing(office: Office) -> None:
    for sid in range(MEMBERS_SHOWN + 1):
        office.request(1, ["hello", sid, 1, f"g{sid:016}", f"n{sid}", None, None, [], False])
    office.settle()
    assert office.ask(1, ["typing", 1, 5, "#lobby", None]) == []
    office.ask(1, ["gone", 7, False, 0])
    assert len(office.ask(1, ["typing", 1, 5, "#lobby", None])) == 1


# --- workers and brokers die -----------------------------------------------------------------------------------------------


def test_the_names_of_a_dead_worker_are_kept_for_a_grace(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.now_ms += GRACE_MS
    office.broker.worker_gone(1, 0, office.now_ms)
    office.settle()
    assert office.heard(2, presence=True) == [
        ["presence", "#lobby", "#lobby", [], ["ada"], 1, {}],
        ["presence", "#dev", "#dev", [], ["ada"], 1, {}],
    ]
    assert office.hello(2, 2, CYD, "ada")[:4] == ["refused", 2, 1, Code.NAME_TAKEN]
    assert office.hello(2, 2, ADA, "ada", known=True)[0] == "welcome"
    office.ask(2, ["gone", 2, False, 0])
    office.now_ms += GRACE_MS
    assert office.hello(2, 2, CYD, "ada")[0] == "welcome"


def test_the_death_of_a_former_generation_is_no_news(office: Office) -> None:
    office.broker.worker_gone(1, 0, office.now_ms)
    office.broker.worker_came(1, 1)
    office.introduce(1)
    office.settle()
    office.hello(1, 1, ADA, "ada")
    office.broker.worker_gone(1, 0, office.now_ms)
    office.broker.worker_gone(9, 0, office.now_ms)
    assert office.broker.figures()["users"] == 1


def test_what_a_dead_worker_asked_for_is_carried_out_and_answered_to_nobody(ada_and_bob: Office) -> None:
    """Its successor may come within the same turn, and has sessions with the same numbers: they are other people's."""
    office = ada_and_bob
    office.ask(2, send(1, 1, "#dev", "said"))
    office.request(
        2, ["find", 1, 9, "ada", None, 10], ["whois", 1, 10, "ada"], send(1, 1, "#dev", "said"), send(1, 2, "ada", "bye")
    )
    office.broker.worker_gone(2, 0, office.now_ms)
    office.broker.worker_came(2, 1)
    office.introduce(2)
    office.settle()
    assert office.heard(2) == [["snapshot", office.log.uuid, office.log.key]]
    assert [item[3].text for item in office.heard(1) if item[0] == "direct"] == ["bye"]


def test_what_an_unknown_worker_or_session_asks_for_is_nothing(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.broker.receive(9, ["requests", 0, [["gone", 1, False, 0]]], office.now_ms)
    assert office.ask(1, send(99, 1, "#dev"), ["gone", 99, False, 0], ["join", 99, 2, "#a"], ["present", 99, None, "#dev"]) == []
    assert office.batches[1][1] == office.next_number[1] - 1, "it is answered all the same"


def test_a_new_broker_takes_people_in_as_their_workers_know_them(ada_and_bob: Office) -> None:
    """Bob's worker died together with the old broker: whoever is left hears that he is not there."""
    ada_and_bob.ask(1, send(1, 1, "#dev"))
    office = Office(workers=2, log=ada_and_bob.log)
    office.introduce(1, [1, ADA, "ada", ["#lobby", "#Dev"]])
    office.broker.begin(office.now_ms)
    office.broker.worker_gone(2, 0, office.now_ms)
    office.settle()
    assert office.heard(1, presence=True) == [
        ["snapshot", office.log.uuid, office.log.key],
        ["present", "#dev", m.Presence("#Dev", {"count": 1, "members": ["ada"]})],
        ["present", "#lobby", m.Presence("#lobby", {"count": 1, "members": ["ada"]})],
    ]
    assert office.batches[1][0] == 1
    assert office.ask(1, send(1, 2, "#dev", prev=1))[0][:3] == ["room", 2, "#dev"]


def test_a_session_whose_name_is_somebody_elses_by_now_is_lost() -> None:
    office = Office(workers=2)
    office.broker.begin(office.now_ms)
    office.introduce(1, [1, ADA, "ada", ["#lobby"]])
    office.introduce(2, [1, BOB, "Ada", ["#lobby"]])
    office.settle()
    assert [item[:3] for item in office.heard(2) if item[0] == "lost"] == [["lost", 1, Code.NAME_TAKEN]]
    assert office.ask(2, send(1, 1, "#lobby")) == []


@pytest.mark.parametrize("request_", [["join", 1, 2, "#new"], ["part", 1, 2, "#dev"], send(1, 2, "#dev")])
def test_a_request_is_carried_out_twice_without_harm(request_: Item) -> None:
    """A new broker gets it again, from a worker that has not heard what became of it."""
    log = MemoryLog()
    office = Office(log=log).open()
    office.hello(1, 1, ADA, "ada", "#dev")
    (first,) = office.ask(1, request_)
    office = Office(log=log)
    office.broker.begin(office.now_ms)
    office.introduce(1, [1, ADA, "ada", ["#lobby", "#dev"]])
    office.settle()
    (again,) = office.ask(1, request_)
    assert again[0] == ("reply" if request_[0] == "send" else first[0])
    assert log.count == (request_[0] == "send")


def test_a_worker_that_does_not_read_is_told_nothing_and_everything_anew_when_it_does(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.request(2, ["join", 1, 5, "#new"])  # decided, but not told
    office.broker.fell_behind(2)
    office.ask(1, send(1, 1, "#dev"), ["part", 1, 6, "#dev"])
    assert 2 not in office.batches
    assert office.broker.figures()["workers"] == [{"number": 1, "behind": 0}, {"number": 2, "behind": 1}]
    assert office.ask(2, ["part", 1, 7, "#dev"]) == [], "it will be asked again"
    office.broker.caught_up(2)
    office.settle()
    assert office.batches[2] == [0, -1, [["introduce"]]], "neither the position nor what was answered is told"
    office.settle()
    assert office.batches == {}
    office.introduce(2, [1, BOB, "bob", ["#lobby", "#dev"]])
    office.settle()
    assert office.heard(2) == [
        ["snapshot", office.log.uuid, office.log.key],
        ["present", "#lobby", m.Presence("#lobby", {"count": 2, "members": ["ada", "bob"]})],
        ["present", "#dev", m.Presence("#dev", {"count": 1, "members": ["bob"]})],
    ]
    assert office.batches[2][0] == 1
    assert office.broker.figures()["workers"] == [{"number": 1, "behind": 0}, {"number": 2, "behind": 0}]


def test_one_who_is_not_introduced_again_is_gone(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.broker.fell_behind(2)
    office.broker.caught_up(2)
    office.introduce(2)
    office.settle()
    assert ["presence", "#dev", "#dev", [], ["bob"], 1, {}] in office.heard(1, presence=True)


def test_figures(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.hello(1, 2, ADA, "ada", known=True)
    office.ask(1, send(1, 1, "#dev"))
    workers = [{"number": 1, "behind": 0}, {"number": 2, "behind": 0}]
    figures = {"users": 2, "rooms": 2, "messages": 1, "last": 1, "trouble": None, "workers": workers}
    assert office.broker.figures() == figures


# --- whatever is asked -----------------------------------------------------------------------------------------------------

TARGETS = st.sampled_from(["#lobby", "#a", "#A", "ada", "Bob", "cyd", "nobody", "", "#", "＃a", "a~b", "ᚠ", "#ᚠ", "x" * 50])
CONVS = st.none() | TARGETS | st.sampled_from([direct(ADA, BOB), direct(ADA, ADA), f"{BOB}~{ADA}", "~", "~~"])
ROOM_NAMES = st.sampled_from(["#lobby", "#a", "#A", "#b", "#ﬀ", "#FF"])


def requests(number: int) -> st.SearchStrategy[Item]:
    """Of this worker; all its refs have its number as their instance."""
    sids = st.integers(1, 3)
    refs = st.integers(1, 6).map(lambda counter: m.make_ref(number, counter))
    identities = st.sampled_from([ADA, BOB, CYD])
    messages = st.tuples(refs, st.sampled_from("xy"), st.none() | st.integers(1, 6))
    limit = st.integers(1, 200)
    after = st.none() | st.integers(0, 5)
    names = st.sampled_from(["ada", "Ada", "bob", "eve", "not a name", "root", ""])
    log = st.sampled_from([None, MemoryLog().uuid, "another"])
    chained = st.lists(st.booleans(), min_size=2, max_size=2)
    shapes = [
        st.tuples(st.just("hello"), sids, refs, identities, names, after, log, st.lists(TARGETS, max_size=3), st.booleans()),
        st.tuples(st.just("join"), sids, refs, ROOM_NAMES),
        st.tuples(st.just("part"), sids, refs, ROOM_NAMES),
        st.builds(several, sids, TARGETS, CONVS, st.lists(messages, min_size=1, max_size=3), chained),
        st.builds(several, sids, st.just("#lobby"), st.none(), st.lists(messages, min_size=1, max_size=3), chained),
        st.builds(a_topic, sids, refs, ROOM_NAMES, st.none() | ROOM_NAMES.map(fold), st.sampled_from(["x", "y", ""])),
        st.tuples(st.just("find"), sids, refs, TARGETS, after, limit),
        st.tuples(st.just("members"), sids, refs, ROOM_NAMES, TARGETS, limit),
        st.tuples(st.just("rooms"), sids, refs, TARGETS, limit),
        st.tuples(st.just("gone"), sids, st.booleans(), st.sampled_from([0, 5_000])),
    ]
    return st.one_of(shapes).map(list)


def several(sid: int, to: str, conv: str | None, messages: list[tuple[int, str, int | None]], chained: list[bool]) -> Item:
    """Messages that follow each other; some of those behind the first one only if the one before it is there."""
    ref, _, prev = messages[0]
    counter = m.split_ref(ref)[1]
    prevs = [prev, *(counter + n if follows else None for n, follows in zip(range(len(messages) - 1), chained, strict=False))]
    return ["send", sid, ref, to, [text for _, text, _ in messages], conv, prevs]


def a_topic(sid: int, ref: int, to: str, conv: str | None, text: str) -> Item:
    return ["topic", sid, ref, to, [text], conv, [None]]


class Seen:
    """What one worker is told, turn by turn: each request has one outcome, in the order of the requests."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.position = 0
        self.here: dict[int, str] = {}
        """Who is behind each session."""

    def check(self, batch: Batch, asked: list[Item]) -> None:
        position, _, items = batch
        ids = [item[1] for item in items if item[0] in ("room", "direct")]
        assert ids == sorted(set(ids))
        assert all(self.position < id <= position for id in ids)
        self.position = position
        outcomes = iter([item for item in items if self.is_outcome(item)])
        for request in asked:
            self.follow(request, outcomes)
        assert next(outcomes, None) is None

    def is_outcome(self, item: Item) -> bool:
        """It answers a request of this worker, as far as it alone can say."""
        if item[0] in ("room", "direct"):
            return m.split_ref(item[-1].ref)[0] == self.number
        return item[0] not in ("presence", "present", "elsewhere")

    def follow(self, request: Item, outcomes: Iterator[Item]) -> None:
        tag, sid, *fields = request
        if tag == "gone":
            self.here.pop(sid, None)
        elif tag == "hello":
            outcome = next(outcomes)
            assert outcome[0] in ("welcome", "refused")
            assert outcome[1:3] == [sid, fields[0]]
            self.here.pop(sid, None)
            if outcome[0] == "welcome":
                self.here[sid] = fields[1]
        elif sid in self.here:
            for ref in range(fields[0], fields[0] + len(fields[2])) if tag in ("send", "topic") else fields[:1]:
                outcome = next(outcomes)
                if outcome[0] in ("room", "direct"):
                    assert tag == ("topic" if outcome[-1].options.get("topic") else "send")
                    assert (outcome[-1].options["from"], outcome[-1].ref) == (self.here[sid], ref)
                else:
                    assert (outcome[1], outcome[-1].ref if outcome[0] == "reply" else outcome[2]) == (sid, ref)


def check_topics(office: Office, batch: Batch) -> None:
    """Whoever joined a room, and has not made it go away in the same turn, is told the topic that it had at that position."""
    for item in batch[2]:
        if item[0] not in ("joined", "welcome"):
            continue
        position, rooms = (item[3], [item[4]]) if item[0] == "joined" else (item[4], item[5])
        for _, conv, _, _, options in rooms:
            told = [entry for entry in office.log.entries if entry.topic and entry.conv == conv and entry.id <= position]
            if conv in [room.conv for room in office.broker._rooms]:
                assert options.get("topic", "") == (told[-1].text if told else "")


TURNS = st.lists(
    st.tuples(
        st.lists(
            st.integers(1, 2).flatmap(lambda n: st.tuples(st.just(n), st.lists(requests(n), min_size=1, max_size=4))), max_size=3
        ),
        st.sampled_from([None, None, None, StorageFull("full"), StorageUnavailable("gone")]),
        st.integers(0, 2 * GRACE_MS),
    ),
    max_size=8,
)


@given(TURNS)
def test_every_request_has_one_outcome_and_a_name_one_owner(
    turns: list[tuple[list[tuple[int, list[Item]]], StorageError | None, int]],
) -> None:
    office = Office(workers=2).open()
    workers = {number: Seen(number) for number in (1, 2)}
    for batches, failure, pause_ms in turns:
        office.now_ms += pause_ms
        office.log.next_failure = failure
        for number, items in batches:
            office.request(number, *items)
        office.settle()
        for number, batch in office.batches.items():
            workers[number].check(batch, [item for other, items in batches if other == number for item in items])
            check_topics(office, batch)
        owners: dict[str, set[str]] = {}
        for worker in office.broker._workers.values():
            for session in worker.sessions.values():
                owners.setdefault(session.key, set()).add(session.identity)
        assert all(len(identities) == 1 for identities in owners.values())
