"""What stands in frames, as the classes of `common.messages`: in a request's body, and in whole buffers that the server made."""

from __future__ import annotations

import itertools

from common import messages as m
from common.framing import FrameDecoder, ends
from common.limits import FRAME_BYTES


def replies_in(data: bytes) -> list[m.Reply]:
    """The messages, in their order. Fails on what is no whole frame, too long, or no reply."""
    decoder = FrameDecoder(FRAME_BYTES)
    bodies, problem = decoder.feed(data)
    assert problem is None, problem
    assert not decoder.waiting, "a frame was cut"
    replies = [m.parse_reply(body) for body in bodies]
    return [reply for reply in replies if reply is not None]


def messages_in(last: int, frames: bytes) -> list[tuple[int, bytes]]:
    """The frames of messages whose ids follow each other up to `last`, each with its id; one that is no message has the id 0."""
    until = ends(frames)
    each = [frames[start:end] for start, end in itertools.pairwise([0, *until])]
    assert len(each) == 1 or last >= len(each), "only messages go together"
    return [(last and last - len(each) + place, frame) for place, frame in enumerate(each, 1)]


def reply_in(frame: bytes) -> m.Reply:
    """The message of one frame."""
    (reply,) = replies_in(frame)
    return reply


def request_of(body: bytes) -> m.Request:
    """What a client says in one frame's body. Raises `Refused`."""
    tag, *fields = m.read_request(body)
    request: m.Request = m.REQUESTS[tag].build(*fields)
    return request
