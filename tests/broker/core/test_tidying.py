from __future__ import annotations

from broker.core.tidying import Tidying


def test_it_is_due_when_enough_pages_wait() -> None:
    tidying = Tidying()
    assert not tidying.is_due(3_999)
    assert tidying.is_due(4_000)
    tidying.began(4_000)
    assert not tidying.done(4_000, 0)
    assert not tidying.is_due(3_999)
    assert tidying.is_due(4_000)


def test_pages_that_nobody_can_take_away_do_not_make_it_busy_all_the_time() -> None:
    tidying = Tidying()
    tidying.began(4_000)
    assert not tidying.done(8_000, 3_000)
    assert not tidying.is_due(6_999)
    assert tidying.is_due(7_000)
    tidying.began(7_000)
    assert tidying.done(8_001, 7_000)
    assert not tidying.is_due(10_999)
    assert tidying.is_due(11_000)


def test_once_they_are_gone_it_is_due_as_ever() -> None:
    tidying = Tidying()
    tidying.began(9_000)
    tidying.done(9_000, 9_000)
    assert not tidying.is_due(0)
    assert tidying.is_due(4_000)


def test_when_it_is_quiet_one_page_is_enough() -> None:
    tidying = Tidying()
    assert not tidying.is_due_in_quiet(0, 0)
    assert not tidying.is_due_in_quiet(1, 1), "somebody wrote just now"
    assert not tidying.is_due_in_quiet(2, 2)
    assert tidying.is_due_in_quiet(2, 2)
    assert not tidying.is_due(2)
    assert not tidying.is_due_in_quiet(0, 2)


def test_after_a_failure_it_is_due_again_with_further_pages() -> None:
    tidying = Tidying()
    tidying.began(4_100)
    assert not tidying.is_due(8_099)
    assert tidying.is_due(8_100)


def test_what_could_not_be_tidied_up_is_not_tried_in_each_quiet_second() -> None:
    tidying = Tidying()
    assert tidying.is_due_in_quiet(5, 0)
    tidying.began(5)
    assert not tidying.is_due_in_quiet(5, 0), "the disk is full"
    assert not tidying.is_due_in_quiet(6, 1)
    assert tidying.is_due_in_quiet(6, 1)
    tidying.began(6)
    assert not tidying.done(6, 2)
    assert not tidying.is_due_in_quiet(2, 1), "a reader is in the way"
    assert tidying.is_due_in_quiet(3, 1), "the log was probed"
