"""What the server is loaded with. Data alone."""

from __future__ import annotations

from typing import NamedTuple


class Workload(NamedTuple):
    """One kind of load. Rates are messages a second, all senders together; None stands for as fast as the windows allow."""

    name: str
    about: str
    kind: str
    """`talk` (senders write to their conversation), `idle`, `connect`, `crowd` (all three at once), or `return`."""
    members: int = 0
    """People in each conversation; in a direct one it is 2."""
    senders: int = 0
    """How many of the members write."""
    conversations: int = 1
    window: int = 0
    """So many messages of a sender may be on their way."""
    rate: float | None = None
    direct: bool = False
    connections: int = 0
    """The silent ones of `idle` and `crowd`; how many come and go, of `connect`."""


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("closed10", "room of 10, closed loop", "talk", 10, 10, window=64),
        Workload("closed100", "room of 100, closed loop", "talk", 100, 10, window=64),
        Workload("closed1000", "room of 1,000, closed loop", "talk", 1000, 10, window=16),
        Workload("direct", "100 pairs, closed loop", "talk", 2, 1, conversations=100, window=8, direct=True),
        Workload("open10", "room of 10, 5,000 messages/s", "talk", 10, 10, rate=5_000),
        Workload("open100", "room of 100, 500 messages/s", "talk", 100, 10, rate=500),
        Workload("open1000", "room of 1,000, 50 messages/s", "talk", 1000, 10, rate=50),
        Workload("open-direct", "100 pairs, 10,000 messages/s", "talk", 2, 1, conversations=100, rate=10_000, direct=True),
        Workload("idle", "2,000 silent connections, rooms of 10", "idle", 10, connections=2_000),
        Workload("connect", "hello, join, leave; 32 at once", "connect", connections=3_000),
        Workload(
            "crowd",
            "9,000 in the lobby where others come and go; a room of 10, 200/s",
            "crowd",
            10,
            10,
            rate=200,
            connections=9_000,
        ),
        Workload("return", "one who comes back, reads and writes; p50, p99 ms for each answer", "return"),
    )
}
QUICK = ("closed10", "closed100", "direct", "open100")
