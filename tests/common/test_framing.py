"""Frames come out as they went in, whatever the pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.framing import HEADER, FrameDecoder, FrameTooLarge, ends, frame

BODIES = st.lists(st.binary(max_size=40), max_size=12)


@st.composite
def pieces(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """The stream, cut anywhere; some pieces are empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@given(BODIES, st.data())
def test_any_split_of_the_stream_gives_the_same_frames(bodies: list[bytes], data: st.DataObject) -> None:
    decoder = FrameDecoder(40)
    received: list[bytes] = []
    for piece in data.draw(pieces(b"".join(map(frame, bodies)))):
        complete, problem = decoder.feed(piece)
        assert problem is None
        received += complete
    assert received == bodies
    assert decoder.waiting == 0


@given(BODIES)
def test_the_ends_of_frames_are_found(bodies: list[bytes]) -> None:
    frames = [*map(frame, bodies)]
    assert ends(b"".join(frames)) == [*itertools.accumulate(map(len, frames))]


@given(BODIES, st.integers(41, 2**32 - 1), st.data())
def test_a_frame_over_the_limit_ends_the_stream_behind_the_good_ones(
    bodies: list[bytes], announced: int, data: st.DataObject
) -> None:
    decoder = FrameDecoder(40)
    received: list[bytes] = []
    problem = None
    for piece in data.draw(pieces(b"".join(map(frame, bodies)) + HEADER.pack(announced))):
        assert problem is None or not piece, "the error came before its header was complete"
        if problem is None:
            complete, problem = decoder.feed(piece)
            received += complete
    assert received == bodies
    assert isinstance(problem, FrameTooLarge)
    assert str(announced) in str(problem)
    assert "40" in str(problem)


def test_the_limit_itself_is_allowed() -> None:
    assert FrameDecoder(40).feed(frame(bytes(40))) == ([bytes(40)], None)


def test_nothing_of_a_refused_frame_is_kept() -> None:
    decoder = FrameDecoder(40)
    decoder.feed(HEADER.pack(41) + bytes(30))
    assert decoder.waiting == 0


@pytest.mark.parametrize("sent", [0, 1, 3, 4, 5, 13])
def test_what_waits_is_what_was_sent_of_an_incomplete_frame(sent: int) -> None:
    decoder = FrameDecoder(40)
    assert decoder.feed(frame(b"0123456789")[:sent]) == ([], None)
    assert decoder.waiting == sent
