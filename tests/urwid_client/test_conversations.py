from __future__ import annotations

from urwid_client.buffers import Buffer, Kind
from urwid_client.conversations import DIRECTS_KEPT, Conversations, by_importance


def conversations(*titles: str) -> Conversations:
    new = Conversations()
    for title in titles:
        new.add(Buffer(Kind.ROOM if title.startswith("#") else Kind.DIRECT, title, conv=f"id of {title}"))
    return new


def titles(of: Conversations) -> list[str]:
    return [buffer.title for buffer in of.buffers]


def test_rooms_stand_before_people() -> None:
    assert titles(conversations("bob", "#dev", "carla")) == ["server", "#lobby", "#dev", "bob", "carla"]


def test_they_are_found_however_they_are_written() -> None:
    there = conversations("bob", "#dev")
    assert there.find_room("#DEV") is there.buffers[2]
    assert there.find_room("#nowhere") is None
    assert there.find_directs("Bob") == [there.buffers[3]]
    assert there.find_conv("id of bob") is there.buffers[3]


def test_one_that_is_put_away_gives_the_screen_to_the_one_before_it() -> None:
    there = conversations("#dev", "bob")
    there.open(there.buffers[3])
    there.remove(there.buffers[3])
    assert there.active.title == "#dev"


def test_of_hundreds_that_were_never_answered_the_ones_that_rested_longest_go() -> None:
    there = conversations(*(f"stranger{number}" for number in range(DIRECTS_KEPT + 10)))
    assert len(there.buffers) == DIRECTS_KEPT + 2


def test_what_concerns_one_stands_first_and_keeps_its_number() -> None:
    there = conversations("#dev", "#ops", "bob")
    there.buffers[2].unread = 3
    there.buffers[4].unread = there.buffers[4].mentions = 1
    ordered = [(number, buffer.title) for number, buffer in by_importance(there.buffers)]
    assert ordered == [(4, "bob"), (2, "#dev"), (0, "server"), (1, "#lobby"), (3, "#ops")]
