from __future__ import annotations

from common import messages as m
from common.client_protocol import ClientProtocol
from urwid_client.buffers import Buffer, Kind
from urwid_client.filing import Filing


def filing() -> Filing:
    new = Filing(ClientProtocol("ada", instance=1))
    new.protocol.identity = "id-ada"
    return new


def message(sender: str, to: str, conv: str, identity: str = "") -> m.Msg:
    return m.Msg(1, 0, to, sender, 7, "hello", {"conv": conv, "from": identity or f"id-{sender}"})


def test_what_is_said_to_one_is_filed_under_who_said_it_and_what_one_says_under_whom_it_went_to() -> None:
    there = filing()
    buffer = there.buffer_of(message("bob", "ada", "c1"))
    assert buffer is not None
    assert (buffer.kind, buffer.title, buffer.conv, buffer.peer) == (Kind.DIRECT, "bob", "c1", "id-bob")
    assert there.buffer_of(message("ada", "bob", "c1")) is buffer
    other = there.buffer_of(message("ada", "carla", "c2"))
    assert other is not None
    assert (other.title, other.peer) == ("carla", None)


def test_a_room_that_was_left_has_no_buffer() -> None:
    there = filing()
    assert there.buffer_of(message("bob", "#lobby", "#lobby")) is there.lobby
    assert there.buffer_of(message("bob", "#gone", "#gone")) is None


def test_one_that_waits_for_its_conversation_gets_it() -> None:
    there = filing()
    waiting = there.add(Buffer(Kind.DIRECT, "bob"))
    assert there.buffer_of(message("bob", "ada", "c1")) is waiting


def test_two_that_turn_out_to_be_one_are_joined() -> None:
    there = filing()
    known, again = there.add(Buffer(Kind.DIRECT, "bob", "c1")), there.add(Buffer(Kind.DIRECT, "robert"))
    again.add_pending(5, "ada", "hello", 0)
    there.open(again)
    assert there.bind(again, "c1") is known
    assert there.active is known
    assert again not in there.buffers
    assert there.pending_in[5] is known


def test_a_name_that_changes_hands() -> None:
    there = filing()
    first = there.buffer_of(message("bob", "ada", "c1", "id-1"))
    there.learn_name(message("bob", "#lobby", "#lobby", "id-2"))
    assert first is not None
    assert first.former
    second = there.go_on_with_whom_has_the_name(first, "c2")
    assert (second.title, second.former, first.former) == ("bob", False, True)


def test_whose_name_it_is_is_told_once() -> None:
    there = filing()
    first = there.buffer_of(message("bob", "ada", "c1", "id-1"))
    assert there.learn_who_is("bob", "id-1") == []
    assert there.learn_who_is("BOB", "id-2") == [first]
    assert there.learn_who_is("bob", "id-2") == []


def test_of_whom_only_the_conversation_is_known_is_known_by_that() -> None:
    there = filing()
    first = there.add(Buffer(Kind.DIRECT, "bob", "c1"))
    assert there.learn_name(message("ada", "bob", "c2")) == [first]
    there.lobby.set_people(["robert"], 1)
    assert there.learn_name(message("ada", "robert", "c1")) == []
    assert (first.title, first.former) == ("robert", False)


def test_a_name_that_is_only_kept_for_somebody_is_not_what_they_are_called() -> None:
    there = filing()
    first = there.buffer_of(message("robert", "ada", "c1", "id-1"))
    there.lobby.set_people(["robert"], 1)
    there.learn_name(message("ada", "bob", "c1"))
    assert first is not None
    assert first.title == "robert"


def test_as_somebody_else_nothing_is_gone_on_with() -> None:
    there = filing()
    buffer = there.buffer_of(message("bob", "ada", "c1"))
    assert buffer is not None
    there.begin_directs_anew()
    assert (buffer.conv, buffer.peer, buffer.older_exist) == (None, None, False)
