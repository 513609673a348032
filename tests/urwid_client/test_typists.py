from __future__ import annotations

from urwid_client.typists import EXPIRES_MS, Typists


def test_who_is_not_heard_of_for_long_is_not_typing_any_more() -> None:
    typists = Typists()
    assert typists.expire(0) is None
    typists.heard("#a", "gada", "ada", 1_000)
    typists.heard("#b", "gbob", "bob", 3_000)
    assert typists.expire(3_000) == EXPIRES_MS - 2_000
    typists.heard("#a", "gada", "lovelace", 3_500)
    assert typists.expire(4_000) == EXPIRES_MS - 1_000
    assert (typists.names("#a"), typists.names("#b"), typists.names(None)) == (["lovelace"], ["bob"], [])
    assert typists.expire(3_000 + EXPIRES_MS) == 500
    assert (typists.names("#a"), typists.names("#b")) == (["lovelace"], [])
    assert typists.expire(3_500 + EXPIRES_MS) is None


def test_who_has_said_it_is_not_typing_any_more() -> None:
    typists = Typists()
    typists.heard("#a", "gada", "ada", 0)
    typists.heard("#a", "gbob", "bob", 0)
    typists.stopped("#a", "gada")
    typists.stopped("#a", "gada")
    typists.stopped("#elsewhere", "gbob")
    assert typists.names("#a") == ["bob"]
    typists.clear()
    assert typists.names("#a") == []


def test_a_crowd_is_not_kept_in_mind() -> None:
    typists = Typists()
    for number in range(1_000):
        typists.heard("#a", f"g{number}", f"n{number}", 0)
    assert 3 < len(typists.names("#a")) < 20
    typists.heard("#a", "g0", "n0", 3_000)
    typists.expire(EXPIRES_MS)
    assert typists.names("#a") == ["n0"]


def test_nobody_types_for_an_hour_because_the_clock_was_set_back() -> None:
    typists = Typists()
    typists.heard("#a", "gada", "ada", 3_600_000)
    assert typists.expire(3_600_000) == EXPIRES_MS
    assert typists.expire(0) is None
    assert typists.names("#a") == []
