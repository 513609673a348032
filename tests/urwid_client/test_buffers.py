from __future__ import annotations

import cProfile

from hypothesis import given
from hypothesis import strategies as st

from common.names import fold
from tests.urwid_client.talk import notes, texts, traffic
from urwid_client.buffers import Buffer, Delivery, Kind, Said, Traffic


def said(number: int, text: str = "") -> Said:
    return Said((number, 0), 1000 * number, "bob", text or str(number), own=False)


def room() -> Buffer:
    return Buffer(Kind.ROOM, "#dev", "#dev")


@given(st.lists(st.integers(1, 40)), st.lists(st.integers(0, 40)))
def test_messages_stand_by_id_once_and_everything_keeps_its_order(ids: list[int], noted: list[int]) -> None:
    buffer = room()
    seen: set[int] = set()
    for index, number in enumerate(ids):
        assert buffer.add(said(number)) == (number not in seen)
        seen.add(number)
        if index < len(noted):
            buffer.note("note", 0, after=noted[index])
        keys = [entry.key for entry in buffer.shown()]
        assert keys == sorted(set(keys))
    assert texts(buffer) == [str(number) for number in sorted(seen)]


def test_notes_alone_do_not_grow_for_ever() -> None:
    for buffer in (room(), Buffer(Kind.SERVER, "server")):
        for number in range(12_500):
            buffer.note(str(number), 0, after=0)
        assert len(buffer.entries) < 10_001
        assert notes(buffer)[-1] == "12499"
        assert buffer.older_exist == (buffer.kind is Kind.ROOM)


def test_a_crowd_that_comes_is_told_in_several_lines_and_known_up_to_a_thousand() -> None:
    buffer = room()
    names = [f"guest{number}" for number in range(2_000)]
    for start in range(0, len(names), 100):
        buffer.add_traffic(names[start : start + 100], [], 0, after=0)
        buffer.move_people(names[start : start + 100], [], 1)
    assert len(buffer.entries) == 10
    assert len(buffer.people) == 1_000
    buffer.move_people([], names, 1)
    assert not buffer.people


def test_who_goes_by_other_names_is_told_by_the_first_and_the_last() -> None:
    buffer = room()
    buffer.add_traffic(["carla", "bob"], ["dmitri"], 0, after=0)
    buffer.add_traffic([], [], 0, 0, {"bert": "bob"})
    buffer.add_traffic([], [], 0, 0, {"robert": "bert"})
    (line,) = buffer.shown()
    assert line == Traffic(line.key, 0, ("carla", "bob"), ("dmitri",), (("bob", "robert"),))
    buffer.add_traffic([], [], 0, 0, {"bob": "robert"})
    assert buffer.shown() == [line._replace(renamed=())]
    buffer = room()
    buffer.add_traffic([], [], 0, 0, {"bert": "bob"})
    buffer.add_traffic([], [], 0, 0, {"bob": "bert"})
    assert not buffer.shown()


def test_that_somebody_left_is_not_said_any_more_if_it_was_said_lately() -> None:
    buffer = room()
    buffer.add_traffic(["carla"], ["bob"], 0, after=0)
    buffer.add(said(1))
    buffer.add_traffic([], ["dmitri"], 0, after=1)
    assert buffer.unsay_that_left("bob")
    assert buffer.unsay_that_left("dmitri")
    assert not buffer.unsay_that_left("bob")
    assert traffic(buffer) == [(("carla",), ())]
    buffer.add_traffic([], ["bob"], 0, after=1)
    for number in range(2, 100):
        buffer.add(said(number))
    assert not buffer.unsay_that_left("bob")


def test_a_note_stands_behind_what_was_known_and_before_what_came_later() -> None:
    buffer = room()
    buffer.note("first", 0, after=5)
    buffer.add(said(3))
    buffer.add(said(7))
    buffer.note("second", 0, after=7)
    assert [getattr(entry, "text", None) for entry in buffer.shown()] == ["3", "first", "7", "second"]


def test_what_is_pending_stands_at_the_end_and_goes_when_it_failed_to_where_it_is() -> None:
    buffer = room()
    buffer.add(said(1))
    buffer.add_pending(11, "ada", "one", 0)
    buffer.add_pending(12, "ada", "two", 0)
    assert [entry.delivery for entry in buffer.shown() if isinstance(entry, Said)][1:] == [Delivery.PENDING] * 2
    buffer.fail(11, "too long", after=1)
    buffer.add(said(2))
    assert texts(buffer) == ["1", "one", "2", "two"]
    failed = buffer.shown()[1]
    assert isinstance(failed, Said)
    assert (failed.delivery, failed.problem) == (Delivery.FAILED, "too long")


def test_what_was_given_back_stays_at_the_end_until_it_is_said_again() -> None:
    buffer = room()
    for ref, text in ((11, "one"), (12, "two")):
        buffer.add_pending(ref, "ada", text, 0)
        buffer.give_back(ref, "to whom?")
    buffer.add(said(1))
    buffer.clear()
    buffer.add(said(2))
    assert texts(buffer) == ["2", "one", "two"]
    assert [entry.problem for entry in buffer.pending.values()] == ["to whom?", "to whom?"]
    buffer.add_pending(13, "ada", "one", 0)
    assert [*buffer.pending] == [12, 13]
    buffer.clear(by_user=True)
    assert [*buffer.pending] == [13]


