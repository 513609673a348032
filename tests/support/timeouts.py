"""Time limits of tests, scaled by one environment variable for machines that are slow."""

from __future__ import annotations

import os

SLOWNESS = float(os.environ.get("CHAT_BROKER_TEST_SLOWNESS", "1"))


def seconds(limit: float) -> float:
    """`limit` seconds on an ordinary machine; more where CHAT_BROKER_TEST_SLOWNESS says that this one is slower."""
    return limit * SLOWNESS
