from __future__ import annotations

import pytest

from bench.witness import Listener, Watcher, due_of, number_of, text_of, verdict
from common import messages as m


def message(id: int, number: int, sender: str = "ada") -> bytes:
    return m.encode(m.Msg(id, 0, "#room", sender, number, text_of(number, 77, 30), {}))


def watcher(*frames: bytes) -> Watcher:
    watcher = Watcher()
    watcher.take_messages(b"".join(frames))
    return watcher


def listener(*frames: bytes) -> Listener:
    listener = Listener()
    listener.take(b"".join(frames))
    return listener


def test_texts_tell_their_number_and_when_they_were_due() -> None:
    text = text_of(3, 12_345, 100)
    assert (len(text), number_of(text), due_of(text)) == (100, 3, 12_345)


def test_nothing_is_wrong() -> None:
    frames = message(1, 0), message(2, 0, "bob"), message(5, 1)
    assert verdict([[watcher(*frames), listener(*frames)]], {"ada": 2, "bob": 1}) == []


def test_frames_that_come_in_pieces_are_the_same() -> None:
    stream = message(1, 0) + message(2, 1)
    first = Watcher()
    for at in range(len(stream)):
        first.take_messages(stream[at : at + 1])
    assert verdict([[first, listener(stream)]], {"ada": 2}) == []


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        ([message(1, 0)], "1 of 2 messages of ada were heard"),
        ([message(1, 0), message(2, 0)], "ada's message 0 came instead of 1"),
        ([message(1, 1), message(2, 0)], "ada's message 1 came instead of 0"),
        ([message(2, 0), message(1, 1)], "id 1 came after 2"),
        ([message(1, 0), message(2, 1), m.encode(m.Error(None, "busy", "no"))], "the server said Error"),
        ([message(1, 0), message(2, 1), b"\xff\xff\xff\xff"], "a frame of 4294967295 bytes was announced"),
    ],
)
def test_what_the_watcher_should_not_hear(frames: list[bytes], fault: str) -> None:
    assert any(told.startswith(fault) for told in verdict([[watcher(*frames)]], {"ada": 2}))


@pytest.mark.parametrize("other", [b"", message(1, 0), message(1, 0) + message(2, 1) * 2, message(2, 1) + message(1, 0)])
def test_what_the_others_should_not_hear(other: bytes) -> None:
    first = watcher(message(1, 0), message(2, 1))
    good = listener(message(1, 0), message(2, 1))
    assert verdict([[first, good, listener(other)]], {"ada": 2}) == ["1 of 2 did not hear what the first one heard"]
