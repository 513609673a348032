"""Chance for tests that try things at random: with a seed that is printed, and can be given again."""

from __future__ import annotations

import os
import random

VARIABLE = "CHAT_BROKER_TEST_SEED"


def new_seed() -> int:
    """The seed that was asked for by the environment, else any."""
    return int(os.environ.get(VARIABLE, random.randrange(10**9)))


def seeded() -> random.Random:
    """What a test throws its dice with. pytest shows the line when the test fails."""
    seed = new_seed()
    print(f"{VARIABLE}={seed} repeats this")
    return random.Random(seed)
