"""broker.restarts: how patient the supervisor is, over any series of deaths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.restarts import EARLY_SECONDS, LONGEST_DELAY_SECONDS, NEVER_READY_MOST, History

late = st.floats(EARLY_SECONDS, 1e6)
early = st.floats(0, EARLY_SECONDS, exclude_max=True)
deaths = st.lists(st.none() | early | late, max_size=40)


def after(*lives: float | None) -> History:
    history = History()
    for seconds in lives:
        history = history.after_death(seconds)
    return history


@given(deaths, late)
def test_one_that_lived_comes_back_at_once(before: list[float | None], seconds: float) -> None:
    assert after(*before, seconds).delay == 0.0
    assert not after(*before, seconds).hopeless


@given(deaths)
def test_no_wait_is_longer_than_the_longest(lives: list[float | None]) -> None:
    assert 0.0 <= after(*lives).delay <= LONGEST_DELAY_SECONDS


@given(deaths)
def test_hopeless_is_who_was_never_ready_for_a_while(lives: list[float | None]) -> None:
    newest = lives[-NEVER_READY_MOST:]
    assert after(*lives).hopeless == (len(newest) == NEVER_READY_MOST and not any(life is not None for life in newest))


def test_the_waits_of_one_that_keeps_dying_early() -> None:
    waits = [after(*[0.0] * count).delay for count in range(1, 10)]
    assert waits == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert after(*[0.0] * 10_000).delay == 5.0
