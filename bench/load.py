"""The process that loads a server: its clients, in one loop. `python -m bench.load JSON` prints one JSON object.

    {"workload": NAME, "host": HOST, "port": N, "pids": [PID, ...], "data_dir": DIR, "seconds": S, "payload": BYTES}

Each run uses names of its own, so that several on one server do not meet.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import memory, p99, processor_seconds
from bench.log import logged
from bench.returning import come_back
from bench.witness import Listener, Watcher, due_of, text_of, verdict
from bench.workloads import WORKLOADS, Workload
from common import messages as m
from common.framing import FrameDecoder
from common.limits import FRAME_BYTES

_READ_BYTES = 256 * 1024
_QUIET_SECONDS = 1.3
"""The rooms have been told of everybody who came when nothing has been said for so long."""
_PATIENCE_SECONDS = 20.0
_AFTERWARDS_SECONDS = 0.3
"""For so long everybody goes on listening: what comes now comes for the second time."""
_WATCHED = 10
"""Members of a room whose waits are measured in an open loop."""
_AT_ONCE = 32


class Order(NamedTuple):
    """What this process is to do."""

    workload: Workload
    address: tuple[str, int]
    pids: list[int]
    """The server's processes."""
    data_dir: Path
    seconds: float
    payload: int

    def processor_seconds(self) -> float:
        """How long the server has been working."""
        return sum(map(processor_seconds, self.pids))


