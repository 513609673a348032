"""Two people who go on talking while others misbehave: what one of them says, the other hears, once and in order."""

from __future__ import annotations

import itertools
from types import TracebackType
from typing import Self

from common import messages as m
from tests.support.server import Server
from tests.support.wire import Wire

_INSTANCES = itertools.count(2**31)


class Bystanders:
    """Their two connections are at different workers where the server has two: the acceptor shares out evenly."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pids = self._who_runs()
        self._instance = next(_INSTANCES)
        self._counter = 0
        self._one, self._other = Wire(server.host, server.port), Wire(server.host, server.port)
        self._room = f"#{self._instance}"
        self._one.hello(f"a{self._instance}", rooms=[self._room])
        self._other.hello(f"b{self._instance}", rooms=[self._room])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self._one.close()
        self._other.close()

    def _who_runs(self) -> tuple[object, ...]:
        status = self._server.status()
        return status["acceptor"], status["broker"], status["workers"]

    def talk(self, lines: int = 3) -> None:
        """Both hear everything that the first says."""
        for _ in range(lines):
            self._counter += 1
            said = self._one.say(m.make_ref(self._instance, self._counter), self._room, f"line {self._counter}")
            while (heard := self._other.expect(m.Msg)).to != self._room:
                pass  # what is said in the lobby
            assert heard == said

    def check_server(self) -> None:
        """Every process is the one that it was."""
        assert self._who_runs() == self._pids
