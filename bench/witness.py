"""What the clients of a benchmark saw, and whether it is what they should have seen. Pure: bytes in, verdict out.

To decode every copy of every message would cost more than the server's work. So one member of each conversation (some, where
waits are measured) is a `Watcher`, who decodes all that comes and checks it; the others are `Listener`s, who only count
and sum up the bytes. All copies of a room's messages are the same bytes in the same order, so what holds of the watcher holds of
whoever has the same sum.
"""

from __future__ import annotations

import zlib
from collections import defaultdict

from common import messages as m
from common.framing import FrameDecoder
from common.limits import FRAME_BYTES


class Listener:
    """One connection, from the moment on at which the load begins."""

    def __init__(self) -> None:
        self.length = 0
        """Bytes that came."""
        self.sum = 0

    def take(self, data: bytes) -> None:
        self.length += len(data)
        self.sum = zlib.crc32(data, self.sum)

    def heard_as_much_as(self, watcher: Watcher) -> bool:
        return self.length >= watcher.length

    def heard_the_same_as(self, watcher: Watcher) -> bool:
        return (self.length, self.sum) == (watcher.length, watcher.sum)


class Watcher(Listener):
    """A connection whose every message is looked at. What is wrong is noted in `faults`, the first few of them."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: defaultdict[str, int] = defaultdict(int)
        """Messages of each sender; they are numbered from 0 in their texts."""
        self.last = 0
        self.faults: list[str] = []
        self._decoder = FrameDecoder(FRAME_BYTES)

    def take_messages(self, data: bytes) -> list[m.Msg]:
        """The messages that are complete with `data`."""
        self.take(data)
        bodies, too_large = self._decoder.feed(data)
        if too_large is not None:
            self._note(str(too_large))
        messages = []
        for body in bodies:
            reply = m.parse_reply(body)
            if isinstance(reply, m.Msg):
                self._check(reply)
                messages.append(reply)
            elif isinstance(reply, m.Error | m.Goodbye):
                self._note(f"the server said {reply}")
        return messages

    def heard_as_much_as(self, watcher: Watcher) -> bool:
        """Of messages: presence, which is for each connection alone, is left out."""
        return sum(self.heard.values()) >= sum(watcher.heard.values())

    def heard_the_same_as(self, watcher: Watcher) -> bool:
        return (self.heard, self.last) == (watcher.heard, watcher.last)

    def _check(self, msg: m.Msg) -> None:
        if msg.id <= self.last:
            self._note(f"id {msg.id} came after {self.last}")
        self.last = msg.id
        number = number_of(msg.text)
        if number != self.heard[msg.sender]:
            self._note(f"{msg.sender}'s message {number} came instead of {self.heard[msg.sender]}")
        self.heard[msg.sender] = number + 1

    def _note(self, fault: str) -> None:
        if len(self.faults) < 5:
            self.faults.append(fault)


def text_of(number: int, due_ns: int, size: int) -> str:
    """The text of a sender's n-th message, which was due at that time, filled up to `size` characters."""
    return f"{number} {due_ns} ".ljust(size, "x")


def number_of(text: str) -> int:
    return int(text.split(" ", 1)[0])


def due_of(text: str) -> int:
    """When the message was due (nanoseconds of the monotonic clock)."""
    return int(text.split(" ", 2)[1])


def verdict(conversations: list[list[Listener]], sent: dict[str, int]) -> list[str]:
    """What is wrong with what all of them heard, after so many messages were `sent` by each sender: nothing, if it is empty.

    Each conversation's listeners begin with a `Watcher`.
    """
    faults: list[str] = []
    heard: defaultdict[str, int] = defaultdict(int)
    for first, *others in conversations:
        assert isinstance(first, Watcher)
        faults += first.faults
        for sender, count in first.heard.items():
            heard[sender] += count
        different = sum(not other.heard_the_same_as(first) for other in others)
        if different:
            faults.append(f"{different} of {len(others)} did not hear what the first one heard")
    faults += [f"{heard[name]} of {count} messages of {name} were heard" for name, count in sent.items() if heard[name] != count]
    return faults
