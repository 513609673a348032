"""Thousands of random schedules of the whole system in one process."""

from __future__ import annotations

import time
from collections import Counter

from tests.simulation.world import World
from tests.support.groups import LONG
from tests.support.seeds import VARIABLE, new_seed

STEPS = 400
SECONDS = 600.0 if LONG else 15.0


def run(seed: int) -> World:
    world = World(seed, workers=1 + seed % 3, clients=2 + seed % 5)
    for _ in range(STEPS):
        world.step()
    world.settle_down()
    world.verify()
    return world


def test_random_schedules() -> None:
    first = new_seed()
    counts: Counter[str] = Counter()
    end = time.monotonic() + SECONDS
    seed = first
    while time.monotonic() < end:
        try:
            world = run(seed)
        except BaseException:
            print(f"{VARIABLE}={seed} repeats this")
            raise
        counts.update(world.counts, schedules=1, messages=world.log.count)
        counts["slowed down"] += sum("rate_limited" in client.delayed for client in world.clients)
        seed += 1
    print(f"seeds {first} to {seed - 1}: {dict(counts)}")
    assert all(
        counts[what] for what in ("lagged", "broke", "crashed", "disk failed", "fell behind", "messages", "slowed down", "topics")
    )
