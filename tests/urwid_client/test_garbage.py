from __future__ import annotations

import gc

import pytest

from urwid_client import garbage


@pytest.mark.parametrize(
    ("smaller", "idle", "collects"), [(9, True, False), (10, True, True), (999, False, False), (1_000, False, True)]
)
def test_everything_is_looked_through_when_nobody_waits(
    smaller: int, idle: bool, collects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, smaller))
    monkeypatch.setattr(gc, "collect", lambda: done.append(1))
    garbage.collect(idle)
    assert bool(done) == collects


def test_what_is_young_is_still_collected() -> None:
    before = gc.get_threshold()
    try:
        garbage.only_when_asked()
        assert gc.get_threshold()[:2] == before[:2]
        assert gc.get_threshold()[2] > 1_000_000
    finally:
        gc.set_threshold(*before)
