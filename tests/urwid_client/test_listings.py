from __future__ import annotations

from common.client_protocol import ClientProtocol
from urwid_client.buffers import Buffer, Kind
from urwid_client.listings import Listings

LOBBY = Buffer(Kind.ROOM, "#lobby")


def asked() -> Listings:
    listings = Listings(ClientProtocol("ada", instance=1))
    listings.people("#lobby", LOBBY)
    return listings


def test_a_list_is_told_when_it_is_complete() -> None:
    listings = asked()
    (first,) = listings.refs
    assert listings.take(first, ["ada", "bob"], ["bob"], {"more": True, "count": 3}) is None
    (second,) = listings.refs
    assert listings.take(first, ["eve"], ["eve"], {}) is None
    assert listings.take(second, ["carla"], ["carla"], {"count": 3}) == (LOBBY, "3 people in #lobby: ada, bob, carla")
    assert listings.refs == []


def test_what_is_not_named_is_counted() -> None:
    listings = asked()
    names = [f"n{number}" for number in range(1_000)]
    complete = listings.take(listings.refs[0], names, ["n999"], {"more": True, "count": 1_500})
    assert complete is not None
    assert complete[1].startswith("1,500 people in #lobby: n0, ")
    assert complete[1].endswith(" and 500 more")


def test_lists_that_get_no_answer_say_where() -> None:
    assert asked().lose() == [LOBBY]
    listings = asked()
    assert listings.fail(listings.refs[0]) is LOBBY
    assert listings.fail(None) is None
    assert listings.lose() == []
