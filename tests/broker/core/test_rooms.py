"""broker.core.rooms: whoever looks once, and then hears of the changes, knows who is there."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.core import rooms
from broker.core.rooms import Rooms
from common.limits import MEMBERS_SHOWN

CONVS = ["#a", "#b"]
LARGE = 4
"""More people than this are a large room, here."""


class Looker:
    """Was given the members once, and is told of the changes."""

    def __init__(self, names: list[str]) -> None:
        self.names = set(names)

    def hear(self, change: rooms.Change) -> None:
        assert not set(change.came) & set(change.left)
        self.names = set(change.room.members()) if change.anew else (self.names | set(change.came)) - set(change.left)


class Coming(RuleBasedStateMachine):
    """Against a plain list of who is where."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = mock.patch.object(rooms, "MEMBERS_SHOWN", LARGE)
        self.patch.start()
        self.rooms = Rooms()
        self.sessions: list[tuple[str, int, str]] = []
        """Room, worker, person."""
        self.lookers: dict[str, list[Looker]] = {conv: [] for conv in CONVS}
        self.moved: set[tuple[str, str]] = set()
        """Who came to which room or left it since that was told last."""

    def teardown(self) -> None:
        self.patch.stop()

    def people(self, conv: str) -> set[str]:
        return {person for other, _, person in self.sessions if other == conv}

    @rule(conv=st.sampled_from(CONVS), worker=st.integers(1, 2), person=st.sampled_from("abcdefg"))
    def come(self, conv: str, worker: int, person: str) -> None:
        self.rooms.add(conv, conv.upper(), worker, person)
        self.sessions.append((conv, worker, person))
        self.moved.add((conv, person))

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        self.sessions.remove(session)
        self.rooms.remove(*session)
        self.moved.add((session[0], session[2]))
        if not self.people(session[0]):
            self.lookers[session[0]].clear()

    @rule(conv=st.sampled_from(CONVS))
    def look(self, conv: str) -> None:
        room = self.rooms.get(conv)
        if room is not None:
            self.lookers[conv].append(Looker(room.members()))

    @rule()
    def tell(self) -> None:
        for change in self.rooms.take_changes():
            assert change.room is self.rooms[change.room.conv], "a room that is empty has nobody to be told"
            assert {(change.room.conv, person) for person in change.came + change.left} <= self.moved
            for looker in self.lookers[change.room.conv]:
                looker.hear(change)
            if change.room.is_large:
                assert (change.came, change.left, change.anew) == ([], [], False)
        self.moved.clear()
        for conv in CONVS:
            for looker in self.lookers[conv]:
                assert looker.names == self.people(conv) or len(self.people(conv)) > LARGE
        assert not self.rooms.take_changes()

    @invariant()
    def counts_are_true(self) -> None:
        assert {room.conv for room in self.rooms} == {conv for conv in CONVS if self.people(conv)}
        assert self.rooms.rooms_after("", 10) == sorted(self.rooms, key=lambda room: room.conv)
        for room in self.rooms:
            here = [(worker, person) for conv, worker, person in self.sessions if conv == room.conv]
            assert set(room.people) == self.people(room.conv)
            assert dict(room.workers) == {worker: sum(w == worker for w, _ in here) for worker in {w for w, _ in here}}
            assert room.members() == sorted(room.people)[:LARGE]
            assert room.is_large == (len(room.people) > LARGE)


TestComing = Coming.TestCase


def full_room(people: int) -> rooms.Room:
    all_rooms = Rooms()
    for number in range(people):
        all_rooms.add("#a", "#A", 1, f"n{number:04}")
    return all_rooms["#a"]


def test_a_room_is_called_what_its_first_member_called_it() -> None:
    all_rooms = Rooms()
    all_rooms.add("#a", "#A", 1, "ada")
    all_rooms.add("#a", "#a", 1, "bob")
    assert all_rooms["#a"].name == "#A"


def test_one_who_left_and_came_back_is_told_of_to_those_who_came_in_between() -> None:
    all_rooms = Rooms()
    for person in ("ada", "bob"):
        all_rooms.add("#a", "#a", 1, person)
    all_rooms.take_changes()
    all_rooms.remove("#a", 1, "bob")
    all_rooms.add("#a", "#a", 1, "cyd")
    assert all_rooms["#a"].members() == ["ada", "cyd"]
    all_rooms.add("#a", "#a", 1, "bob")
    (change,) = all_rooms.take_changes()
    assert (change.came, change.left, change.anew) == (["bob", "cyd"], [], False)


