"""What is broken in each of the broken builds: the module, and how it is changed. The names are what CHAT_BROKER_BROKEN takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Breaks: TypeAlias = Callable[[Any], None]

BUILDS: dict[str, tuple[str, Breaks]] = {}


def build(module: str) -> Callable[[Breaks], Breaks]:
    """The function below changes this module; its name is the build's."""

    def add(breaks: Breaks) -> Breaks:
        BUILDS[breaks.__name__] = module, breaks
        return breaks

    return add


@build("workers.requests")
def forgets_requests(requests: Any) -> None:
    """What was not answered when the broker died is not asked again."""

    def take_all(self: Any) -> None:
        self.take_new()
        for _ in self.answered(self._first + len(self) - 1):
            pass

    requests.Requests.take_all = take_all


@build("workers.log_reader")
def replays_with_holes(log_reader: Any) -> None:
    """Who comes back does not get the first message that it missed."""
    following = log_reader.LogReader.following
    log_reader.LogReader.following = lambda self, *wanted: following(self, *wanted)[1:]


@build("broker.core.broker")
def grants_names_early(broker: Any) -> None:
    """A new broker grants names before every worker has introduced itself."""
    broker.Broker.ready = property(lambda self: self._begun)


@build("workers.process")
def leaves_without_a_word(process: Any) -> None:
    """A worker that is to stop just ends."""
    obey = process.WorkerProcess._obey

    def obey_at_once(self: Any, order: Any) -> None:
        if order.kind == "drain":
            self._stopped = True
        else:
            obey(self, order)

    process.WorkerProcess._obey = obey_at_once


@build("common.child")
def outlives_its_parent(child: Any) -> None:
    """A child does not notice that the supervisor is gone."""
    child._die_with = lambda parent: None


@build("workers.acceptor")
def spins_without_descriptors(acceptor: Any) -> None:
    """The acceptor does not pause when the system is short of descriptors."""
    acceptor.Acceptor._pause = lambda self, problem: None