def test_in_another_log_what_stays_stands_behind_what_is_loaded() -> None:
    buffer = room()
    buffer.note("of the first", 0, after=40)
    buffer.begin_anew(5)
    buffer.note("of the second", 0, after=5)
    buffer.add(said(3))
    buffer.add(said(7))
    assert [getattr(entry, "text", None) for entry in buffer.shown()] == ["3", "of the first", "of the second", "7"]
    buffer.add_pending(11, "ada", "one", 0)
    buffer.fail(11, "refused", after=7)
    buffer.begin_anew(60)
    buffer.add(said(50))
    assert texts(buffer) == ["50", "one"]


def test_what_was_refused_is_no_message_that_is_loaded() -> None:
    buffer = room()
    buffer.add_pending(11, "ada", "one", 0)
    buffer.fail(11, "too long", after=45)
    assert buffer.first_id is None
    buffer.add(said(46))
    assert buffer.first_id == 46


def test_clearing_shows_nothing_but_what_is_on_its_way() -> None:
    buffer = room()
    buffer.older_exist = False
    buffer.add(said(1))
    buffer.add_pending(11, "ada", "one", 0)
    buffer.clear()
    assert texts(buffer) == ["one"]
    assert buffer.older_exist
    assert buffer.first_id is None
    buffer.fail(11, "refused", after=1)
    buffer.clear()
    assert texts(buffer) == ["one"], "it is nowhere else"
    buffer.clear(by_user=True)
    assert texts(buffer) == []


def test_what_the_server_does_not_have_stays_where_it_is_when_messages_are_loaded_anew() -> None:
    buffer = room()
    for number in (1, 2):
        buffer.add(said(number))
        buffer.note(f"behind {number}", 0, after=number)
    buffer.reached, buffer.older_exist = 1, False
    buffer.unload()
    assert notes(buffer) == ["behind 1", "behind 2"]
    assert (buffer.first_id, buffer.older_exist) == (None, True)
    buffer.add(said(2))
    assert [getattr(entry, "text", "") for entry in buffer.shown()] == ["behind 1", "2", "behind 2"]
    assert (buffer.first_id, buffer.before_messages) == (2, 1)


def test_what_it_costs_to_drop_somebody_grows_with_those_who_spoke_and_not_with_what_they_said() -> None:
    buffer = room()
    for number in range(1_000):
        buffer.add(said(number)._replace(sender=f"näme{number % 5}"))
    profile = cProfile.Profile()
    profile.runcall(buffer.drop, "NÄME1")
    assert len(buffer.entries) == 800
    assert sum(entry.callcount for entry in profile.getstats() if entry.code is fold.__code__) < 20


def test_too_many_are_forgotten_unless_they_are_being_read() -> None:
    buffer = room()
    buffer.older_exist = False
    for number in range(1, 10_002):
        buffer.add(said(number))
    buffer.viewport._edge = (1, 0)
    buffer.trim()
    assert buffer.first_id == 1
    for number in range(10_002, 20_002):
        buffer.add(said(number))
    buffer.trim()
    assert buffer.first_id == 2_001, "nobody reads that far from the end; it was left scrolled up"
    buffer.entries = [said(number) for number in range(1, 10_002)]
    buffer.viewport.to_end()
    buffer.trim()
    assert buffer.first_id == 2_001
    assert buffer.older_exist
    assert texts(buffer)[-1] == "10001"


def test_who_came_and_left_is_joined_until_something_else_is_said() -> None:
    buffer = room()
    buffer.add_traffic(["bob"], [], 0, after=0)
    buffer.add_traffic(["carla"], ["bob"], 0, after=0)
    assert traffic(buffer) == [(("carla",), ())]
    buffer.add(said(1))
    buffer.add_traffic([], ["carla"], 0, after=1)
    assert traffic(buffer) == [(("carla",), ()), ((), ("carla",))]


def test_who_came_twice_is_named_once() -> None:
    """Between the two there was no connection, and nobody said that they left."""
    buffer = room()
    buffer.add_traffic(["bob", "carla"], [], 0, after=0)
    buffer.add_traffic(["carla", "bob", "dmitri"], [], 0, after=0)
    assert traffic(buffer) == [(("bob", "carla", "dmitri"), ())]


def test_who_came_and_left_again_is_not_worth_a_line() -> None:
    buffer = room()
    buffer.add_traffic(["bob"], [], 0, after=0)
    buffer.add_traffic([], ["bob"], 0, after=0)
    assert traffic(buffer) == []
    assert notes(buffer) == []


def test_people_come_and_go_and_who_did_both_is_where_they_were() -> None:
    buffer = room()
    buffer.set_people(["Ada", "bob"], 2)
    buffer.move_people(["carla", "bob", "dmitri"], ["ada", "bob", "dmitri"], None)
    assert sorted(buffer.people.values()) == ["bob", "carla"]
    assert buffer.head_count == 2


def test_the_server_may_tell_only_how_many_there_are() -> None:
    buffer = room()
    buffer.set_people(["ada"], 500)
    buffer.move_people([], [], 501)
    assert buffer.head_count == 501


def test_the_time_of_a_line_about_people_is_that_of_the_first_and_later_ones_get_their_own() -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    buffer.add_traffic(["bob"], [], 0, after=0)
    buffer.add_traffic(["carla"], [], 299_000, after=0)
    buffer.add_traffic([], ["bob"], 300_000, after=0)
    assert [(line.time_ms, line.came, line.left) for line in buffer.entries if isinstance(line, Traffic)] == [
        (0, ("bob", "carla"), ()),
        (300_000, (), ("bob",)),
    ]


def test_what_counts_as_news() -> None:
    assert [said(1)._replace(own=own, topic=topic).is_news for own in (False, True) for topic in (False, True)] == [
        True, False, False, False,
    ]  # fmt: skip
