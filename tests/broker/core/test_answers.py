"""broker.core.answers: what the workers are told of a turn, behind its commit and in its order, as a broker has it."""

from __future__ import annotations

import pytest

from broker.log import StorageError, StorageFull, StorageUnavailable
from common import messages as m
from common.errors import Code
from common.limits import MEMBERS_SHOWN
from common.routing import Item
from tests.support.office import ADA, BOB, CYD, Office, ref, run, send, told_topic, topic

# --- each in its place --------------------------------------------------------------------------------------------------


def test_one_who_joins_and_parts_between_messages_of_one_turn_is_told_where(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.hello(1, 2, CYD, "cyd")
    office.request(1, send(1, 1, "#dev"), ["join", 2, 5, "#dev"], send(1, 2, "#dev"), ["part", 2, 6, "#dev"], send(1, 3, "#dev"))
    office.settle()
    kinds = [(item[0], item[1] if item[0] == "room" else item[3]) for item in office.heard(1)]
    assert kinds == [("room", 1), ("joined", 1), ("room", 2), ("parted", 2), ("room", 3)]
    assert office.batches[1][0] == 3


def test_a_repeat_in_the_same_turn(ada_and_bob: Office) -> None:
    first, again = ada_and_bob.ask(1, send(1, 1, "#dev", "hello"), send(1, 1, "#dev", "hello"))
    assert (first[0], again[0], again[2].id, again[2].options["again"]) == ("room", "reply", 1, True)
    assert ada_and_bob.log.count == 1


def test_every_message_of_a_run_is_refused_with_it(ada_and_bob: Office) -> None:
    ada_and_bob.log.next_failure = StorageFull("full")
    answers = ada_and_bob.ask(1, run(1, 1, "#dev", "one", "two"))
    assert [(item[-1].ref, item[-1].code) for item in answers] == [(ref(n), Code.STORAGE_FULL) for n in (1, 2)]
    assert [item[-1].text for item in ada_and_bob.ask(1, run(1, 1, "#dev", "one", "two"))] == ["one", "two"]


@pytest.mark.parametrize(
    ("failure", "code"), [(StorageFull("full"), Code.STORAGE_FULL), (StorageUnavailable("gone"), Code.STORAGE_UNAVAILABLE)]
)
def test_nobody_sees_a_message_that_is_not_on_the_disk(ada_and_bob: Office, failure: StorageError, code: Code) -> None:
    office = ada_and_bob
    office.log.next_failure = failure
    office.request(2, ["join", 1, 9, "#new"])
    answers = office.ask(1, send(1, 1, "#dev"), send(1, 2, "#dev", prev=1), send(1, 1, "#dev"))
    assert [(item[0], item[1], item[2].ref, item[2].code) for item in answers] == [
        ("reply", 1, ref(counter), code) for counter in (1, 2, 1)
    ]
    assert office.heard(2) == [["joined", 1, 9, 0, ["#new", "#new", 1, ["bob"], {}]]], "what is in memory goes on"
    assert office.broker.trouble is failure
    assert office.batches[1][0] == 0
    office.ask(1, send(1, 1, "#dev"), send(1, 2, "#dev", prev=1))
    assert [item[0] for item in office.heard(1)] == ["room", "room"]
    office.broker.tick(office.now_ms)
    assert office.broker.trouble is None


def test_every_worker_is_told_the_position_now_and_then(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.ask(2, ["part", 1, 2, "#dev"])
    office.ask(1, send(1, 1, "#dev"))
    assert 2 not in office.batches
    office.broker.tick(office.now_ms)
    office.settle()
    assert office.batches == {2: [1, 1, []]}
    office.broker.tick(office.now_ms)
    office.settle()
    assert office.batches == {}


# --- topics -------------------------------------------------------------------------------------------------------------


def test_each_joined_tells_the_topic_at_its_own_position(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.request(
        1, ["join", 1, 1, "#dev"], topic(1, 1, "#dev", "tea"), ["join", 1, 2, "#dev"], topic(1, 2, "#dev", "milk"),
        ["join", 1, 3, "#dev"], topic(1, 3, "#dev", ""), ["join", 1, 4, "#dev"],
    )  # fmt: skip
    office.request(2, ["hello", 2, 1, CYD, "cyd", None, None, ["#dev"], False])
    office.settle()
    joined = [(item[3], item[4][4].get("topic")) for item in office.heard(1) if item[0] == "joined"]
    assert joined == [(0, None), (1, "tea"), (2, "milk"), (3, None)]


def test_a_topic_that_could_not_be_stored_is_none(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.ask(1, topic(1, 1, "#dev", "tea"))
    office.log.next_failure = StorageFull("full")
    refused, joined = office.ask(1, topic(1, 2, "#dev", "milk"), ["join", 1, 3, "#dev"])
    assert refused[2].code == Code.STORAGE_FULL
    assert joined[4][4]["topic"] == "tea"
    assert told_topic(office, 2, 1)["topic"] == "tea"


def test_the_topic_of_a_room_that_all_leave_in_the_same_turn(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.request(1, topic(1, 1, "#dev", "tea"), ["part", 1, 2, "#dev"])
    office.request(2, ["part", 1, 2, "#dev"], ["join", 1, 3, "#dev"])
    office.settle()
    (joined,) = [item for item in office.heard(2) if item[0] == "joined"]
    assert joined[4][4]["topic"] == "tea"
    office.request(2, topic(1, 2, "#dev", "milk"), ["part", 1, 4, "#dev"])
    office.settle()
    assert told_topic(office, 2, 1)["topic"] == "milk"


# --- who is where -------------------------------------------------------------------------------------------------------


def test_presence_is_told_once_a_turn_to_the_workers_that_have_people_there(office: Office) -> None:
    office.hello(1, 1, ADA, "ada", "#dev")
    office.hello(2, 1, BOB, "bob")
    office.request(1, ["hello", 2, 1, CYD, "cyd", None, None, ["#dev"], False], ["part", 1, 2, "#dev"])
    office.settle()
    assert ["presence", "#dev", "#dev", ["cyd"], ["ada"], 1, {}] in office.heard(1, presence=True)
    assert office.heard(2, presence=True) == [["presence", "#lobby", "#lobby", ["cyd"], [], 3, {}]]


def test_who_comes_by_another_name_is_told_with_the_one_that_is_kept_for_them(office: Office) -> None:
    office.hello(2, 1, BOB, "bob")
    office.hello(1, 1, ADA, "ada")
    office.heard(2, presence=True)
    office.ask(1, ["gone", 1, False, 0])
    office.hello(1, 2, ADA, "adele")
    assert office.heard(2, presence=True)[-1] == ["presence", "#lobby", "#lobby", ["adele"], [], 2, {"adele": "ada"}]
    office.hello(1, 3, ADA, "ada")
    assert office.heard(2, presence=True)[-1] == ["presence", "#lobby", "#lobby", ["ada"], [], 3, {}]


def test_who_leaves_the_former_name_after_they_came_by_the_other_one_is_told_so(office: Office) -> None:
    """The new connection is at another worker than the old one, and their words come in any order."""
    office.hello(1, 1, BOB, "bob")
    office.hello(1, 2, ADA, "ada", "#dev")
    office.hello(2, 1, ADA, "adele", known=True)
    office.ask(1, ["gone", 2, False, 0])
    (told,) = office.heard(1, presence=True)
    assert told == ["presence", "#lobby", "#lobby", ["adele"], ["ada"], 2, {"adele": "ada"}]


def test_who_only_tried_the_other_name_in_between_is_told_with_the_former_one(office: Office) -> None:
    office.hello(1, 1, BOB, "bob")
    office.hello(1, 2, ADA, "ada")
    office.hello(2, 1, ADA, "adele", known=True)
    office.ask(1, ["gone", 2, False, 0])
    office.ask(2, ["gone", 1, False, 0])
    office.hello(2, 2, ADA, "adele", known=True)
    assert office.heard(1, presence=True)[-1] == ["presence", "#lobby", "#lobby", ["adele"], [], 2, {"adele": "ada"}]


def test_who_tries_another_name_and_leaves_it_goes_by_the_former_one_as_before(office: Office) -> None:
    office.hello(1, 1, BOB, "bob")
    office.hello(1, 2, ADA, "ada")
    office.hello(2, 1, ADA, "adele", known=True)
    office.ask(2, ["gone", 1, False, 0])
    assert office.heard(1, presence=True)[-1] == ["presence", "#lobby", "#lobby", [], ["adele"], 2, {}]


def test_who_takes_two_names_one_after_the_other_is_told_with_the_one_that_was_known(office: Office) -> None:
    office.hello(2, 1, BOB, "bob")
    office.hello(1, 1, ADA, "ada")
    hellos: list[Item] = [["hello", sid, 1, ADA, name, None, None, [], True] for sid, name in ((2, "anna"), (3, "adele"))]
    office.ask(1, ["gone", 1, False, 0], hellos[0], ["gone", 2, False, 0], hellos[1])
    (told,) = office.heard(2, presence=True)
    assert told == ["presence", "#lobby", "#lobby", ["adele"], ["ada", "anna"], 2, {"adele": "ada"}]
    office.ask(1, ["gone", 3, False, 0])
    office.hello(1, 4, ADA, "anna", known=True)
    assert office.heard(2, presence=True)[-1] == ["presence", "#lobby", "#lobby", ["anna"], [], 2, {"anna": "adele"}]


def test_a_name_that_was_known_to_the_broker_before_is_one_s_former_one() -> None:
    office = Office()
    office.introduce(1, [1, ADA, "ada", ["#lobby"]], [2, BOB, "bob", ["#lobby"]])
    office.request(1, ["gone", 1, False, 0], ["hello", 3, 1, ADA, "adele", None, None, [], True])
    office.broker.begin(office.now_ms)
    office.settle()
    assert office.heard(1, presence=True)[-1] == ["presence", "#lobby", "#lobby", ["adele"], ["ada"], 2, {"adele": "ada"}]


def test_a_large_room_is_told_of_by_number_and_by_name_once_it_is_small_again(office: Office) -> None:
    people = range(MEMBERS_SHOWN)
    for sid in people:
        office.request(1, ["hello", sid, 1, f"g{sid:016}", f"n{sid}", None, None, [], False])
    office.settle()
    office.hello(2, 1, ADA, "ada")
    assert office.heard(1, presence=True)[-1] == ["presence", "#lobby", "#lobby", [], [], MEMBERS_SHOWN + 1, {}]
    office.ask(1, ["gone", 7, False, 0])
    (_, conv, presence) = office.heard(2, presence=True)[-1]
    assert (conv, presence.options["count"]) == ("#lobby", MEMBERS_SHOWN)
    assert presence.options["members"] == sorted(["ada", *(f"n{sid}" for sid in people if sid != 7)])


def test_one_who_missed_presence_is_told_who_is_there(ada_and_bob: Office) -> None:
    office = ada_and_bob
    answer = office.ask(1, ["present", 1, None, "#dev"])
    assert answer == [["reply", 1, m.Presence("#dev", {"count": 2, "members": ["ada", "bob"]})]]
    assert office.ask(1, ["present", 1, None, "#elsewhere"]) == []


def test_at_the_end_nobody_is_told_that_the_others_left(ada_and_bob: Office) -> None:
    """Whoever is told goodbye last would take it for news, and for news that they are there when both are back."""
    office = ada_and_bob
    for sid in range(2, MEMBERS_SHOWN + 1):
        office.request(2, ["hello", sid, 1, f"g{sid:016}", f"n{sid}", None, None, [], False])
    office.settle()
    office.broker.drain()
    office.request(2, *(["gone", sid, False, 0] for sid in range(1, MEMBERS_SHOWN + 1)))
    office.settle()
    assert office.heard(1, presence=True) == []
    office.introduce(1, [1, ADA, "ada", ["#lobby", "#dev"]])
    office.settle()
    assert [tag for tag, *_ in office.heard(1, presence=True)] == ["snapshot"]
