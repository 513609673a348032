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
        """Each instance's newest counter, among what is in the log and what is decided but not yet committed."""
        self._posts: dict[tuple[str, int], Post] = {}
        """What is decided but not yet committed."""

    def first(self, identity: str, ref: int) -> Entry | Post | None:
        """The message that has this key, in the log or about to be. Raises `StorageError`."""
        instance, counter = m.split_ref(ref)
        if counter > self._newest_counter(identity, instance):
            return None
        return self._posts.get((identity, ref)) or self._log.find(identity, ref)

    def knows(self, identity: str, ref: int) -> bool:
        """Whether there is a message with this key. Raises `StorageError`."""
        instance, counter = m.split_ref(ref)
        return self._newest_counter(identity, instance) == counter or self.first(identity, ref) is not None

    def decided(self, post: Post) -> None:
        """A message that `first` did not know, and which is to be committed with this turn."""
        identity, ref = post.draft.identity, post.draft.ref
        self._posts[identity, ref] = post
        instance, counter = m.split_ref(ref)
        if counter > self._newest_counter(identity, instance):
            self._newest[identity, instance] = counter

    def committed(self) -> None:
        """The turn is over: what was decided is in the log now."""
        self._posts.clear()
        while len(self._newest) > _REMEMBERED:
            self._newest.popitem(last=False)

    def failed(self) -> None:
        """The turn is over, and what was decided is not in the log."""
        for identity, ref in self._posts:
            self._newest.pop((identity, m.split_ref(ref)[0]), None)
        self.committed()

    def _newest_counter(self, identity: str, instance: int) -> int:
        """-1 if there is none. Raises `StorageError`."""
        newest = self._newest.get((identity, instance))
        if newest is None:
            found = self._log.newest_counter(identity, instance)
            newest = self._newest[identity, instance] = -1 if found is None else found
        return newest
