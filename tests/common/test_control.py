"""common.control over real socketpairs."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from common.control import Control, ControlClosed, Order


@pytest.fixture
def ends() -> Iterator[tuple[Control, Control]]:
    one, other = (Control(sock) for sock in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    yield one, other
    one.close()
    other.close()


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_orders_arrive_whole_and_in_order(ends: tuple[Control, Control]) -> None:
    one, other = ends
    one.send("worker_gone", {"number": 3, "generation": 1})
    one.send("stop")
    assert other.receive() == [Order("worker_gone", {"number": 3, "generation": 1}, []), Order("stop", {}, [])]
    assert other.receive() == []


def test_a_descriptor_travels_and_works(ends: tuple[Control, Control]) -> None:
    one, other = ends
    read, write = os.pipe()
    one.send("broker", {}, [write])
    os.close(write)
    [order] = other.receive()
    [passed] = order.fds
    assert not os.get_inheritable(passed)
    os.write(passed, b"through")
    os.close(passed)
    assert os.read(read, 100) == b"through"
    assert os.read(read, 100) == b"", "no copy of the writing end is left anywhere"
    os.close(read)


def test_several_descriptors_keep_their_order(ends: tuple[Control, Control]) -> None:
    one, other = ends
    pipes = [os.pipe() for _ in range(3)]
    one.send("some", {}, [read for read, _ in pipes])
    [order] = other.receive()
    for (read, write), passed in zip(pipes, order.fds, strict=True):
        os.write(write, str(write).encode())
        assert os.read(passed, 100) == str(write).encode()
        for fd in (read, write, passed):
            os.close(fd)


def test_a_side_that_does_not_read_blocks_nobody_and_misses_nothing(ends: tuple[Control, Control]) -> None:
    one, other = ends
    read, write = os.pipe()
    count = 5_000
    for number in range(count):
        one.send("status", {"number": number}, [read] if number == count - 1 else [])
    assert one.waiting > 0
    os.close(read)  # what waits has a copy of its own
    received: list[Order] = []
    while len(received) < count:
        received += other.receive()
        one.flush()
    assert one.waiting == 0
    assert [order.data["number"] for order in received] == list(range(count))
    os.write(write, b"x")
    [passed] = received[-1].fds
    assert os.read(passed, 1) == b"x"
    os.close(passed)
    os.close(write)


def test_closing_shows_after_everything_was_received(ends: tuple[Control, Control]) -> None:
    one, other = ends
    one.send("failed", {"status": 1, "text": "no room"})
    one.close()
    assert other.receive() == [Order("failed", {"status": 1, "text": "no room"}, [])]
    with pytest.raises(ControlClosed):
        other.receive()


def test_the_last_words_of_a_side_that_left_with_orders_unread(ends: tuple[Control, Control]) -> None:
    one, other = ends
    one.send("failed", {"status": 1, "text": "no room"})
    other.send("worker", {"number": 1, "generation": 0})
    one.close()
    assert [order.kind for order in other.receive()] == ["failed"]
    with pytest.raises(ControlClosed):
        other.receive()


def test_sending_to_one_that_is_gone_does_nothing(ends: tuple[Control, Control]) -> None:
    one, other = ends
    other.close()
    before = open_descriptors()
    one.send("broker", {}, [0])
    assert one.waiting == 0
    assert open_descriptors() == before


def test_closing_gives_up_what_waits(ends: tuple[Control, Control]) -> None:
    one, _ = ends
    before = open_descriptors()
    while one.waiting < 3:
        one.send("broker", {}, [0])
    assert len(open_descriptors()) == len(before) + 3
    one.close()
    assert len(open_descriptors()) < len(before)


def test_a_descriptor_that_was_lost_is_an_error_and_not_a_wrong_order(ends: tuple[Control, Control]) -> None:
    import resource

    one, other = ends
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    one.send("broker", {}, [0])
    highest = max(int(name) for name in open_descriptors())
    fillers = [os.dup(0) for _ in range(highest + 3)]  # so that no number below the limit is free
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(fillers) + 1, hard))
    try:
        with pytest.raises(OSError, match="no descriptor is left"):
            other.receive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in fillers:
            os.close(fd)
