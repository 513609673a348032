"""Which messages are in the log already: a message's key is (identity, instance, counter), and is used once."""

from __future__ import annotations

from collections import OrderedDict

from broker.log import Draft, Log
from common import messages as m
from common.log import Entry

_REMEMBERED = 20_000
"""Instances whose newest counter is held in memory; the log knows the others."""


class Repeats:
    """Answers from memory for what rises as it should, and from the log for the rest.

    An instance's counters rise, so whatever lies above its newest counter in the log is new, without a look at the disk.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._newest: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._drafts: dict[tuple[str, int], Draft] = {}
        """What is decided but not yet committed."""

    def first(self, identity: str, ref: int) -> Entry | Draft | None:
        """The message that has this key, in the log or about to be. Raises `StorageError`."""
        draft = self._drafts.get((identity, ref))
        if draft is not None:
            return draft
        instance, counter = m.split_ref(ref)
        if counter > self._newest_counter(identity, instance):
            return None
        return self._log.find(identity, ref)

    def knows(self, identity: str, ref: int) -> bool:
        """Whether there is a message with this key. Raises `StorageError`."""
        instance, counter = m.split_ref(ref)
        return self._newest_counter(identity, instance) == counter or self.first(identity, ref) is not None

    def drafted(self, draft: Draft) -> None:
        self._drafts[draft.identity, draft.ref] = draft

    def committed(self) -> None:
        """The drafts are in the log now."""
        for identity, ref in self._drafts:
            instance, counter = m.split_ref(ref)
            newest = self._newest.get((identity, instance))
            if newest is not None and newest < counter:
                self._newest[identity, instance] = counter
        self._drafts.clear()

    def failed(self) -> None:
        """The drafts are not in the log."""
        self._drafts.clear()

    def _newest_counter(self, identity: str, instance: int) -> int:
        """-1 if there is none. Raises `StorageError`."""
        newest = self._newest.get((identity, instance))
        if newest is None:
            found = self._log.newest_counter(identity, instance)
            newest = self._newest[identity, instance] = -1 if found is None else found
            if len(self._newest) > _REMEMBERED:
                self._newest.popitem(last=False)
        return newest
