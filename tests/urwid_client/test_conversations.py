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


def test_each_has_the_lowest_number_that_is_free_and_keeps_it() -> None:
    there = conversations("bob", "#dev", "carla")
    assert titles(there) == ["server", "#lobby", "bob", "#dev", "carla"]
    bob, dev = (there.find_number(number) for number in (3, 4))
    assert bob is not None
    assert dev is not None
    there.remove(bob)
    assert (dev.number, there.find_number(3)) == (4, None)
    there.add(Buffer(Kind.ROOM, "#ops"))
    assert titles(there) == ["server", "#lobby", "#ops", "#dev", "carla"]


def test_they_are_found_however_they_are_written() -> None:
    there = conversations("bob", "#dev")
    assert there.find_room("#DEV") is there.buffers[3]
    assert there.find_room("#nowhere") is None
    assert there.find_directs("Bob") == [there.buffers[2]]
    assert there.find_conv("id of bob") is there.buffers[2]


def test_one_that_is_put_away_gives_the_screen_back() -> None:
    there = conversations("#dev", "bob", "carla")
    dev, bob, carla = there.buffers[2:]
    for buffer in (dev, bob, bob):
        there.open(buffer)
    there.remove(bob)
    assert there.active is dev
    there.open(carla)
    there.remove(dev)
    there.remove(carla)
    assert there.active is there.lobby


def test_of_hundreds_that_were_never_answered_the_ones_that_rested_longest_go() -> None:
    there = conversations(*(f"stranger{number}" for number in range(DIRECTS_KEPT + 10)))
    assert len(there.buffers) == DIRECTS_KEPT + 2


def test_what_concerns_one_stands_first_and_keeps_its_number() -> None:
    there = conversations("#dev", "#ops", "bob")
    there.buffers[2].unread = 3
    there.buffers[4].unread = there.buffers[4].mentions = 1
    ordered = [(buffer.number, buffer.title) for buffer in by_importance(there.buffers)]
    assert ordered == [(5, "bob"), (3, "#dev"), (1, "server"), (2, "#lobby"), (4, "#ops")]
