"""workers.fanout: each session gets what is its own, in order, however it is grouped; what is left over is never cut."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from common.framing import frame
from tests.support.frames import messages_in
from workers.fanout import NO_ID, Delivery, Turn, deliver, remainder

CONVS = ["#a", "#b", "#c"]
SIDS = [1, 2, 3, 4]


class Naive:
    """What the fan-out should come to: a list per session, written as things happen."""

    def __init__(self, live: dict[str, set[int]]) -> None:
        self.live = {conv: set(live.get(conv, ())) for conv in CONVS}
        self.lists: defaultdict[int, list[tuple[int, bytes]]] = defaultdict(list)

    def to_room(self, conv: str, id: int, frame: bytes) -> None:
        for sid in self.live[conv]:
            self.lists[sid].append((id, frame))


class Turns(RuleBasedStateMachine):
    """One turn after the other, each compared with the naive one at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.live: defaultdict[str, set[int]] = defaultdict(set)
        self.id = 0
        self.frames = 0
        self.begin()

    def begin(self) -> None:
        self.base = self.id
        self.turn = Turn()
        self.naive = Naive(self.live)

    def frame(self) -> bytes:
        self.frames += 1
        return f"{self.frames};".encode()

    def messages(self, count: int) -> tuple[list[int], list[bytes]]:
        self.id += count
        return [*range(self.id - count + 1, self.id + 1)], [self.frame() for _ in range(count)]

    @rule(conv=st.sampled_from(CONVS), count=st.integers(1, 3))
    def room_messages(self, conv: str, count: int) -> None:
        ids, frames = self.messages(count)
        self.turn.to_room(conv, ids, frames)
        for part in zip(ids, frames, strict=True):
            self.naive.to_room(conv, *part)

    @rule(conv=st.sampled_from(CONVS))
    def presence(self, conv: str) -> None:
        frame = self.frame()
        self.turn.to_room(conv, [NO_ID], [frame])
        self.naive.to_room(conv, NO_ID, frame)

    @rule(sids=st.sets(st.sampled_from(SIDS), min_size=1, max_size=2), count=st.integers(1, 3))
    def direct_messages(self, sids: set[int], count: int) -> None:
        ids, frames = self.messages(count)
        for sid in sids:
            self.turn.to_session(sid, ids, frames)
            self.naive.lists[sid] += zip(ids, frames, strict=True)

    @rule(sid=st.sampled_from(SIDS))
    def answer(self, sid: int) -> None:
        frame = self.frame()
        self.turn.to_session(sid, [NO_ID], [frame])
        self.naive.lists[sid].append((NO_ID, frame))

    @rule(sid=st.sampled_from(SIDS), conv=st.sampled_from(CONVS))
    def enter_or_leave(self, sid: int, conv: str) -> None:
        if sid in self.live[conv]:
            self.turn.left(sid, conv)
            self.live[conv].discard(sid)
            self.naive.live[conv].discard(sid)
        else:
            self.live[conv].add(sid)
            self.turn.entered(sid, conv)
            self.naive.live[conv].add(sid)

    @rule(sid=st.sampled_from(SIDS))
    def connection_ends(self, sid: int) -> None:
        for conv in CONVS:
            self.live[conv].discard(sid)
            self.naive.live[conv].discard(sid)
        self.turn.closed(sid)
        self.naive.lists.pop(sid, None)

    @rule()
    def end(self) -> None:
        got: dict[int, list[tuple[int, bytes]]] = {}
        for delivery in self.turn.deliveries(self.live, self.base):
            assert delivery.base == self.base
            assert delivery.data == b"".join(frames for _, frames in delivery.parts)
            assert delivery.data, "nothing is delivered to nobody"
            for sid in delivery.sids:
                assert sid not in got, "one buffer for each connection"
                got[sid] = delivery.parts
                ids = [id for id, _ in delivery.parts if id != NO_ID]
                assert ids == sorted(set(ids))
        assert got == {sid: parts for sid, parts in self.naive.lists.items() if parts}
        self.begin()

    def teardown(self) -> None:
        self.end()


