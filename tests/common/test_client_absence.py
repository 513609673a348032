"""common.client_absence: what of several sayings counts. How it is said on a connection is in `test_client_protocol`."""

from __future__ import annotations

import pytest

from common.client_absence import Absence


@pytest.fixture
def absence() -> Absence:
    """Away for lunch, as the server knows."""
    away = Absence()
    away.say("lunch")
    away.ask(1)
    away.told(1, "lunch")
    return away


def test_what_was_said_is_unsaid_until_it_is_answered() -> None:
    away = Absence()
    away.say("lunch")
    away.ask(1)
    assert (away.text, away.unsaid, away.asked) == ("lunch", True, {1})
    away.told(1, "lunch")
    assert (away.text, away.unsaid, away.asked) == ("lunch", False, set())


def test_the_answer_to_an_older_saying_does_not_count(absence: Absence) -> None:
    absence.say("dinner")
    absence.ask(2)
    absence.say("holiday")
    absence.ask(3)
    absence.told(2, "dinner")
    assert (absence.text, absence.unsaid) == ("holiday", True)
    absence.told(3, "holiday")
    assert (absence.text, absence.unsaid) == ("holiday", False)


def test_another_device_counts_unless_one_has_said_otherwise_meanwhile(absence: Absence) -> None:
    absence.told(None, "")
    assert absence.text == ""
    absence.say("dinner")
    absence.told(None, "tea")
    assert (absence.text, absence.unsaid) == ("dinner", True)


def test_what_is_refused_for_good_gives_way_to_what_the_server_knows(absence: Absence) -> None:
    absence.say("x" * 999)
    absence.ask(2)
    assert absence.refused(2, passing=False)
    assert (absence.text, absence.unsaid, absence.waits) == ("lunch", False, False)


def test_what_is_refused_for_a_passing_reason_waits(absence: Absence) -> None:
    absence.say("")
    absence.ask(2)
    assert absence.refused(2, passing=True)
    assert (absence.text, absence.unsaid, absence.waits) == ("", True, True)
    absence.ask(3)
    assert not absence.waits


def test_a_refusal_does_not_count_behind_which_something_else_was_said(absence: Absence) -> None:
    absence.say("dinner")
    absence.ask(2)
    absence.say("holiday")
    absence.ask(3)
    assert not absence.refused(2, passing=False)
    assert not absence.refused(99, passing=False)
    assert (absence.text, absence.unsaid) == ("holiday", True)


@pytest.mark.parametrize(
    ("told", "again", "text"),
    [("lunch", False, "lunch"), ("tea", False, "tea"), ("", False, ""), (None, True, "lunch")],
    ids=["as it was", "otherwise", "back", "forgotten"],
)
def test_after_a_welcome_it_is_said_again_where_the_server_does_not_know(
    absence: Absence, told: str | None, again: bool, text: str
) -> None:
    absence.lost()
    assert absence.welcomed(told) is again
    assert absence.text == text


def test_what_was_unsaid_when_the_connection_was_lost_is_said_again(absence: Absence) -> None:
    absence.say("")
    absence.ask(2)
    absence.lost()
    assert absence.asked == set()
    assert absence.welcomed("lunch")
    assert absence.text == ""
    assert not absence.refused(2, passing=False), "an answer of the former connection"
