"""Which messages are in the log already: a message's key is (identity, instance, counter), and is used once."""

from __future__ import annotations

from collections import OrderedDict, defaultdict

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
        self._posts: defaultdict[tuple[str, int], list[Post]] = defaultdict(list)
        """What is decided but not yet committed, by instance."""

    def is_new(self, identity: str, ref: int) -> bool:
        """Whether this key and all with greater refs of the same instance are free. Raises `StorageError`."""
        return ref > self._newest_ref(identity, ref >> m.COUNTER_BITS)

    def first(self, identity: str, ref: int) -> Entry | Post | None:
        """The message that has this key: in the log, or one of those that are about to be. Raises `StorageError`."""
        if self.is_new(identity, ref):
            return None
        for post in self._posts.get((identity, ref >> m.COUNTER_BITS), ()):
            if post.run.ref <= ref <= post.run.last_ref:
                return post
        return self._log.find(identity, ref)

    def knows(self, identity: str, ref: int) -> bool:
        """Whether there is a message with this key. Raises `StorageError`."""
        return self._newest_ref(identity, ref >> m.COUNTER_BITS) == ref or self.first(identity, ref) is not None

    def decided(self, post: Post) -> None:
        """Messages with keys that `first` did not know are to be committed with this turn."""
        run = post.run
        instance = run.identity, run.ref >> m.COUNTER_BITS
        self._posts[instance].append(post)
        self._newest[instance] = max(self._newest[instance], run.last_ref)

    def committed(self) -> None:
        """The turn is over: what was decided is in the log now."""
        self._posts.clear()
        while len(self._newest) > _REMEMBERED:
            self._newest.popitem(last=False)

    def failed(self) -> None:
        """The turn is over, and what was decided is not in the log."""
        for instance in self._posts:
            self._newest.pop(instance, None)
        self.committed()

    def _newest_ref(self, identity: str, instance: int) -> int:
        """-1 if there is none. Raises `StorageError`."""
        newest = self._newest.get((identity, instance))
        if newest is None:
            counter = self._log.newest_counter(identity, instance)
            newest = self._newest[identity, instance] = -1 if counter is None else m.make_ref(instance, counter)
        return newest
