"""What a message costs, in counts and not in seconds: that must not grow with a room's people, nor with what was said before.

The deciding parts of a worker and the broker run over a real log; what is counted is instructions of Python and of the
database, commits, batches and buffers. A change that makes a message dearer for each member shows here at once.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import Mock

import pytest

from broker.core.broker import Broker
from broker.storage.sqlite import SqliteLog
from common import codec
from common import messages as m
from common.limits import Limits
from common.routing import Batch
from tests.support.frames import replies_in
from workers.fanout import Delivery
from workers.hub import Hub
from workers.log_reader import LogReader
from workers.session import Session

NOW_MS = 1_800_000_000_000
UNHURRIED = Limits(messages_per_second=1_000_000, user_messages_per_second=1_000_000)


class Chat:
    """A worker's hub and a broker, and a room with so many people."""

    def __init__(self, data_dir: Path, people: int) -> None:
        data_dir.mkdir()
        self.log = SqliteLog.open(data_dir, synchronous="OFF")
        self.broker = Broker(self.log, UNHURRIED, NOW_MS)
        self.broker.begin(NOW_MS)
        self.reader = LogReader(data_dir)
        self.hub = Hub(self.reader, UNHURRIED, "test", self._identity)
        self.hub.broker_came()
        self.broker.worker_came(1, 0)
        self._identities = 0
        self._counter = 0
        self.turn()
        self.sessions: list[Session] = [self.hub.opened(sid, "somewhere", 0.0) for sid in range(1, people + 1)]
        for session in self.sessions:
            self.say(session, m.Hello(1, m.VERSION, f"name{session.sid}", {"rooms": ["#room"]}))
        self.turn()
        self.hub.tick(10.0)  # everybody is told who is there
        self.hub.end_turn()
        self.talk(1)
        assert self.turn(), "somebody hears it"

    def _identity(self) -> str:
        self._identities += 1
        return f"g{self._identities:017}"

    def say(self, session: Session, *requests: m.Request) -> None:
        self.hub.received(session, b"".join(map(m.encode, requests)), 0.0, NOW_MS)

    def talk(self, count: int) -> None:
        """So many messages of one of them, to the room."""
        numbers = range(self._counter, self._counter + count)
        self._counter += count
        self.say(self.sessions[0], *(m.Send(m.make_ref(1, number), "#room", "hello, all", {}) for number in numbers))

    def requests(self) -> list[Batch]:
        return [*self.hub.take_requests()]

    def settle(self, requests: list[Batch]) -> dict[int, Batch]:
        for batch in requests:
            self.broker.receive(1, batch, NOW_MS)
        return self.broker.settle()

    def deliver(self, answers: dict[int, Batch]) -> list[Delivery]:
        for batch in answers.values():
            self.hub.broker_said(batch, 0.0, NOW_MS)
        return self.hub.end_turn()

    def turn(self) -> list[Delivery]:
        return self.deliver(self.settle(self.requests()))

    def close(self) -> None:
        self.reader.close()
        self.log.close()


def instructions(work: Callable[[], object]) -> int:
    """How many instructions of Python are carried out; none of those that clear up what other tests have left."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return note

    before = sys.gettrace()
    gc.collect()
    gc.disable()
    sys.settrace(note)
    (lambda: None)()  # Python 3.12 counts instructions only from the next time on at which it is asked to
    sys.settrace(note)
    count = 0
    try:
        work()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


@pytest.fixture
def chat(tmp_path: Path) -> Any:
    chats: list[Chat] = []

    def begin(people: int) -> Chat:
        chats.append(Chat(tmp_path / f"{len(chats)}", people))
        return chats[-1]

    yield begin
    for one in chats:
        one.close()


def broker_instructions(chat: Chat, messages: int) -> int:
    chat.talk(messages)
    requests = chat.requests()
    return instructions(lambda: chat.settle(requests))


def test_the_broker_does_the_same_for_a_small_room_and_a_large_one(chat: Callable[[int], Chat]) -> None:
    small, large = chat(5), chat(500)
    assert broker_instructions(small, 20) == broker_instructions(large, 20)


def test_a_message_is_encoded_once_and_each_turn_costs_one_commit_one_batch_and_one_buffer(
    chat: Callable[[int], Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    large = chat(300)
    large.talk(20)
    requests = large.requests()
    assert len(requests) == 1
    encoded = Mock(wraps=codec.encode)
    monkeypatch.setattr(codec, "encode", encoded)
    statements: list[str] = []
    assert large.log._db is not None
    large.log._db.set_trace_callback(statements.append)
    answers = large.settle(requests)
    large.log._db.set_trace_callback(None)
    deliveries = large.deliver(answers)
    assert encoded.call_count == 20
    assert statements.count("COMMIT") == 1
    [[_, _, [[tag, conv, ids, frames]]]] = answers.values()
    assert (tag, conv, len(ids), len(frames)) == ("room", "#room", 1, 1), "one batch, in which they are one"
    [delivery] = deliveries
    assert (len([*delivery.sids]), len(delivery.parts)) == (300, 1)
    assert len(replies_in(delivery.data)) == 20


def worker_instructions(chat: Chat, messages: int) -> int:
    """From the requests of the clients to the buffers for them, without the broker."""
    incoming = instructions(lambda: chat.talk(messages))
    answers = chat.settle(chat.requests())
    return incoming + instructions(lambda: chat.deliver(answers))


def test_a_further_message_of_a_turn_costs_a_worker_the_same_whatever_the_room(chat: Callable[[int], Chat]) -> None:
    small, large = chat(5), chat(500)
    further = [worker_instructions(one, 21) - worker_instructions(one, 1) for one in (small, large)]
    assert further[0] == further[1]


def database_steps(chat: Chat) -> int:
    """What one message takes in the database's own instructions."""
    count = 0

    def note() -> None:
        nonlocal count
        count += 1

    chat.talk(1)
    requests = chat.requests()
    assert chat.log._db is not None
    chat.log._db.set_progress_handler(note, 1)
    chat.settle(requests)
    chat.log._db.set_progress_handler(None, 1)
    return count


def test_a_message_costs_the_same_however_much_was_said_before(chat: Callable[[int], Chat]) -> None:
    quiet, busy = chat(2), chat(2)
    for _ in range(200):
        busy.talk(50)  # no more than is looked at in one turn
        busy.turn()
    assert database_steps(quiet) == database_steps(busy) > 0
    assert broker_instructions(quiet, 1) == broker_instructions(busy, 1)
