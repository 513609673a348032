from __future__ import annotations

import pytest

from broker.core.tidying import Tidying


def rows_between(pages_per_row: float, rounds: int = 6) -> list[int]:
    """The rows from one tidying up to the next, where they take so many pages each."""
    tidying, written, between = Tidying(0), 0, []
    for _ in range(rounds):
        rows = 0
        while not tidying.is_due(written + rows):
            rows += 1
        written += rows
        tidying.begin(written)
        assert not tidying.done(round(rows * pages_per_row))
        between.append(rows)
    return between


@pytest.mark.parametrize("pages_per_row", [0.5, 1, 2, 3, 8])
def test_it_is_due_when_the_pages_are_as_many(pages_per_row: float) -> None:
    assert all(abs(rows * pages_per_row - 4_000) <= pages_per_row for rows in rows_between(pages_per_row)[1:])


def test_not_more_rows_are_waited_for_than_the_readers_have_to_see() -> None:
    assert rows_between(0.01)[1:] == [20_000] * 5


def test_many_pages_that_nobody_takes_away_do_not_make_it_busy_all_the_time() -> None:
    tidying = Tidying(0)
    tidying.begin(1_000)
    assert not tidying.done(8_000)
    tidying.begin(1_001)
    assert tidying.done(8_001)
    assert not tidying.is_due(1_200)
    assert tidying.is_due(1_201)


def test_when_it_is_quiet_one_row_is_enough() -> None:
    tidying = Tidying(7)
    assert not tidying.is_due_in_quiet(7)
    assert not tidying.is_due_in_quiet(8), "somebody wrote just now"
    assert not tidying.is_due_in_quiet(9)
    assert tidying.is_due_in_quiet(9)
    assert not tidying.is_due(9)
    tidying.begin(9)
    assert not tidying.is_due_in_quiet(9)


def test_after_a_failure_it_is_due_again_with_further_rows() -> None:
    tidying = Tidying(0)
    tidying.begin(500)
    assert not tidying.is_due(699)
    assert tidying.is_due(700)
