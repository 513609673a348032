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


def test_after_several_the_next_turn_is_the_only_one_that_waits() -> None:
    pacing = Pacing(0)
    pacing.ended(1.0, 50)
    pacing.ended(1.0015, 51)
    assert pacing.left(1.0015) == 0.0
