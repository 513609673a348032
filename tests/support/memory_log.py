"""A log that is a list: both what the broker asks of one, and what workers read. It can be told to fail."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence

from broker.log import Person, PersonUpdate, StorageError
from common import messages as m
from common.log import Entry, Run, is_direct, parties
from workers.streams import Following


class MemoryLog:
    """Outlives its brokers, as a file does. What `append` returned is in it; nothing else ever is."""

    def __init__(self) -> None:
        self.uuid = "0123456789abcdef0123456789abcdef"
        self.key = b"k" * 32
        self.entries: list[Entry] = []
        self.people: dict[str, Person] = {}
        self.next_failure: StorageError | None = None
        self.no_room: StorageError | None = None
        """Why probes fail."""
        self.fails_after_commit = False
        """The next failure comes after the rows are written: what a failed fsync looks like."""
        self._refused: list[Entry] = []
        """Rows of a failed append that are in the file all the same, until they are taken out at the next use."""
        self.looks_through = sys.maxsize
        """So many ids a reader looks at to tell what follows a cursor."""
        self.commits = 0
        self.written = 0
        self.waiting = 0
        self._skipped = 0

    @property
    def last(self) -> int:
        return self.entries[-1].id if self.entries else 0

    def opened_anew(self) -> None:
        """A new broker has it: whatever is in the file counts."""
        self.entries += self._refused
        self._refused = []

    @property
    def count(self) -> int:
        return len(self.entries)

    def append(self, drafts: Sequence[Run], people: Sequence[PersonUpdate]) -> list[Run]:
        messages = sum(len(draft.texts) for draft in drafts)
        failure, self.next_failure = self.next_failure, None
        if failure is not None and not self.fails_after_commit:
            self._skipped += messages
            raise failure
        self._skipped += len(self._refused)
        self._refused = []
        runs: list[Run] = []
        for draft in drafts:
            runs.append(draft._replace(first=runs[-1].last + 1 if runs else self.last + 1 + self._skipped))
        self._skipped = 0
        entries = [entry for run in runs for entry in run.entries()]
        keys = [(entry.identity, entry.ref) for entry in (*self.entries, *entries)]
        assert len(set(keys)) == len(keys), "a key was used twice"
        if failure is not None:
            self.fails_after_commit = False
            self._refused = entries
            raise failure
        self.entries += entries
        for person in people:
            self.people[person.identity] = person
        for draft in drafts:
            self.people.setdefault(draft.identity, Person(draft.identity, draft.sender, draft.sender.lower(), None))
        self.commits += 1
        self.written += len(drafts) + len(people)
        return runs

    def probe(self) -> None:
        if self.no_room is not None:
            raise self.no_room

    def find(self, identity: str, ref: int) -> Entry | None:
        return next((entry for entry in self.entries if (entry.identity, entry.ref) == (identity, ref)), None)

    def topic(self, conv: str) -> Entry | None:
        return next((entry for entry in reversed(self.entries) if entry.conv == conv and entry.topic), None)

    def newest_counter(self, identity: str, instance: int) -> int | None:
        refs = [m.split_ref(entry.ref) for entry in self.entries if entry.identity == identity]
        return max((counter for other, counter in refs if other == instance), default=None)

    def person(self, identity: str) -> Person | None:
        return self.people.get(identity)

    def people_named(self, name_key: str) -> list[Person]:
        return [person for person in self.people.values() if person.name_key == name_key]

    def kept_people(self, now_ms: int) -> list[Person]:
        return [person for person in self.people.values() if person.kept_until_ms is None or person.kept_until_ms > now_ms]

    def checkpoint(self, wait: bool = False) -> int:
        return 0

    def close(self) -> None:
        """Nothing to do."""

    # --- for workers ---------------------------------------------------------------------------------------------------

    def expect(self, uuid: str, until: int) -> None:
        assert uuid == self.uuid

    def page(self, conv: str, before: int | None, limit: int, until: int) -> tuple[list[Entry], bool]:
        older = [e for e in self.entries if e.conv == conv and e.id <= until and (before is None or e.id < before)]
        return older[-limit:], len(older) > limit

    def following(
        self, after: int, until: int, rooms: Mapping[str, int], identity: str, limit: int, chars: int = sys.maxsize
    ) -> Following:
        until = min(until, after + self.looks_through)
        found = [
            e
            for e in self.entries
            if after < e.id <= until
            and ((e.conv in rooms and e.id > rooms[e.conv]) or (is_direct(e.conv) and identity in parties(e.conv)))
        ]
        lengths = itertools.accumulate(len(e.text) for e in found)
        enough = next((number for number, length in enumerate(lengths, 1) if length >= chars), limit)
        entries = found[: min(limit, enough)]
        return Following(entries, until if entries == found and len(found) < limit else entries[-1].id, len(entries))
