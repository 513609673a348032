"""Each worker knows how many connections its people have at the others, whatever died or was not told meanwhile."""

from __future__ import annotations

from collections import Counter

from common import messages as m
from tests.simulation.world import SimWorker, World
from workers import tokens

IDENTITIES = ["g" + letter * 16 for letter in "ab"]


class Crowd:
    """A few people with many connections each, which say hello and go."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed, workers=3, clients=0)
        self.rng = self.world.rng
        self.sessions: list[tuple[SimWorker, int]] = []

    @property
    def workers(self) -> list[SimWorker]:
        return [*self.world.workers.values()]

    def comes(self) -> None:
        worker, sid = self.rng.choice(self.workers), self.world.next_sid()
        identity = self.rng.choice(IDENTITIES)
        token = tokens.mint(self.world.log.key, identity, self.world.now_ms, 1)
        session = worker.hub.opened(sid, "peer", self.world.now)
        hello = m.encode(m.Hello(1, m.VERSION, f"of-{identity}", {"token": token}))
        worker.hub.received(session, hello, self.world.now, self.world.now_ms)
        self.sessions.append((worker, sid))

    def goes(self) -> None:
        if self.sessions:
            worker, sid = self.sessions.pop(self.rng.randrange(len(self.sessions)))
            worker.hub.closed(sid)

    def falls_behind(self) -> None:
        worker = self.rng.choice(self.workers)
        if not self.world.broker._workers[worker.number].listening:
            return
        self.world.broker.fell_behind(worker.number)
        comings = self.rng.choice([0, 5])
        for _ in range(self.rng.randint(10, 40)):
            self.calm_step(comings)
        self.world.broker.caught_up(worker.number)

    def calm_step(self, comings: int = 5) -> None:
        self.world.now += 0.01
        happenings = [self.comes, self.goes, self.world.worker_turns, self.world.broker_turns]
        self.rng.choices(happenings, [comings, 4, 6, 6])[0]()

    def step(self) -> None:
        trouble = [self.calm_step, self.falls_behind, self.world.start_broker, self.world.worker_crashes]
        self.rng.choices(trouble, [20, 3, 1, 1])[0]()

    def settle(self) -> None:
        for worker in self.workers:
            worker.turn(self.rng)
        while any(worker.inbox or worker.outbox or worker.hub.figures()["unanswered"] for worker in self.workers):
            for worker in self.workers:
                worker.turn(self.rng)
            self.world.broker_turns()

    def verify(self) -> Counter[str]:
        here = {worker.number: _counts(worker) for worker in self.workers}
        everywhere = sum(here.values(), Counter[str]())
        for worker in self.workers:
            told = worker.hub._pace._elsewhere
            wanted = {identity: everywhere[identity] - count for identity, count in here[worker.number].items()}
            assert {identity: told.get(identity, 0) for identity in wanted} == wanted
            assert told.keys() <= wanted.keys(), "of those who are not here nothing is kept"
        return everywhere


def _counts(worker: SimWorker) -> Counter[str]:
    sessions = worker.hub._sessions.values()
    return Counter(session.identity for session in sessions if session.welcomed)


def test_whatever_happens_the_numbers_come_right() -> None:
    checked = 0
    for seed in range(40):
        crowd = Crowd(seed)
        for _ in range(6):
            for last in (crowd.step, crowd.goes, crowd.falls_behind):
                for _ in range(crowd.rng.randint(1, 10)):
                    crowd.step()
                last()
                crowd.settle()
                checked += crowd.verify().total()
                crowd.goes()
                crowd.settle()
                crowd.verify()
    assert checked > 1_000, "hardly anybody was there"