def test_a_second_session_of_somebody_is_no_news() -> None:
    all_rooms = Rooms()
    all_rooms.add("#a", "#a", 1, "ada")
    all_rooms.take_changes()
    all_rooms.add("#a", "#a", 2, "ada")
    assert not all_rooms.take_changes()
    all_rooms.remove("#a", 1, "ada")
    assert not all_rooms.take_changes()


def test_who_turned_is_told_once_and_not_of_a_large_room() -> None:
    all_rooms = Rooms()
    for number in range(MEMBERS_SHOWN):
        all_rooms.add("#a", "#A", 1, f"n{number:04}")
    all_rooms.take_changes()
    all_rooms.turn("#a", "n0007")
    all_rooms.turn("#a", "n0003")
    assert [(change.came, change.left, change.turned) for change in all_rooms.take_changes()] == [([], [], ["n0003", "n0007"])]
    assert not all_rooms.take_changes()
    all_rooms.turn("#a", "n0007")
    all_rooms.add("#a", "#A", 1, "one more")
    assert [change.turned for change in all_rooms.take_changes()] == [[]]
    all_rooms.turn("#a", "n0007")
    assert not all_rooms.take_changes()


def test_a_room_that_was_large_is_told_anew_once() -> None:
    all_rooms = Rooms()
    for number in range(MEMBERS_SHOWN + 1):
        all_rooms.add("#a", "#A", 1, f"n{number}")
    assert all_rooms["#a"].is_large
    all_rooms.remove("#a", 1, "n7")
    assert [change.anew for change in all_rooms.take_changes()] == [True], "somebody may have come in while it was large"
    all_rooms.remove("#a", 1, "n8")
    assert [(change.left, change.anew) for change in all_rooms.take_changes()] == [(["n8"], False)]


def test_members_come_in_order_and_in_pages() -> None:
    room = full_room(MEMBERS_SHOWN + 5)
    assert len(set(room.members())) == MEMBERS_SHOWN
    names = sorted(room.people)
    assert room.members_after("", 3) == names[:3]
    assert room.members_after(names[2], 3) == names[3:6]
    assert room.members_after(names[-1], 3) == []


def test_rooms_come_in_order_and_in_pages() -> None:
    all_rooms = Rooms()
    for conv in ("#c", "#a", "#b"):
        all_rooms.add(conv, conv.upper(), 1, "ada")
    assert [room.name for room in all_rooms.rooms_after("", 2)] == ["#A", "#B"]
    assert [room.name for room in all_rooms.rooms_after("#b", 2)] == ["#C"]
    assert all_rooms.rooms_after("#c", 2) == []


class Compared(str):
    """Counts the comparisons of such strings that were made."""

    __slots__ = ()
    made = 0

    def __lt__(self, other: str) -> bool:
        Compared.made += 1
        return super().__lt__(other)

    def __gt__(self, other: str) -> bool:
        Compared.made += 1
        return super().__gt__(other)


MANY = 4_096


def comparisons(steps: Iterable[object]) -> float:
    """What each of the steps takes, on average."""
    Compared.made = 0
    number = len([*steps])
    return Compared.made / number


def test_many_rooms_make_no_listing_dear_even_between_new_rooms() -> None:
    all_rooms = Rooms()
    names = [Compared(f"#{number:05}") for number in range(MANY)]
    random.Random(1).shuffle(names)
    for name in names[100:]:
        all_rooms.add(name, name, 1, "ada")

    def step(name: Compared) -> None:
        all_rooms.add(name, name, 1, "ada")
        assert len(all_rooms.rooms_after(Compared(""), 11)) == 11
        all_rooms.remove(name, 1, "ada")

    assert 0 < comparisons(map(step, names[:100])) <= 3 * (1 + math.log2(MANY))


def test_many_members_make_no_listing_dear_even_between_newcomers() -> None:
    all_rooms = Rooms()
    names = [Compared(f"n{number:05}") for number in range(MANY)]
    random.Random(1).shuffle(names)
    for name in names[100:]:
        all_rooms.add("#a", "#a", 1, name)

    def step(name: Compared) -> None:
        all_rooms.add("#a", "#a", 1, name)
        assert len(all_rooms["#a"].members_after(Compared("n00007"), 11)) == 11
        assert len(all_rooms["#a"].members()) == MEMBERS_SHOWN
        all_rooms.remove("#a", 1, name)

    assert 0 < comparisons(map(step, names[:100])) <= 4 * (1 + math.log2(MANY))