TestTurns = Turns.TestCase


def test_those_who_get_the_same_share_one_buffer() -> None:
    turn = Turn()
    turn.to_room("#a", [1], [b"one"])
    turn.to_room("#b", [2], [b"two"])
    turn.to_room("#a", [3], [b"three"])
    live = {"#a": [1, 2, 3, 4], "#b": [3, 4, 5]}
    found = {tuple(delivery.sids): delivery.data for delivery in turn.deliveries(live, 0)}
    assert found == {(1, 2): b"onethree", (3, 4): b"onetwothree", (5,): b"two"}


def test_a_turn_that_brings_nothing_delivers_nothing() -> None:
    assert not [*Turn().deliveries({"#a": [1]}, 0)]


# --- what is left over -----------------------------------------------------------------------------------------------------


@st.composite
def cut_deliveries(draw: st.DrawFn) -> tuple[Delivery, int, int]:
    """A delivery with rising ids, the bytes that were taken of it, and the room for the rest."""
    base = draw(st.integers(0, 5))
    id, number = base, 0
    parts = []
    for messages, size in draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=6)):
        id += messages
        frames = b"".join(frame(bytes([number + n]) * size) for n in range(max(messages, 1)))
        number += max(messages, 1)
        parts.append((id if messages else NO_ID, frames))
    delivery = deliver(parts, [1], base)
    return delivery, draw(st.integers(0, len(delivery.data) - 1)), draw(st.integers(0, 60))


@given(cut_deliveries())
def test_what_is_left_over_is_whole_or_comes_from_the_log(case: tuple[Delivery, int, int]) -> None:
    delivery, taken, room = case
    rest = remainder(delivery, taken, room)
    written = delivery.data[:taken] + rest.data
    frames = [one for part in delivery.parts for one in messages_in(*part)]
    kept = [(id, frame) for id, frame in frames if frame in written]
    assert b"".join(frame for _, frame in kept) == written, "no frame is cut, and the order stays"
    assert [frame for id, frame in kept if id == NO_ID] == [frame for id, frame in frames if id == NO_ID]
    assert rest.data, "the connection is seen to be blocked"
    ids = [id for id, _ in frames if id != NO_ID]
    sent = [id for id, _ in kept if id != NO_ID]
    assert (rest.cursor is None) == (len(delivery.data) - taken <= room), "whoever does not read is not live for long"
    if rest.cursor is None:
        assert sent == ids
    else:
        assert sent == [id for id in ids if id <= rest.cursor]
        assert rest.cursor == (sent[-1] if sent else delivery.base)


ONE, TWO, THREE = (frame(body) for body in (b"o", b"tt", b"ttt"))
"""Messages, of 5, 6 and 7 bytes."""
ANSWER, NEWS = frame(b"AAAA"), frame(b"BBBBB")
"""Of 8 and 9."""


@pytest.mark.parametrize(
    ("taken", "room", "data", "cursor"),
    [
        (0, 35, ONE + ANSWER + TWO + THREE + NEWS, None),
        (0, 34, ONE + ANSWER + NEWS, 1),
        (1, 33, ONE[1:] + ANSWER + NEWS, 1),
        (5, 29, ANSWER + NEWS, 1),
        (12, 22, ANSWER[7:] + NEWS, 1),
        (13, 21, TWO + NEWS, 2),
        (14, 20, TWO[1:] + NEWS, 2),
        (18, 16, TWO[5:] + NEWS, 2),
        (19, 15, THREE + NEWS, 3),
        (25, 9, THREE[6:] + NEWS, 3),
        (26, 9, NEWS, None),
        (27, 1, NEWS[1:], 3),
    ],
)
def test_the_next_frame_and_the_answers_are_kept(taken: int, room: int, data: bytes, cursor: int | None) -> None:
    delivery = deliver([(1, ONE), (NO_ID, ANSWER), (3, TWO + THREE), (NO_ID, NEWS)], [1], 0)
    assert remainder(delivery, taken, room) == (data, cursor)
