from __future__ import annotations

import pytest

from broker.core.pacing import Pacing


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_who_writes_alone_does_not_wait(rows: int) -> None:
    pacing = Pacing(100)
    for turn in range(1, 4):
        pacing.ended(1.0, 100 + turn * rows)
        assert pacing.left(1.0) == 0.0


def test_while_several_write_turns_end_apart() -> None:
    pacing = Pacing(100)
    pacing.ended(1.0, 103)
    assert pacing.left(1.0) == pytest.approx(0.0015)
    assert pacing.left(1.001) == pytest.approx(0.0005)
    assert pacing.left(1.0015) == 0.0
    assert pacing.left(7.0) == 0.0


@pytest.mark.parametrize(("rows", "gap"), [(5, 0.001), (10, 0.0005), (3, 0.0015), (4, 0.00125), (100, 0.00005)])
def test_a_turn_waits_until_about_five_rows_are_there(rows: int, gap: float) -> None:
    pacing = Pacing(0)
    pacing.ended(1.0, 1)
    pacing.ended(1.001, 1 + rows)
    assert pacing.left(1.001) == pytest.approx(gap)


def test_after_several_the_next_turn_is_the_only_one_that_waits() -> None:
    pacing = Pacing(0)
    pacing.ended(1.0, 50)
    pacing.ended(1.0015, 51)
    assert pacing.left(1.0015) == 0.0
