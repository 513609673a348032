"""Time limits of tests, and waiting under one; scaled by one environment variable for machines that are slow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

SLOWNESS = float(os.environ.get("CHAT_BROKER_TEST_SLOWNESS", "1"))

T = TypeVar("T")


def seconds(limit: float) -> float:
    """`limit` seconds on an ordinary machine; more where CHAT_BROKER_TEST_SLOWNESS says that this one is slower."""
    return limit * SLOWNESS


def wait_until(probe: Callable[[], T | None], what: str, limit: float = 5, every: float = 0.01) -> T:
    """What `probe` gives as soon as it is true; fails after `limit` seconds (scaled), saying `what` did not happen."""
    end = time.monotonic() + seconds(limit)
    while not (found := probe()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds(limit):g} s: {what}")
        time.sleep(every)
    return found
