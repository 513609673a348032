"""Who goes by another name, as the client does it, is told as such to the others, whichever worker hears first of what."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from common import client_events as ce
from common import messages as m
from tests.simulation.world import SimClient, SimWorker, World
from workers import tokens
from workers.session import Session

ADA = "g" + "a" * 16


class Listener(SimClient):
    """Keeps what it is told of who is there."""

    def __init__(self, world: World) -> None:
        super().__init__("bob", world.rng)
        self.told: list[m.Options] = []

    def handle(self, event: ce.Event) -> None:
        if isinstance(event, m.Presence):
            self.told.append(event.options)
        super().handle(event)


class Renaming:
    """Ada is here, and goes by the name adele: she tries it on a connection of its own, ends both, and comes back."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed, workers=2, clients=0)
        self.rng = self.world.rng
        self.bob = Listener(self.world)
        self.world.clients.append(self.bob)

    def run(self) -> None:
        ada = self.comes("ada")
        self.world.settle_down()
        tried = self.comes("adele")
        while not tried[1].welcomed:
            self.goes_on()
        self.bob.told.clear()
        happenings: list[Callable[[], object]] = [
            partial(self.goes, *tried),
            partial(self.goes, *ada),
            partial(self.comes, "adele"),
        ]
        self.rng.shuffle(happenings)
        for happens in happenings:
            happens()
            for _ in range(self.rng.randint(0, 8)):
                self.goes_on()
        self.world.settle_down()

    def comes(self, name: str) -> tuple[SimWorker, Session]:
        worker = self.rng.choice([*self.world.workers.values()])
        session = worker.hub.opened(self.world.next_sid(), "peer", self.world.now)
        token = tokens.mint(self.world.log.key, ADA, self.world.now_ms, 1)
        hello = m.encode(m.Hello(1, m.VERSION, name, {"token": token}))
        worker.hub.received(session, hello, self.world.now, self.world.now_ms)
        return worker, session

    def goes(self, worker: SimWorker, session: Session) -> None:
        worker.hub.closed(session.sid)

    def goes_on(self) -> None:
        self.world.now += self.rng.choice([0.001, 0.01, 0.1])
        self.rng.choice([self.world.worker_turns, self.world.broker_turns])()


def test_another_name_is_told_with_the_one_before() -> None:
    for seed in range(200):
        renaming = Renaming(seed)
        renaming.run()
        assert renaming.bob.people["#lobby"] == {"bob", "adele"}, seed
        told = [pair for options in renaming.bob.told for pair in options.get("renamed", ())]
        assert told, (seed, renaming.bob.told)
        assert all(pair == ["ada", "adele"] for pair in told), (seed, told)
