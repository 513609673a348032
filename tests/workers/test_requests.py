"""workers.requests: every request reaches a broker that deals with it, in order, whichever broker that is."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from common.log import RUN_CHARS, RUN_MESSAGES
from common.routing import Item
from workers import requests
from workers.requests import Requests


class Asking(RuleBasedStateMachine):
    """Against a plain list, with a broker that may die with whatever it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = Requests()
        self.made: list[Item] = []
        self.told_answered = 0
        """How many of those made are known to be answered."""
        self.broker_has = 0
        """How many of those made this broker has been sent."""

    @rule(sid=st.integers(1, 2))
    def ask(self, sid: int) -> None:
        item: Item = ["part", sid, len(self.made), "#a"]
        self.made.append(item)
        self.requests.add(item)

    @rule(
        text=st.text(max_size=5),
        sid=st.integers(1, 2),
        to=st.sampled_from("ab"),
        conv=st.sampled_from([None, "c"]),
        ref=st.sampled_from([1, 2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1]) | st.integers(1, 3),
        goes_on=st.booleans(),
        prev=st.sampled_from(["none", "the one before", "another"]),
    )
    def send_message(self, text: str, sid: int, to: str, conv: str | None, ref: int, goes_on: bool, prev: str) -> None:
        """With what is not sent yet it goes together, if it goes on with a run of the same client for the same place."""
        last = self.made[-1] if len(self.made) > self.broker_has else None
        if goes_on and last is not None and last[0] == "send":
            sid, ref, to, conv = last[1], last[2] + len(last[4]), last[3], last[5]
        counter = ref % 2**32
        before = {"none": None, "the one before": counter - 1, "another": counter + 5}[prev]
        self.requests.add_message(sid, ref, to, text, conv, before)
        follows = last is not None and [last[0], last[1], last[3], *last[5:6]] == ["send", sid, to, conv]
        if (
            last is not None
            and follows
            and ref == last[2] + len(last[4])
            and ref // 2**32 == last[2] // 2**32
            and prev != "another"
            and len(last[4]) < RUN_MESSAGES
            and sum(map(len, last[4])) < RUN_CHARS
        ):
            self.made[-1] = ["send", sid, last[2], to, [*last[4], text], conv, [*last[6], before]]
        else:
            self.made.append(["send", sid, ref, to, [text], conv, [before]])

    @rule()
    def send(self) -> None:
        batch = self.requests.take_new()
        new = self.made[self.broker_has :]
        assert batch == (["requests", self.broker_has, new] if new else None)
        self.broker_has = len(self.made)

    @rule()
    def broker_dies(self) -> None:
        batch = self.requests.take_all()
        left = self.made[self.told_answered :]
        assert batch == (["requests", self.told_answered, left] if left else None)
        self.broker_has = len(self.made)

    @rule(data=st.data())
    def broker_answers(self, data: st.DataObject) -> None:
        until = data.draw(st.integers(-1, self.broker_has - 1))
        answered = [*self.requests.answered(until)]
        assert answered == self.made[self.told_answered : until + 1]
        self.told_answered = max(self.told_answered, until + 1)

    @invariant()
    def it_is_known_how_many_wait(self) -> None:
        assert len(self.requests) == len(self.made) - self.told_answered
        waiting = self.made[self.told_answered :]
        texts = [text for item in waiting if item[0] == "send" for text in item[4]]
        others = sum(item[0] != "send" for item in waiting)
        assert self.requests._weight == sum(map(len, texts)) + requests._WEIGHT * (len(texts) + others)


TestAsking = Asking.TestCase


def test_there_is_an_end_to_what_may_wait() -> None:
    asked = Requests()
    count = 0
    while not asked.full:
        count += 1
        asked.add(["part", 1, count, "#a"])
    assert 20_000 < count < 21_000
    asked.take_new()
    assert [*asked.answered(0)]
    assert not asked.full


@pytest.mark.parametrize(
    ("request_", "lists"),
    [
        (["join", 1, 1, "#a"], 1),
        (["members", 1, 1, "#a", "", 200], 1),
        (["rooms", 1, 1, "", 100], 1),
        (["hello", 1, 1, "g", "ada", None, None, ["#b", "#c", "#d"], True], 4),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_there_is_an_end_to_the_lists_that_the_broker_owes(request_: Item, lists: int) -> None:
    asked = Requests()
    count = 0
    while not asked.full:
        count += 1
        asked.add(request_)
    assert 950 < count * lists < 1_050
    asked.take_new()
    assert [*asked.answered(0)]
    assert not asked.full


LONG = 8 * 1024 * 1024 - 30_000


@pytest.mark.parametrize(
    "long",
    [
        ["send", 1, 1, "#a", ["x" * LONG], None, [None]],
        ["topic", 1, 1, "#a", ["x" * LONG], None, [None]],
        ["hello", 1, 1, "g", "x" * LONG, None, None, [], False],
        ["hello", 1, 1, "g", "", 0, "x" * LONG, [], False],
        ["hello", 1, 1, "g", "ada", None, None, ["x" * LONG, "#b"], True],
    ],
    ids=["text", "topic", "name", "log", "rooms"],
)
def test_what_may_be_long_counts_by_its_length(long: Item) -> None:
    asked = Requests()
    asked.add(long)
    full_before = asked.full
    asked.add(["send", 1, 2, "#a", ["x" * 30_000], None, [None]])
    assert (full_before, asked.full) == (False, True)
    asked.take_new()
    assert len([*asked.answered(1)]) == 2
    assert asked._weight == 0
