"""Which messages are in the log already: a message's key is (identity, instance, counter), and is used once."""

from __future__ import annotations

from collections import OrderedDict

from broker.core.steps import Post
from broker.log import Log
from common import messages as m
from common.log import Entry

_REMEMBERED = 20_000
"""Instances whose newest counter is held in memory; the log knows the others."""


class Repeats:
    """Answers from memory for what rises as it should, and from the log for the rest.

    An instance's counters rise, so whatever lies above its newest counter is new, without a look at the disk.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._newest: OrderedDict[tuple[str, int], int] = OrderedDict()
        """The greatest ref of each instance, among what is in the log and what is decided but not yet committed."""
        self._posts: dict[tuple[str, int], Post] = {}
        """What is decided but not yet committed."""

    def first(self, identity: str, ref: int) -> Entry | Post | None:
        """The message that has this key, in the log or about to be. Raises `StorageError`."""
        if ref > self._newest_ref(identity, ref >> m.COUNTER_BITS):
            return None
        return self._posts.get((identity, ref)) or self._log.find(identity, ref)

    def knows(self, identity: str, ref: int) -> bool:
        """Whether there is a message with this key. Raises `StorageError`."""
        return self._newest_ref(identity, ref >> m.COUNTER_BITS) == ref or self.first(identity, ref) is not None

    def decided(self, post: Post, identity: str, ref: int) -> None:
        """A message with this key, which `first` did not know, is to be committed with this turn."""
        self._posts[identity, ref] = post
        instance = identity, ref >> m.COUNTER_BITS
        if ref > self._newest[instance]:
            self._newest[instance] = ref

    def committed(self) -> None:
        """The turn is over: what was decided is in the log now."""
        self._posts.clear()
        while len(self._newest) > _REMEMBERED:
            self._newest.popitem(last=False)

    def failed(self) -> None:
        """The turn is over, and what was decided is not in the log."""
        for identity, ref in self._posts:
            self._newest.pop((identity, ref >> m.COUNTER_BITS), None)
        self.committed()

    def _newest_ref(self, identity: str, instance: int) -> int:
        """-1 if there is none. Raises `StorageError`."""
        newest = self._newest.get((identity, instance))
        if newest is None:
            counter = self._log.newest_counter(identity, instance)
            newest = self._newest[identity, instance] = -1 if counter is None else m.make_ref(instance, counter)
        return newest
