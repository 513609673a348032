"""broker.core.debts: what people who are gone still owe."""

from __future__ import annotations

from broker.core.debts import Debts

ADA, BOB = "gada", "gbob"


def test_what_is_owed_is_paid_by_the_time_that_passes() -> None:
    debts = Debts()
    debts.add(ADA, 5_000, now_ms=1_000)
    assert [debts.owed(ADA, now_ms) for now_ms in (1_000, 4_000, 6_000, 9_000)] == [5_000, 2_000, 0, 0]
    assert debts.owed(BOB, 1_000) == 0


def test_of_several_connections_the_greatest_counts() -> None:
    debts = Debts()
    for owed_ms in (5_000, 7_000, 2_000):
        debts.add(ADA, owed_ms, now_ms=0)
    assert debts.owed(ADA, 0) == 7_000


def test_little_is_forgiven_and_what_is_paid_forgotten() -> None:
    debts = Debts()
    debts.add(ADA, 99, now_ms=0)
    debts.add(BOB, 100, now_ms=0)
    assert (debts.owed(ADA, 0), debts.owed(BOB, 0)) == (0, 100)
    debts.forget_paid(100)
    assert not debts._paid_at


def test_where_the_clock_is_set_they_last_as_long() -> None:
    debts = Debts()
    debts.add(ADA, 5_000, now_ms=10_000)
    debts.clock_jumped(-8_000)
    assert debts.owed(ADA, 2_000) == 5_000
