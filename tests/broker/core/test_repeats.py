"""broker.core.repeats: a key is used once, whatever the order of messages, commits, failures and restarts."""

from __future__ import annotations

import itertools
from unittest import mock

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from broker.core import repeats
from broker.core.repeats import Repeats
from broker.core.sessions import Session
from broker.core.steps import Post
from broker.log import StorageUnavailable
from common import messages as m
from common.log import Entry, Run
from tests.support.memory_log import MemoryLog

keys = st.tuples(st.sampled_from("ab"), st.builds(m.make_ref, st.integers(1, 3), st.integers(0, 4)))


def draft(identity: str, ref: int, *texts: str) -> Run:
    return Run(0, 0, "#a", "#a", identity, identity, ref, texts)


def post(message: Run) -> Post:
    return Post(message, Session(1, 1, message.identity, message.sender, message.sender), ())


def text_of(first: Entry | Post | None, ref: int) -> str | None:
    entry = first.entry(ref) if isinstance(first, Post) else first
    return None if entry is None else entry.text


class Sending(RuleBasedStateMachine):
    """Against a plain account of which text was said first with which key."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = mock.patch.object(repeats, "_REMEMBERED", 2)
        self.patch.start()
        self.log = MemoryLog()
        self.repeats = Repeats(self.log)
        self.committed: dict[tuple[str, int], str] = {}
        self.drafted: dict[tuple[str, int], str] = {}
        self.posted: list[Run] = []
        """The same as runs."""
        self.texts = 0

    def teardown(self) -> None:
        self.patch.stop()

    @rule(key=keys, count=st.integers(1, 4))
    def send(self, key: tuple[str, int], count: int) -> None:
        """A run that begins with this key, if it is free, and that goes on as long as the next ones are."""
        first = self.repeats.first(*key)
        known = self.drafted.get(key, self.committed.get(key))
        assert text_of(first, key[1]) == known
        assert isinstance(first, Post) == (key in self.drafted)
        assert isinstance(first, Entry) == (key in self.committed)
        identity, ref = key
        taken = self.drafted.keys() | self.committed.keys()
        run = [*itertools.takewhile(lambda other: (identity, other) not in taken, range(ref, ref + count))]
        greater = [other for who, other in taken if who == identity and other >> 32 == ref >> 32 and other >= ref]
        assert self.repeats.is_new(*key) == (not greater)
        if run:
            texts = [str(self.texts + n) for n in range(len(run))]
            self.texts += len(run)
            self.drafted |= {(identity, other): text for other, text in zip(run, texts, strict=True)}
            self.posted.append(draft(*key, *texts))
            self.repeats.decided(post(self.posted[-1]))

    @rule(key=keys)
    def follow(self, key: tuple[str, int]) -> None:
        assert self.repeats.knows(*key) == (key in self.drafted or key in self.committed)

    @rule()
    def commit(self) -> None:
        self.log.append(self.posted, [])
        self.repeats.committed()
        self.committed |= self.drafted
        self._over()

    def _over(self) -> None:
        self.drafted, self.posted = {}, []

    @rule()
    def fail(self) -> None:
        self.repeats.failed()
        self._over()

    @rule()
    def begin_anew(self) -> None:
        """A new broker: what was not committed has never been."""
        self.repeats = Repeats(self.log)
        self._over()

    @invariant()
    def little_is_remembered(self) -> None:
        """Of earlier turns."""
        if not self.drafted:
            self.repeats.committed()
            assert len(self.repeats._newest) <= 2


TestSending = Sending.TestCase


class CountingLog(MemoryLog):
    """Counts how often it is asked, and can be out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.broken = False

    def newest_counter(self, identity: str, instance: int) -> int | None:
        self._count()
        return super().newest_counter(identity, instance)

    def find(self, identity: str, ref: int) -> Entry | None:
        self._count()
        return super().find(identity, ref)

    def _count(self) -> None:
        self.asked += 1
        if self.broken:
            raise StorageUnavailable("the disk is gone")


def test_the_log_is_not_asked_about_what_rises() -> None:
    log = CountingLog()
    known = Repeats(log)
    for counter in range(1, 50):
        message = draft("a", m.make_ref(7, counter), "hello")
        assert counter == 1 or known.knows("a", m.make_ref(7, counter - 1))
        assert known.first("a", message.ref) is None
        known.decided(post(message))
        log.append([message], [])
        known.committed()
    assert log.asked == 1


def test_what_the_log_could_not_tell_is_asked_again() -> None:
    log = CountingLog()
    message = draft("a", m.make_ref(7, 1), "hello")
    log.append([message], [])
    known = Repeats(log)
    log.broken = True
    for ask in (known.first, known.knows):
        with pytest.raises(StorageUnavailable):
            ask("a", message.ref)
    log.broken = False
    first = known.first("a", message.ref)
    assert text_of(first, message.ref) == "hello"
