from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from urwid_client.reconnecting import DEAD, FIRST_DELAY, LONGEST_DELAY, QUIET, STEADY, Backoff, Due, Watch


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
    assert watch.next_check() == 100.0 + QUIET
    assert watch.due(100.0 + QUIET - 0.01) is Due.NOTHING
    assert watch.due(100.0 + QUIET) is Due.PING
    assert watch.due(100.0 + QUIET + 1) is Due.NOTHING
    assert watch.next_check() == 100.0 + DEAD
    assert watch.due(100.0 + DEAD) is Due.GIVE_UP


def test_a_sign_of_life_begins_anew() -> None:
    watch = Watch(0.0)
    watch.due(QUIET)
    watch.heard(QUIET + 1)
    assert watch.due(DEAD) is Due.PING
    assert watch.due(QUIET + 1 + DEAD) is Due.GIVE_UP


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
