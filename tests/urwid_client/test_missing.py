from __future__ import annotations

from urwid_client.missing import AWAITED_MS, Missing


def test_who_comes_back_is_missing_no_more_and_the_others_are_given_up() -> None:
    missing = Missing()
    missing.await_in("#dev", {"bob": "Bob", "eve": "Eve"}, now=0)
    missing.await_in("#ops", {"bob": "Bob"}, now=1_000)
    missing.came("#dev", {"eve"})
    missing.came("#nowhere", {"bob"})
    assert (missing.of("#dev"), missing.of("#nowhere")) == ({"bob": "Bob"}, {})
    assert missing.wait(now=5_000) == AWAITED_MS - 5_000
    assert missing.give_up(AWAITED_MS - 1) == {}
    assert missing.give_up(AWAITED_MS) == {"#dev": {"bob": "Bob"}}
    assert missing.of("#dev") == {}
    missing.came("#ops", {"bob"})
    assert missing.wait(AWAITED_MS) is None


def test_only_the_last_break_counts() -> None:
    missing = Missing()
    missing.await_in("#dev", {"bob": "Bob"}, now=0)
    missing.await_in("#dev", {"eve": "Eve"}, now=9_000)
    assert missing.give_up(AWAITED_MS) == {}
    missing.forget("#dev")
    assert missing.wait(9_000) is None


def test_nobody_is_awaited_for_an_hour_because_the_clock_was_set_back() -> None:
    missing = Missing()
    missing.await_in("#dev", {"bob": "Bob"}, now=3_600_000)
    assert missing.give_up(3_600_000) == {}
    assert missing.give_up(0) == {"#dev": {"bob": "Bob"}}
