from __future__ import annotations

import pytest

from urwid_client.pacing import LONGEST, PAUSE, SOON, Pace


def test_what_comes_within_a_moment_is_drawn_at_once() -> None:
    pace = Pace()
    assert pace.wait() == SOON
    pace.began(10.0)
    pace.ended(10.001)
    assert pace.wait() == SOON


@pytest.mark.parametrize("took", [0.02, 0.1, 0.5])
def test_drawing_takes_a_fifth_of_the_time_however_long_it_takes(took: float) -> None:
    pace = Pace()
    pace.began(10.0)
    pace.ended(10.0 + took)
    assert took / (took + pace.wait()) == pytest.approx(1 / (1 + PAUSE))


def test_who_was_stopped_while_drawing_draws_again_soon() -> None:
    pace = Pace()
    pace.began(10.0)
    pace.ended(100.0)
    assert pace.wait() == LONGEST


def test_what_a_key_has_drawn_does_not_count() -> None:
    pace = Pace()
    pace.began(10.0)
    pace.ended(10.1)
    pace.ended(99.0)
    assert pace.wait() == pytest.approx(0.1 * PAUSE)
