from __future__ import annotations

import pytest

from common.errors import Code, Refused
from common.limits import Limits
from workers.admission import Admission, source_of

NOW = 1_000.0


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("127.0.0.1", ""),
        ("127.8.9.10", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_counts_as_one_address(host: str, source: str) -> None:
    assert source_of(host) == source


class Door:
    """Two workers, and an acceptor that lets in whom it may."""

    def __init__(self, **limits: int) -> None:
        self.admission = Admission(Limits(**limits))
        for number in (1, 2):
            self.admission.add(number)

    def let_in(self, source: str, now: float = NOW, connections: int = 0, number: int = 1) -> str:
        """Why not, if it is refused."""
        try:
            self.admission.check(source, connections, now)
        except Refused as refused:
            return f"{refused.text}" if refused.code == Code.TOO_MANY_CONNECTIONS else refused.code
        self.admission.give(number, source)
        return ""


def test_in_all() -> None:
    door = Door(connections=5)
    for source in ("10.0.0.1", ""):
        assert door.let_in(source, connections=4) == ""
        assert door.let_in(source, connections=5) == "the server has as many connections as it may have, come back later"


def test_from_one_address() -> None:
    door = Door(connections_per_address=3)
    assert [door.let_in("a", number=number) for number in (1, 2, 1)] == ["", "", ""]
    said = "your address has 3 connections, as many as it may have: end one of them first"
    assert door.let_in("a") == said
    assert door.let_in("b") == ""
    door.admission.confirm(1, 2, {"a": 2})  # they are counted once, whether the worker has told of them or not
    assert door.let_in("a") == said
    door.admission.confirm(1, 2, {"a": 1})
    assert door.let_in("a") == ""
    assert door.let_in("a") == said


def test_who_was_given_and_not_taken_counts() -> None:
    door = Door(connections_per_address=2)
    door.let_in("a")
    door.let_in("b")
    door.let_in("a")
    door.admission.confirm(1, 1, {"a": 1})
    assert door.let_in("a")
    door.admission.confirm(1, 3, {"a": 0, "b": 1})
    assert not door.let_in("a")


def test_the_connections_of_a_dead_worker_are_gone() -> None:
    door = Door(connections_per_address=1)
    assert not door.let_in("a")
    door.admission.remove(1)
    door.admission.remove(1)
    assert not door.let_in("a", number=2)


def test_a_new_acceptor_hears_of_those_that_are_open() -> None:
    door = Door(connections_per_address=2)
    door.admission.confirm(1, 0, {"a": 2})
    assert door.let_in("a")


def test_this_machine_is_not_limited() -> None:
    door = Door(connections_per_address=1, new_connections_per_minute=1)
    assert {door.let_in("") for _ in range(100)} == {""}


def test_in_a_minute() -> None:
    door = Door(new_connections_per_minute=6)
    assert [door.let_in("a") for _ in range(6)] == [""] * 6
    assert door.let_in("a") == "too many new connections from your address, wait 10 s"
    assert door.let_in("b") == ""
    assert door.let_in("a", NOW + 9) == "too many new connections from your address, wait 1 s"
    assert [door.let_in("a", NOW + 10) == "" for _ in range(2)] == [True, False]
    assert [door.let_in("a", NOW + 1_000) == "" for _ in range(7)] == [True] * 6 + [False], "no more is saved than a minute's"


def test_who_was_here_once_is_not_remembered_forever() -> None:
    door = Door()
    for number in range(1_000):
        door.let_in(str(number), NOW)
    door.let_in("a", NOW + 61)
    assert len(door.admission._spent_until) == 1
