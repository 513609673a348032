"""Who may connect: how many in all, how many from one address, and how fast they come. Decides only; the acceptor carries it out.

An address is one of IPv4, or a /64 of IPv6, which is what one household or machine is given. Connections that come from this
machine count among all, and are not limited otherwise: behind a proxy they are everybody's.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Mapping
from functools import lru_cache

from common.errors import Code, Refused, in_so_long
from common.limits import Limits

_MINUTE = 60.0


@lru_cache(1024)
def source_of(host: str) -> str:
    """What is counted as one address; "" for this machine's own."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


class _Worker:
    """How many connections it has from where, as far as it said, and where those are from that it has not confirmed."""

    def __init__(self) -> None:
        self.open: dict[str, int] = {}
        self.given: deque[str] = deque()
        self.confirmed = 0

    def count(self, source: str) -> int:
        return self.open.get(source, 0) + self.given.count(source)


class Admission:
    """The workers' connections by where they come from. `now` is monotonic seconds."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._workers: dict[int, _Worker] = {}
        self._spent_until: dict[str, float] = {}
        """How far into the future each address has used up its new connections."""
        self._next_sweep = 0.0

    def add(self, number: int) -> None:
        """A new worker, in the place of the former one of that number."""
        self._workers[number] = _Worker()

    def remove(self, number: int) -> None:
        """Its connections are gone. Nothing happens if it is not there."""
        self._workers.pop(number, None)

    def confirm(self, number: int, confirmed: int, open_by_source: Mapping[str, int]) -> None:
        """What the worker said: connections taken in all, and how many it has of those addresses where that has changed."""
        worker = self._workers[number]
        while worker.given and worker.confirmed < confirmed:
            worker.given.popleft()
            worker.confirmed += 1
        for source, count in open_by_source.items():
            if count:
                worker.open[source] = count
            else:
                worker.open.pop(source, None)

    def check(self, source: str, connections: int, now: float) -> None:
        """Raises `Refused` if one more from there, beside so many in all, is too many."""
        limits = self.limits
        if connections >= limits.connections:
            raise Refused(Code.TOO_MANY_CONNECTIONS, "the server has as many connections as it may have, come back later")
        if not source:
            return
        if sum(worker.count(source) for worker in self._workers.values()) >= limits.connections_per_address:
            text = f"your address has {limits.connections_per_address} connections, as many as it may have: end one of them first"
            raise Refused(Code.TOO_MANY_CONNECTIONS, text)
        self._sweep(now)
        spent_until = max(self._spent_until.get(source, 0.0), now) + _MINUTE / limits.new_connections_per_minute
        if spent_until > now + _MINUTE + 1e-6:
            text = in_so_long("too many new connections from your address", spent_until - now - _MINUTE)
            raise Refused(Code.TOO_MANY_CONNECTIONS, text)
        self._spent_until[source] = spent_until

    def give(self, number: int, source: str) -> None:
        """The worker was given one from there."""
        self._workers[number].given.append(source)

    def _sweep(self, now: float) -> None:
        """Forgets who was not here for long."""
        if now >= self._next_sweep:
            self._next_sweep = now + _MINUTE
            self._spent_until = {source: until for source, until in self._spent_until.items() if until > now}
