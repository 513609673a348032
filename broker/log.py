"""What the broker asks of a log: the types and the interface. The databases behind it are in `broker.storage`.

The broker decides with these types alone, so that it can be run in a test with a log that is a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

from common.log import Entry, Run


class StorageError(Exception):
    """The log could not do what was asked. Its text is one line, for a person."""


class StorageFull(StorageError):
    """There is no room on the disk. The same append succeeds once there is."""


class StorageUnavailable(StorageError):
    """The disk failed, or the file is gone. The same append may succeed later."""


class StorageRefused(StorageError):
    """There is no opening this log: the text says why and what to do."""


class Person(NamedTuple):
    """What the log holds of a person."""

    identity: str
    name: str
    """Empty while nothing is known but the identity (a direct message was sent to somebody who was never stored)."""
    name_key: str
    """What two names that count as the same have in common (`common.names.fold`)."""
    kept_until_ms: int | None
    """The name is kept for them until then; None: they were connected when this was written."""


PersonUpdate: TypeAlias = Person
"""What is to stand in the log of a person from now on, whether they stand there already or not."""


class Log(Protocol):
    """One log, with one owner. Nothing in it is changed but by `append`; all methods raise `StorageError`s only."""

    @property
    def uuid(self) -> str:
        """Which log this is (32 hexadecimal digits): ids of one log mean nothing in another."""

    @property
    def key(self) -> bytes:
        """The server's secret (32 bytes), as old as the log; tokens are signed with it."""

    @property
    def last(self) -> int:
        """The greatest id in the log, 0 while it is empty."""

    @property
    def count(self) -> int:
        """How many messages there are."""

    @property
    def written(self) -> int:
        """How many rows were written since it was opened: runs of messages, and what changed of people."""

    @property
    def waiting(self) -> int:
        """How many pages (4 KiB each) there are for `checkpoint` to put into the file."""

    def append(self, drafts: Sequence[Run], people: Sequence[PersonUpdate]) -> list[Run]:
        """Appends all of it durably, or nothing: the drafts, which are runs without ids, in the same order, with ids that rise.

        `people` is written first. Who writes (or is written to directly) and is not in the log yet is put there:
        the sender with the draft's name, as connected; the other party with the identity alone, and no name.
        No (identity, ref) of the drafts may be in the log, nor twice among them.

        Raises `StorageFull` or `StorageUnavailable`: then nothing of it is in the log, and a later append can succeed.
        """

    def probe(self) -> None:
        """Nothing, if messages can be written now: there is room for some, and a write reaches the disk.

        Raises `StorageFull` or `StorageUnavailable`.
        """

    def find(self, identity: str, ref: int) -> Entry | None:
        """The message that this person sent with this ref."""

    def topic(self, conv: str) -> Entry | None:
        """The message that set the topic of this conversation last; None, too, if that one is damaged."""

    def newest_counter(self, identity: str, instance: int) -> int | None:
        """The greatest counter (lower 32 bits of a ref) of this person's messages of this instance (the upper 32)."""

    def person(self, identity: str) -> Person | None: ...

    def people_named(self, name_key: str) -> list[Person]:
        """Who had this name when they were last written, most recently kept first; the first hundred of them."""

    def kept_people(self, now_ms: int) -> list[Person]:
        """All whose name is kept: who was connected when last written, or whose time is not over."""

    def checkpoint(self, wait: bool = False) -> int:
        """Tidies the file up, which costs two waits for the disk; to be called between turns, now and then.

        Returns the pages that the write-ahead log holds (4 KiB each). They grow for as long as readers overlap; `wait`
        waits up to a second for a moment without any, and then it is 0: the next commit begins at the front of the file.
        Raises `StorageFull` or `StorageUnavailable`.
        """

    def close(self) -> None:
        """The end. Calling it twice is fine."""
