from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.pacing import Company, Pacing

ALONE = 128
"""What is waited for once in so many turns by one who writes alone."""


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_who_writes_alone_does_not_wait(rows: int) -> None:
    pacing = Pacing(100)
    for turn in range(1, 4):
        pacing.ended(1.0, 1.0, 100 + turn * rows)
        assert pacing.left(1.0) == 0.0


def test_while_several_write_turns_end_apart() -> None:
    pacing = Pacing(100)
    pacing.ended(1.0, 1.0, 103)
    assert pacing.left(1.0) == pytest.approx(0.0015)
    assert pacing.left(1.001) == pytest.approx(0.0005)
    assert pacing.left(1.0015) == 0.0
    assert pacing.left(7.0) == 0.0


@pytest.mark.parametrize(("rows", "gap"), [(5, 0.001), (10, 0.0005), (3, 0.0015), (4, 0.00125), (100, 0.00005)])
def test_a_turn_waits_until_about_five_rows_are_there(rows: int, gap: float) -> None:
    pacing = Pacing(0)
    pacing.ended(1.0, 1.0, 1)
    pacing.ended(1.001, 1.001, 1 + rows)
    assert pacing.left(1.001) == pytest.approx(gap)


def test_after_several_the_next_turn_is_the_only_one_that_waits() -> None:
    pacing = Pacing(0)
    pacing.ended(1.0, 1.0, 50)
    pacing.ended(1.0015, 1.0015, 51)
    assert pacing.left(1.0015) == 0.0


def turn(pacing: Pacing, workers: Iterable[int], began: float, took: float, written: int) -> None:
    for worker in workers:
        pacing.heard(worker, began)
    pacing.ended(began, began + took, written)


def test_a_turn_waits_for_those_who_took_part_in_the_last_one_as_long_as_that_took() -> None:
    pacing = Pacing(0)
    turn(pacing, [1, 2, 3], 1.0, 0.004, 10)
    assert pacing.left_for_others(1.005, 10) == 0.0, "nobody waits for an answer"
    pacing.heard(2, 1.005)
    assert pacing.left_for_others(1.005, 10) == pytest.approx(0.004)
    pacing.heard(1, 1.006)
    assert pacing.left_for_others(1.006, 10) == pytest.approx(0.003)
    assert pacing.left_for_others(1.010, 10) == 0.0
    pacing.heard(3, 1.006)
    assert pacing.left_for_others(1.006, 10) == 0.0


def test_after_a_turn_that_took_long_nobody_is_waited_for_as_long() -> None:
    """The log was tidied up in it, say. Whoever does not come now would hold everybody up."""
    pacing = Pacing(0)
    turn(pacing, [1, 2], 1.0, 0.9, 10)
    pacing.heard(1, 1.9)
    assert pacing.left_for_others(1.9, 10) == pytest.approx(0.03)


def test_nobody_is_waited_for_twice_or_where_few_write() -> None:
    pacing = Pacing(0)
    turn(pacing, [1, 2], 1.0, 0.004, 10)
    turn(pacing, [1], 1.01, 0.004, 20)
    pacing.heard(1, 1.02)
    assert pacing.left_for_others(1.02, 10) == 0.0
    turn(pacing, [1, 2], 1.02, 0.004, 22)
    pacing.heard(1, 1.03)
    assert pacing.left_for_others(1.03, 10) == 0.0


def turns_that_wait(company: Company, rows: Iterable[int]) -> list[bool]:
    """In which turns one row waited for a second one; the turns ended with so many rows each, if they waited."""
    waited = []
    for then in rows:
        waited.append(company.waits(1))
        company.ended(then if waited[-1] else 1)
    return waited


def test_who_writes_alone_waits_once_in_many_turns() -> None:
    assert sum(turns_that_wait(Company(), [1] * 10 * (ALONE + 1))) == 10


def test_where_a_second_row_comes_each_turn_waits_after_a_while() -> None:
    waited = turns_that_wait(Company(), [2] * 300)
    assert not any(waited[:ALONE]), "nobody is known to come yet"
    assert all(waited[-30:])


def test_who_is_alone_again_soon_waits_no_more() -> None:
    company = Company()
    turns_that_wait(company, [2] * 300)
    assert sum(turns_that_wait(company, [1] * 2 * ALONE)) <= 8


@given(st.lists(st.integers(1, 3), min_size=1, max_size=2_000))
def test_waits_in_vain_are_few_beside_the_others(rows: list[int]) -> None:
    """Each is a step up, to turns without, and each other one a step down; beyond the eighth step one costs 128 turns."""
    company = Company()
    waited = turns_that_wait(company, rows)
    in_vain = sum(waited[turn] and rows[turn] == 1 for turn in range(len(rows)))
    assert in_vain <= sum(waited) - in_vain + len(rows) / ALONE + 8


def test_only_one_row_waits_for_a_second_one() -> None:
    company = Company()
    turns_that_wait(company, [2] * 300)
    assert [company.waits(rows) for rows in (0, 1, 2, 3)] == [False, True, False, False]


def test_one_row_waits_three_milliseconds_from_when_it_was_heard_of() -> None:
    pacing = Pacing(0)
    written = 0
    for number in range(300):
        pacing.heard(1, number)
        written += 2 if pacing.left_for_others(number, 1) else 1
        pacing.ended(number, number, written)
    pacing.heard(1, 300.0)
    assert pacing.left_for_others(300.0, 1) == pytest.approx(0.003)
    assert pacing.left_for_others(300.002, 1) == pytest.approx(0.001)
    assert pacing.left_for_others(300.001, 2) == 0.0
    assert pacing.left_for_others(300.0031, 1) == 0.0
