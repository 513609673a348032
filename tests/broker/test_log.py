"""The types that the broker asks a log with."""

from __future__ import annotations

from pathlib import Path

from broker.log import Log, StorageError, StorageFull, StorageRefused, StorageUnavailable
from tests.support.logs import draft, opened
from tests.support.memory_log import MemoryLog


def test_a_draft_becomes_the_run_with_its_id() -> None:
    made = draft(7)._replace(texts=["one", "two", "three"])
    run = made._replace(first=21)
    assert (run.last, made.last_ref - made.ref) == (23, 2)
    assert [(entry.id, entry.ref - made.ref, entry.text) for entry in run.entries()] == [
        (21, 0, "one"),
        (22, 1, "two"),
        (23, 2, "three"),
    ]


def test_every_log_has_the_same_interface(tmp_path: Path) -> None:
    with opened(tmp_path) as in_a_file:
        logs: list[Log] = [in_a_file, MemoryLog()]
        for log in logs:
            assert log.append([], []) == []
            (run,) = log.append([draft(1)._replace(texts=["one", "two"])], [])
            assert [log.find("ada", run.ref + n) for n in range(3)] == [*run.entries(), None]
            assert (log.last, log.count, log.newest_counter("ada", 1)) == (run.last, 2, 2)
            assert [person.identity for person in log.kept_people(0)] == ["ada"]
            log.probe()
            assert log.checkpoint(wait=True) == 0
            assert log.topic("#lobby") is None
            (topic, _) = log.append([draft(3, text="tea", topic=True), draft(4, "#dev", topic=True)], [])
            assert log.topic("#lobby") == topic.entry(0) == log.find("ada", topic.ref)


def test_all_that_a_log_raises_has_one_ancestor() -> None:
    assert all(issubclass(kind, StorageError) for kind in (StorageFull, StorageUnavailable, StorageRefused))
