"""What all tests of the client have in common."""

from __future__ import annotations

import pytest

from urwid_client import connection


@pytest.fixture(autouse=True)
def no_patience_for_other_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A taken name is told at once, not after the moment in which another run of the client could show that it has the name."""
    monkeypatch.setattr(connection, "_OTHER_RUN_SECONDS", 0.0)
