"""Batches over a real pipe: never locked, never torn, never out of order."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.channel import Channel, ChannelClosed
from common.framing import frame

Ends = tuple[Channel, Channel]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both ends of a pipe."""
    one, other = map(Channel, multiprocessing.Pipe())
    yield one, other
    one.close()
    other.close()


def receive_all(channel: Channel, peer: Channel) -> list[list[Any]]:
    """What comes while the peer writes on as its pipe allows, until nothing is on its way any more."""
    batches: list[list[Any]] = []
    while True:
        peer.flush()
        received = channel.receive()
        batches += received
        if not received and not peer.waiting:
            return batches


def test_a_batch_arrives_as_it_was_sent(ends: Ends) -> None:
    batch = ["requests", 7, [["send", 1, 2**64 - 1, "#dev", "höllo", None, {"k": [True]}, b"\0"]]]
    ends[0].send(batch)
    ends[1].send([])
    assert ends[1].receive() == [batch]
    assert ends[0].receive() == [[]]


def test_nothing_to_read_is_no_wait(ends: Ends) -> None:
    assert ends[0].receive() == []


def test_both_directions_full_at_once_do_not_lock(ends: Ends) -> None:
    one, other = ends
    count = 0
    while min(one.waiting, other.waiting) < 1_000_000:  # far beyond what the pipe takes
        one.send([count, "x" * 1000])
        other.send([-count, "y" * 1000])
        count += 1
    assert [batch[0] for batch in receive_all(other, one)] == list(range(count))
    assert [batch[0] for batch in receive_all(one, other)] == [-number for number in range(count)]
    assert one.waiting == other.waiting == 0


def test_a_large_batch(ends: Ends) -> None:
    batch = [[number, "x" * 100] for number in range(150_000)]  # about 16 MB
    ends[0].send(batch)
    assert ends[0].waiting > 10_000_000
    assert receive_all(ends[1], ends[0]) == [batch]


def test_reading_stops_at_its_limit_and_goes_on_later(ends: Ends) -> None:
    for number in range(100):
        ends[0].send([number, "x" * 1000])
    first = ends[1].receive(limit=1)
    assert first
    assert [batch[0] for batch in [*first, *receive_all(ends[1], ends[0])]] == list(range(100))


@given(st.lists(st.tuples(st.sampled_from(["send", "receive", "flush"]), st.booleans(), st.integers(0, 100_000))))
def test_any_order_of_writing_and_reading_keeps_the_order_of_batches(steps: list[tuple[str, bool, int]]) -> None:
    channels = tuple(map(Channel, multiprocessing.Pipe()))
    sent: tuple[list[int], list[int]] = ([], [])
    received: tuple[list[int], list[int]] = ([], [])
    for action, side, size in steps:
        if action == "send":
            channels[side].send([len(sent[side]), b"x" * size])
            sent[side].append(len(sent[side]))
        elif action == "receive":
            received[not side].extend(batch[0] for batch in channels[side].receive(limit=size))
        else:
            channels[side].flush()
    for side in (False, True):
        received[side].extend(batch[0] for batch in receive_all(channels[not side], channels[side]))
    for channel in channels:
        channel.close()
    assert received == sent


def test_what_was_sent_before_the_end_arrives_and_then_the_end(ends: Ends) -> None:
    ends[0].send(["last", "words"])
    ends[0].close()
    assert ends[1].receive() == [["last", "words"]]
    with pytest.raises(ChannelClosed):
        ends[1].receive()


def test_writing_to_a_closed_pipe_says_so(ends: Ends) -> None:
    ends[1].close()
    with pytest.raises(ChannelClosed):
        ends[0].send(["anybody there?"])


def test_half_a_batch_before_the_end_is_not_a_batch() -> None:
    connection, peer = multiprocessing.Pipe()
    os.write(peer.fileno(), frame(b"0123456789")[:9])
    peer.close()
    channel = Channel(connection)
    assert channel.receive() == []
    with pytest.raises(ChannelClosed):
        channel.receive()
    channel.close()


def test_an_announced_monster_is_the_end() -> None:
    connection, peer = multiprocessing.Pipe()
    os.write(peer.fileno(), b"\xff\xff\xff\xff")
    channel = Channel(connection)
    with pytest.raises(ChannelClosed):
        channel.receive()
    channel.close()
    peer.close()


def test_one_waits_no_longer_than_until_something_comes() -> None:
    connection, peer = multiprocessing.Pipe()
    channel = Channel(connection)
    channel.await_some(1)
    assert channel.receive() == []
    sender = Channel(peer)
    sender.send([1])
    began = time.monotonic()
    channel.await_some(10_000)
    assert time.monotonic() - began < 5
    assert channel.receive() == [[1]]
    channel.close()
    sender.close()