class Client:
    """One connection."""

    def __init__(self, address: tuple[str, int], name: str, room: str | None) -> None:
        self.name = name
        self.socket = socket.create_connection(address, _PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(m.encode(m.Hello(1, m.VERSION, name, {"rooms": [room]} if room else {})))
        self.listener = Listener()
        self.to = room or ""
        """What it writes to."""
        self.sent = 0
        self._unsent = b""
        self._instance = int.from_bytes(os.urandom(4))

    def fileno(self) -> int:
        return self.socket.fileno()

    def await_rooms(self, count: int) -> None:
        """Until it is in so many rooms. From then on it never blocks."""
        decoder = FrameDecoder(FRAME_BYTES)
        while count > 0:
            data = self.socket.recv(_READ_BYTES)
            if not data:
                raise SystemExit(f"the server cut {self.name} off")
            for body in decoder.feed(data)[0]:
                reply = m.parse_reply(body)
                if isinstance(reply, m.Error):
                    raise SystemExit(f"the server refuses {self.name}: {reply.text}")
                count -= isinstance(reply, m.Joined)
        self.socket.setblocking(False)

    def read(self) -> bytes:
        """What has come; nothing if there is nothing. Ends the run if the server closed."""
        try:
            data = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return b""
        except ConnectionError:
            data = b""
        if not data:
            raise SystemExit(f"the server cut {self.name} off")
        return data

    def send(self, count: int, due_ns: int, payload: int) -> None:
        """So many messages at once."""
        first, self.sent = self.sent, self.sent + count
        frames = [
            m.encode(m.Send(m.make_ref(self._instance, number), self.to, text_of(number, due_ns, payload), {}))
            for number in range(first, self.sent)
        ]
        self._unsent += b"".join(frames)
        self.flush()

    def flush(self) -> None:
        """Writes what the socket takes."""
        if self._unsent:
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                pass


def _conversation(address: tuple[str, int], workload: Workload, number: int, mark: str) -> list[Client]:
    """The clients of one conversation; those that send come first."""
    room = None if workload.direct else f"#{mark}{number}"
    clients = [Client(address, f"{mark}{number}x{member}", room) for member in range(workload.members)]
    for client in clients:
        client.await_rooms(1 if room is None else 2)
    if workload.direct:
        for client, other in zip(clients, reversed(clients), strict=True):
            client.to = other.name
    return clients


class Talk:
    """Clients that write to each other, at a rate or as fast as their windows allow."""

    def __init__(self, workload: Workload, address: tuple[str, int], payload: int) -> None:
        self._workload = workload
        self._payload = payload
        mark = f"b{os.getpid()}"
        self._groups = [_conversation(address, workload, number, mark) for number in range(workload.conversations)]
        self.clients = [client for group in self._groups for client in group]
        self._senders = {client.name: client for group in self._groups for client in group[: workload.senders]}
        self._selector = selectors.DefaultSelector()
        for client in self.clients:
            self._selector.register(client, selectors.EVENT_READ, client)
        self._until_quiet()
        self._watch()
        self._waits: list[float] = []
        self._sending = True

    def _until_quiet(self) -> None:
        while ready := self._selector.select(_QUIET_SECONDS):
            for key, _ in ready:
                key.data.read()

    def _watch(self) -> None:
        """The first of each conversation is watched, who releases the senders' windows; in an open loop some more."""
        for group in self._groups:
            watched = 1 if self._workload.rate is None else min(_WATCHED, len(group))
            for member in range(0, len(group), len(group) // watched):
                group[member].listener = Watcher()

    def run(self, seconds: float) -> None:
        """Sends for so long, and then until everybody has heard everything, or nothing comes any more."""
        end = time.monotonic() + seconds
        if self._workload.rate is None:
            self._send_windows(end)
        else:
            self._send_at_rate(self._workload.rate, end)
        self._sending = False
        limit = time.monotonic() + _PATIENCE_SECONDS
        while not self._all_heard() and time.monotonic() < limit:
            self._hear(0.1)

    def listen_on(self) -> None:
        end = time.monotonic() + _AFTERWARDS_SECONDS
        while time.monotonic() < end:
            self._hear(0.1)

    def _send_windows(self, end: float) -> None:
        for sender in self._senders.values():
            sender.send(self._workload.window, time.monotonic_ns(), self._payload)
        while time.monotonic() < end:
            self._hear(0.1)

    def _send_at_rate(self, rate: float, end: float) -> None:
        """In turn, whatever has come back: what is late counts as late."""
        senders = [*self._senders.values()]
        began, number = time.monotonic(), 0
        while (now := time.monotonic()) < end:
            while (due := began + number / rate) <= now:
                senders[number % len(senders)].send(1, int(due * 1e9), self._payload)
                number += 1
            self._hear(max(0.0, due - time.monotonic()))

    def _hear(self, patience: float) -> None:
        for sender in self._senders.values():
            sender.flush()
        released: dict[str, int] = {}
        for key, _ in self._selector.select(patience):
            client: Client = key.data
            data = client.read()
            if isinstance(client.listener, Watcher):
                now = time.monotonic_ns()
                for msg in client.listener.take_messages(data):
                    released[msg.sender] = released.get(msg.sender, 0) + 1
                    if self._workload.rate is not None:
                        self._waits.append((now - due_of(msg.text)) / 1e9)
            else:
                client.listener.take(data)
        if self._workload.rate is None and self._sending:
            for name, count in released.items():
                self._senders[name].send(count, time.monotonic_ns(), self._payload)

    def _all_heard(self) -> bool:
        for group in self._groups:
            first = _watcher(group)
            if sum(first.heard.values()) < sum(client.sent for client in group):
                return False
            if not all(client.listener.heard_as_much_as(first) for client in group):
                return False
        return True

    def figures(self) -> dict[str, Any]:
        sent = {name: sender.sent for name, sender in self._senders.items()}
        heard = [(sum(_watcher(group).heard.values()), len(group)) for group in self._groups]
        waits = {"p50_ms": 1000 * p99(self._waits, 50), "p99_ms": 1000 * p99(self._waits)} if self._waits else {}
        faults = verdict([[client.listener for client in group] for group in self._groups], sent)
        messages, copies = sum(count for count, _ in heard), sum(count * members for count, members in heard)
        return {"messages": messages, "deliveries": copies, "faults": faults, **waits}


def _watcher(group: list[Client]) -> Watcher:
    first = group[0].listener
    assert isinstance(first, Watcher)
    return first


def talk(order: Order) -> dict[str, Any]:
    return _measured(order, Talk(order.workload, order.address, order.payload))


def _measured(order: Order, load: Talk) -> dict[str, Any]:
    worked, commits = order.processor_seconds(), logged(order.data_dir).commits
    mine, began = time.process_time(), time.monotonic()
    load.run(order.seconds)
    took = time.monotonic() - began
    figures = {
        "seconds": took,
        "cpu_seconds": order.processor_seconds() - worked,
        "load_cpu_share": (time.process_time() - mine) / took,
        "commits": logged(order.data_dir).commits - commits,
    }
    load.listen_on()
    return figures | load.figures()


def idle(order: Order) -> dict[str, Any]:
    """What silent connections cost: memory, and what the server does for them meanwhile."""
    before = memory(order.pids)
    mark = f"b{os.getpid()}"
    clients = []
    for number in range(order.workload.connections // order.workload.members):
        clients += _conversation(order.address, order.workload, number, mark)
    time.sleep(_QUIET_SECONDS)
    worked = order.processor_seconds()
    time.sleep(order.seconds)
    idled = order.processor_seconds() - worked
    grown = memory(order.pids) - before
    for client in clients:
        while client.read():  # who was cut off ends the run
            pass
    return {"messages": 0, "kib_per_connection": grown / 1024 / len(clients), "cpu_seconds": idled, "faults": []}


def connect(order: Order) -> dict[str, Any]:
    """People who come, are welcomed in the lobby, and leave; some of them at once, until a number of them have been there."""
    worked, began = order.processor_seconds(), time.monotonic()
    selector = selectors.DefaultSelector()
    done, due = 0, (f"b{os.getpid()}x{number}" for number in range(order.workload.connections))
    for name in itertools.islice(due, _AT_ONCE):
        _visit(selector, order.address, name)
    while done < order.workload.connections:
        ready = selector.select(_PATIENCE_SECONDS)
        if not ready:
            raise SystemExit(f"the server said nothing for {_PATIENCE_SECONDS:.0f} s")
        for ended in [key.data() for key, _ in ready]:
            done += ended
            if ended and (name := next(due, "")):
                _visit(selector, order.address, name)
    took = time.monotonic() - began
    return {"messages": 0, "visits": done, "seconds": took, "cpu_seconds": order.processor_seconds() - worked, "faults": []}


def _visit(selector: selectors.BaseSelector, address: tuple[str, int], name: str) -> None:
    """Begins one visit; what is read from it goes on with it, and tells when it is over."""
    sock = socket.create_connection(address)
    sock.sendall(m.encode(m.Hello(1, m.VERSION, name, {})))
    steps = _steps(sock)
    next(steps)

    def go_on() -> bool:
        try:
            steps.send(sock.recv(_READ_BYTES))
        except StopIteration:
            selector.unregister(sock)
            sock.close()
            return True
        return False

    selector.register(sock, selectors.EVENT_READ, go_on)


def _steps(sock: socket.socket) -> Generator[None, bytes, None]:
    decoder = FrameDecoder(FRAME_BYTES)
    while True:
        data = yield
        if not data:
            raise SystemExit("the server closed before its goodbye")
        for body in decoder.feed(data)[0]:
            reply = m.parse_reply(body)
            if isinstance(reply, m.Error):
                raise SystemExit(f"the server refuses: {reply}")
            if isinstance(reply, m.Joined):
                sock.sendall(m.encode(m.Bye(2)))
            elif isinstance(reply, m.Goodbye):
                return


def crowd(order: Order) -> dict[str, Any]:
    """What those who talk wait for while very many are there, and another process comes and goes as fast as it can."""
    mark = f"c{os.getpid()}x"
    silent = [Client(order.address, f"{mark}{number}", None) for number in range(order.workload.connections)]
    for client in silent:
        client.await_rooms(1)
    load = Talk(order.workload, order.address, order.payload)
    visits = order._replace(workload=order.workload._replace(connections=1_000_000))
    visitors = multiprocessing.get_context("spawn").Process(target=connect, args=(visits,), daemon=True)
    visitors.start()
    try:
        return _measured(order, load)
    finally:
        visitors.kill()
        visitors.join()


def returning(order: Order) -> dict[str, Any]:
    return come_back(order.address, order.seconds)


_KINDS: dict[str, Callable[[Order], dict[str, Any]]] = {
    "talk": talk,
    "idle": idle,
    "connect": connect,
    "crowd": crowd,
    "return": returning,
}


def main(words: dict[str, Any]) -> None:
    order = Order(
        WORKLOADS[words["workload"]],
        (words["host"], words["port"]),
        words["pids"],
        Path(words["data_dir"]),
        words["seconds"],
        words["payload"],
    )
    print(json.dumps(_KINDS[order.workload.kind](order)))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
