"""broker.process with real pipes and a clock of the test's own: when its turns end. What else it does, whole servers test."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Pipe
from types import SimpleNamespace

import pytest

from broker.log import PersonUpdate
from broker.process import BrokerProcess
from common import messages as m
from common.channel import Channel
from common.child import Boot
from common.control import Control
from common.limits import Limits
from common.log import Run
from common.routing import Item
from tests.support.memory_log import MemoryLog


class _Log(MemoryLog):
    """It says what was committed together, and does something after each commit."""

    def __init__(self, afterwards: Callable[[int], None]) -> None:
        super().__init__()
        self.texts: list[list[str]] = []
        self._afterwards = afterwards

    def append(self, drafts: Sequence[Run], people: Sequence[PersonUpdate]) -> list[Run]:
        runs = super().append(drafts, people)
        self.texts.append([text for draft in drafts for text in draft.texts])
        self._afterwards(len(self.texts))
        return runs


class _Worker:
    """The other end of a worker's pipe, with one client."""

    def __init__(self, number: int, supervisor: Control) -> None:
        ours, theirs = Pipe()
        supervisor.send("worker", {"number": number, "generation": 0}, [theirs.fileno()])
        self._theirs = theirs
        self._channel = Channel(ours)
        self._asked = self._said = 0
        self._channel.send(["intro", [], False])
        self._ask(["hello", 1, 1, f"g{number:016}", f"guest{number}", None, None, [], False])

    def say(self, *texts: str) -> None:
        """Messages to all, in one batch, each of which is a row of the log."""
        refs = [m.make_ref(1, self._said + count) for count, _ in enumerate(texts, 1)]
        self._said += len(texts)
        self._ask(*(["send", 1, ref, m.LOBBY, [text], None, [None]] for ref, text in zip(refs, texts, strict=True)))

    def _ask(self, *requests: Item) -> None:
        self._channel.send(["requests", self._asked, [*requests]])
        self._asked += len(requests)

    def close(self) -> None:
        self._theirs.close()
        self._channel.close()


def test_while_several_write_a_turn_waits_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes while it waits is in the same commit. Nothing here depends on how fast this machine is."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    supervisor, clock = Control(ours), SimpleNamespace(now=100.0)
    unsaid = ["fifth"]

    def committed(times: int) -> None:
        if times == 1:
            ada.say("fourth")
        else:
            supervisor.send("stop")

    def sleep(seconds: float) -> None:
        clock.now += seconds
        while unsaid:
            bob.say(unsaid.pop())

    def monotonic() -> float:
        """Whatever is done between two looks at it takes some time."""
        clock.now += 0.0001
        return float(clock.now)

    monkeypatch.setattr(
        "broker.process.time", SimpleNamespace(monotonic=monotonic, sleep=sleep, time_ns=lambda: int(clock.now * 10**9))
    )
    log = _Log(committed)
    ada, bob = _Worker(1, supervisor), _Worker(2, supervisor)
    supervisor.send("begin")
    ada.say("first", "second", "third")
    control = Control(theirs)
    process = BrokerProcess(log, Boot(0, "", Limits(), "text", "info"), control)
    process.run()
    assert log.texts == [["first", "second", "third"], ["fourth", "fifth"]]
    process._selector.close()
    for channel in process._channels.values():
        channel.close()
    for end in (ada, bob, supervisor, control):
        end.close()


def test_a_worker_that_lives_and_has_closed_its_pipe_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would give it another one, and what its clients ask for would wait for ever."""
    monkeypatch.setattr("broker.process._TICK_SECONDS", 0.01)
    monkeypatch.setattr("broker.process._LATE_SECONDS", 0.02)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    supervisor, control = Control(ours), Control(theirs)
    ada, bob = _Worker(1, supervisor), _Worker(2, supervisor)
    supervisor.send("begin")
    process = BrokerProcess(MemoryLog(), Boot(0, "", Limits(), "text", "info"), control)
    process._hear(0.0)
    process._finish_turn(time.monotonic())
    assert process._core.strangers == [(1, 0), (2, 0)]
    process._hear(0.0)
    process._finish_turn(time.monotonic())
    assert process._core.strangers == []
    bob.close()
    time.sleep(0.05)
    process._hear(0.0)
    process._finish_turn(time.monotonic())
    supervisor.send("stop")
    told = [(order.kind, order.data) for order in supervisor.receive()]
    assert ("late", {"number": 2, "generation": 0}) in told
    assert process._core.strangers == [(2, 0)]
    process._selector.close()
    for channel in process._channels.values():
        channel.close()
    for end in (ada, supervisor, control):
        end.close()
