"""What a message costs the deciding parts alone: in one process, without sockets, pipes and waiting for the disk.

    python -m bench.parts [--people 10] [--messages 64]

So many people in a room, of whom each sends so many messages without a pause, turn after turn. Each step has the least that it
took in any turn, which a busy machine disturbs least, in microseconds for each message.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgpack

from broker.core.broker import Broker
from broker.storage.sqlite import SqliteLog
from common import messages as m
from common.limits import Limits
from workers.hub import Hub
from workers.log_reader import LogReader

_TURNS = 60
_ROOM = "#room"
_TEXT = "x" * 100
_UNLIMITED = Limits(messages_per_second=1_000_000, user_messages_per_second=1_000_000, requests_pending=1_000)
_NOW_MS = 1_800_000_000_000


class Chat:
    """A worker's hub, a broker with a log in a file, and a room of people."""

    def __init__(self, data_dir: Path, people: int) -> None:
        identities = (f"g{number:016}" for number in range(people))
        self._hub = Hub(LogReader(data_dir), _UNLIMITED, "bench", lambda: next(identities))
        self._log = SqliteLog.open(data_dir, synchronous="OFF")
        self._broker = Broker(self._log, _UNLIMITED, _NOW_MS)
        self._broker.worker_came(1, 0)
        self._broker.begin(_NOW_MS)
        self._hub.broker_came()
        self.turn({})
        self._sessions = [self._hub.opened(sid, "somewhere", time.monotonic()) for sid in range(1, people + 1)]
        hellos = {sid: m.encode(m.Hello(1, m.VERSION, f"user{sid}", {"rooms": [_ROOM]})) for sid in range(1, people + 1)}
        self.turn(hellos)
        self._said = 0

    def talk(self, messages: int) -> Mapping[str, float]:
        """Everybody sends so many: the seconds that each step of the turn took."""
        first, self._said = self._said + 1, self._said + messages
        counters = range(first, first + messages)
        said = {
            session.sid: b"".join(m.encode(m.Send(m.make_ref(session.sid, n), _ROOM, _TEXT, {})) for n in counters)
            for session in self._sessions
        }
        return self.turn(said)

    def turn(self, said: Mapping[int, bytes]) -> Mapping[str, float]:
        """From the bytes of the clients, by session, to the buffers for them."""
        spent: defaultdict[str, float] = defaultdict(float)
        now = time.monotonic()

        @contextmanager
        def step(name: str) -> Iterator[None]:
            began = time.perf_counter()
            yield
            spent[name] += time.perf_counter() - began

        with step("worker: cut, decode, check, clean, note the request"):
            for sid, data in said.items():
                self._hub.received(self._sessions[sid - 1], data, now, _NOW_MS)
            requests = [*self._hub.take_requests()]
        with step("the requests over the pipe (pack, unpack)"):
            requests = [msgpack.unpackb(msgpack.packb(batch)) for batch in requests]
        with step("broker: decide"):
            for batch in requests:
                self._broker.receive(1, batch, _NOW_MS)
        with step("broker: write the rows, encode, make up the answers"):
            answers = [*self._broker.settle().values()]
        with step("the answers over the pipe"):
            answers = [msgpack.unpackb(msgpack.packb(batch)) for batch in answers]
        with step("worker: forget the requests, put the buffers together"):
            for batch in answers:
                self._hub.broker_said(batch, now, _NOW_MS)
            self._hub.end_turn()
        return spent

    def close(self) -> None:
        self._log.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.parts", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--people", type=int, default=10, help="in the room, all of whom write (default: 10)")
    parser.add_argument("--messages", type=int, default=64, help="of each in a turn, 64 at most (default: 64)")
    options = parser.parse_args()
    least: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        chat = Chat(Path(directory), options.people)
        gc.freeze()
        gc.set_threshold(50_000)  # as in the server's processes
        for _ in range(_TURNS):
            for name, seconds in chat.talk(options.messages).items():
                least[name] = min(seconds, least.get(name, seconds))
        chat.close()
    per_message = {name: seconds * 1e6 / (options.people * options.messages) for name, seconds in least.items()}
    for name, cost in [*per_message.items(), ("all", sum(per_message.values()))]:
        print(f"{cost:6.2f}  {name}")


if __name__ == "__main__":
    main()
