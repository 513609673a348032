"""What somebody waits for who comes back to a log that has much in it: one person, who asks for one thing after the other."""

from __future__ import annotations

import os
import random
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bench.figures import p99
from bench.log import ROOMS, past_room
from common import messages as m
from common.framing import FrameDecoder
from common.limits import FRAME_BYTES

_READ_BYTES = 256 * 1024
_PATIENCE_SECONDS = 20.0
_ROOMS = 10
"""So many of the rooms they are in."""
_MISSED = 1_000
"""So many of the newest messages they have not seen; a tenth of them are in their rooms."""


class _Visit:
    """One connection, and how long each answer on it took."""

    def __init__(self, address: tuple[str, int], waits: dict[str, list[float]]) -> None:
        self._socket = socket.create_connection(address, _PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = FrameDecoder(FRAME_BYTES)
        self._waits = waits

    def ask(self, what: str, request: m.Request, answers: Callable[[m.Reply], bool]) -> list[m.Reply]:
        """All that comes until the answer; ends the run if the server refuses."""
        asked, came = time.perf_counter(), list[m.Reply]()
        self._socket.sendall(m.encode(request))
        while not any(map(answers, came)):
            data = self._socket.recv(_READ_BYTES)
            if not data:
                raise SystemExit(f"the server closed instead of answering: {what}")
            for body in self._decoder.feed(data)[0]:
                reply = m.parse_reply(body)
                if isinstance(reply, m.Error):
                    raise SystemExit(f"the server refuses: {what}: {reply.text}")
                if reply is not None and not isinstance(reply, m.Presence):
                    came.append(reply)
        self._waits[what].append(time.perf_counter() - asked)
        return came

    def close(self) -> None:
        self._socket.close()


def come_back(address: tuple[str, int], seconds: float) -> dict[str, Any]:
    """Visits for so long: the waits for each kind of answer (medians and p99, milliseconds), and what was not as it should be."""
    chance, faults = random.Random(1), set[str]()
    waits: defaultdict[str, list[float]] = defaultdict(list)
    rooms = [past_room(number) for number in range(_ROOMS)]
    instance, sent, token, end = int.from_bytes(os.urandom(4)), 0, "", time.monotonic() + seconds
    last = _last_id(address)
    while time.monotonic() < end:
        visit = _Visit(address, waits)
        options = {"after": max(0, last - _MISSED), "rooms": rooms} | ({"token": token} if token else {})
        came = visit.ask("resume", m.Hello(1, m.VERSION, "returns", options), lambda reply: isinstance(reply, m.Resumed))
        token = next(str(reply.options["token"]) for reply in came if isinstance(reply, m.Welcome))
        missed = [reply for reply in came if isinstance(reply, m.Msg)]
        if len(missed) < min(last, _MISSED) * _ROOMS // ROOMS:
            faults.add(f"{len(missed)} messages were missed, of {_MISSED} in {ROOMS} rooms")
        visit.ask("join", m.Join(2, past_room(_ROOMS), {}), lambda reply: isinstance(reply, m.Joined))
        for what, before in ("page", {}), ("old page", {"before": chance.randrange(last) + 1}) if last else ("page", {}):
            visit.ask(what, m.History(3, rooms[0], before), lambda reply: isinstance(reply, m.Page))
        sent += 1
        visit.ask("send", m.Send(m.make_ref(instance, sent), rooms[0], "back", {}), lambda reply: isinstance(reply, m.Msg))
        visit.ask("leave", m.Bye(4), lambda reply: isinstance(reply, m.Goodbye))
        visit.close()
    figures = {what: [1000 * p99(took, 50), 1000 * p99(took)] for what, took in waits.items()}
    return {"messages": sent, "waits": figures, "faults": sorted(faults)}


def _last_id(address: tuple[str, int]) -> int:
    visit = _Visit(address, defaultdict(list))
    came = visit.ask("hello", m.Hello(1, m.VERSION, "looks", {}), lambda reply: isinstance(reply, m.Welcome))
    visit.close()
    return next(int(reply.options["last"]) for reply in came if isinstance(reply, m.Welcome))
