"""broker.roles: what the places are called."""

from __future__ import annotations

from broker.roles import ACCEPTOR, BROKER, Key


def test_names() -> None:
    assert [str(key) for key in (BROKER, ACCEPTOR, Key("worker", 3))] == ["broker", "acceptor", "worker 3"]
