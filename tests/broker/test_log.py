"""The types that the broker asks a log with."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from broker.log import Draft, Log, StorageError, StorageFull, StorageRefused, StorageUnavailable
from common.log import Entry, make_entry
from tests.support.logs import draft, opened
from tests.support.memory_log import MemoryLog


@given(st.integers(1, 2**63 - 1), st.integers(1, 1000))
def test_a_draft_becomes_the_entry_with_its_id(id: int, number: int) -> None:
    made = draft(number)
    entry = make_entry((id, *made))
    assert type(entry) is Entry
    assert (entry.id, Draft(*entry[1:])) == (id, made)


def test_every_log_has_the_same_interface(tmp_path: Path) -> None:
    with opened(tmp_path) as in_a_file:
        logs: list[Log] = [in_a_file, MemoryLog()]
        for log in logs:
            assert log.append([], []) == []
            (entry,) = log.append([draft(1)], [])
            assert log.find("ada", entry.ref) == entry
            assert (log.last, log.count, log.newest_counter("ada", 1)) == (entry.id, 1, 1)
            assert [person.identity for person in log.kept_people(0)] == ["ada"]
            assert log.checkpoint(wait=True) == 0
            assert log.topic("#lobby") is None
            (topic, _) = log.append([draft(2, text="tea", topic=True), draft(3, "#dev", topic=True)], [])
            assert log.topic("#lobby") == topic == log.find("ada", topic.ref)


def test_all_that_a_log_raises_has_one_ancestor() -> None:
    assert all(issubclass(kind, StorageError) for kind in (StorageFull, StorageUnavailable, StorageRefused))
