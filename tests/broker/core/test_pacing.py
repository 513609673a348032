from __future__ import annotations

from collections.abc import Iterable

import pytest

from broker.core.pacing import Pacing


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
    assert pacing.left_for_others(1.005) == 0.0, "nobody waits for an answer"
    pacing.heard(2, 1.005)
    assert pacing.left_for_others(1.005) == pytest.approx(0.004)
    pacing.heard(1, 1.006)
    assert pacing.left_for_others(1.006) == pytest.approx(0.003)
    assert pacing.left_for_others(1.010) == 0.0
    pacing.heard(3, 1.006)
    assert pacing.left_for_others(1.006) == 0.0


def test_after_a_turn_that_took_long_nobody_is_waited_for_as_long() -> None:
    """The log was tidied up in it, say. Whoever does not come now would hold everybody up."""
    pacing = Pacing(0)
    turn(pacing, [1, 2], 1.0, 0.9, 10)
    pacing.heard(1, 1.9)
    assert pacing.left_for_others(1.9) == pytest.approx(0.03)


def test_nobody_is_waited_for_twice_or_where_few_write() -> None:
    pacing = Pacing(0)
    turn(pacing, [1, 2], 1.0, 0.004, 10)
    turn(pacing, [1], 1.01, 0.004, 20)
    pacing.heard(1, 1.02)
    assert pacing.left_for_others(1.02) == 0.0
    turn(pacing, [1, 2], 1.02, 0.004, 22)
    pacing.heard(1, 1.03)
    assert pacing.left_for_others(1.03) == 0.0
