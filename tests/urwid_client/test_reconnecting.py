from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urwid_client.reconnecting import (
    DEAD,
    DOUBTED,
    FIRST_DELAY,
    LATE,
    LONGEST_DELAY,
    PING_EVERY,
    STEADY,
    UNANSWERED,
    Backoff,
    Due,
    Lag,
    Sleep,
    Watch,
)


def test_delays_double_up_to_a_longest() -> None:
    backoff = Backoff(lambda: 1.0)
    delays = [backoff.failed() for _ in range(50)]
    assert delays[:4] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY, 8 * FIRST_DELAY]
    assert delays[-1] == max(delays) == LONGEST_DELAY


def test_a_connection_that_lasted_begins_anew() -> None:
    backoff = Backoff(lambda: 1.0)
    for _ in range(5):
        backoff.failed()
    assert backoff.failed(STEADY) == FIRST_DELAY
    assert backoff.failed() == 2 * FIRST_DELAY


def test_a_server_that_lets_one_in_and_closes_is_asked_ever_more_rarely() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.failed(STEADY - 0.01) for _ in range(10)][-1] == LONGEST_DELAY


@given(st.integers(), st.integers(1, 30))
def test_no_two_clients_keep_step_and_none_waits_for_nothing(seed: int, failures: int) -> None:
    backoff = Backoff(random.Random(seed).random)
    delays = [backoff.failed() for _ in range(failures)]
    assert all(FIRST_DELAY / 2 <= delay <= LONGEST_DELAY for delay in delays)
    other = Backoff(random.Random(seed + 1).random)
    assert delays != [other.failed() for _ in range(failures)]


def test_silence_leads_to_one_ping_and_then_to_the_end() -> None:
    watch = Watch(100.0)
    assert watch.next_check() == 100.0 + PING_EVERY
    assert watch.due(100.0 + PING_EVERY - 0.01) is Due.NOTHING
    assert watch.due(100.0 + PING_EVERY) is Due.PING
    assert watch.due(100.0 + PING_EVERY + 1) is Due.NOTHING
    assert watch.next_check() == 100.0 + DEAD
    assert watch.due(100.0 + DEAD) is Due.GIVE_UP


def test_a_sign_of_life_begins_anew() -> None:
    watch = Watch(0.0)
    watch.due(PING_EVERY)
    watch.heard(PING_EVERY + 1)
    assert watch.due(DEAD) is Due.PING
    assert watch.due(PING_EVERY + 1 + DEAD) is Due.GIVE_UP


@given(st.lists(st.floats(0.01, 60), max_size=30))
def test_checking_at_the_named_time_always_finds_something_to_do(pauses: list[float]) -> None:
    watch, now = Watch(0.0), 0.0
    for pause in pauses:
        now += pause
        if now >= watch.next_check():
            due = watch.due(now)
            assert due is not Due.NOTHING
            if due is Due.GIVE_UP:
                return
        else:
            watch.heard(now)


def test_after_a_sleep_the_connection_proves_itself_soon_or_is_given_up() -> None:
    watch = Watch(100.0)
    watch.doubt(101.0)
    assert watch.due(101.0) is Due.PING
    assert watch.due(101.5) is Due.NOTHING
    assert watch.next_check() == 101.0 + DOUBTED
    assert watch.due(101.0 + DOUBTED) is Due.GIVE_UP
    watch.heard(102.0)
    assert watch.due(101.0 + DOUBTED) is Due.NOTHING
    assert watch.next_check() == 101.0 + PING_EVERY


def test_what_is_not_answered_is_reason_to_doubt() -> None:
    watch = Watch(100.0)
    watch.waits(100.0 + UNANSWERED - 1)
    assert watch.due(100.0 + UNANSWERED - 1) is Due.NOTHING
    watch.waits(100.0 + UNANSWERED)
    assert watch.due(100.0 + UNANSWERED) is Due.PING
    watch.waits(100.0 + UNANSWERED + 1)
    assert watch.due(100.0 + UNANSWERED + DOUBTED) is Due.GIVE_UP


def test_somebody_who_talks_is_asked_as_often() -> None:
    """How quick the connection is would not be known otherwise where there is never a silence."""
    watch, pings = Watch(0.0), []
    for second in range(1, 101):
        watch.heard(float(second))
        if watch.due(float(second)) is Due.PING:
            pings.append(second)
    assert pings == [20, 40, 60, 80, 100]


def test_the_lag_is_that_of_the_last_answer() -> None:
    lag = Lag()
    assert (lag.seconds(10.0), lag.next_look(10.0)) == (None, math.inf)
    lag.asked(10.0)
    assert lag.seconds(10.5) is None
    lag.answered(10.6)
    assert lag.seconds(99.0) == pytest.approx(0.6)
    lag.answered(11.0)  # nobody asked
    assert lag.seconds(99.0) == pytest.approx(0.6)


def test_an_answer_that_is_late_is_told_second_by_second() -> None:
    lag = Lag()
    lag.asked(10.0)
    lag.answered(10.2)
    lag.asked(20.0)
    lag.asked(23.0)  # the first one is not answered yet
    assert not lag.is_late(20.0 + LATE - 0.01)
    assert lag.seconds(20.0 + LATE - 0.01) == pytest.approx(0.2)
    assert lag.next_look(20.0) == lag.next_look(20.5) == 20.0 + LATE
    assert lag.is_late(24.0)
    assert lag.seconds(24.0) == 4.0
    assert lag.next_look(24.0) == 25.0
    lag.answered(24.5)
    assert (lag.seconds(30.0), lag.is_late(30.0)) == (4.5, False)


def test_a_sleep_is_known_by_two_clocks() -> None:
    sleep = Sleep(1_000.0, 10.0)
    assert not sleep.ended(1_005.0, 15.0)
    assert sleep.ended(4_605.0, 15.1)
    assert not sleep.ended(4_606.0, 16.0)
