"""The limits fit together."""

from __future__ import annotations

import dataclasses

from common import messages as m
from common.framing import HEADER
from common.limits import FRAME_BYTES, MEMBERS_SHOWN, NAME_CHARS, ROOM_CHARS, ROOMS_SHOWN, Limits

LARGEST_CHAR = "\U0001f600"
"""Four bytes of UTF-8."""


LIMITS = {field.name: field for field in dataclasses.fields(Limits)}


def body_bytes(message: m.Request | m.Reply) -> int:
    return len(m.encode(message)) - HEADER.size


def test_every_limit_is_positive_and_explained() -> None:
    for field in dataclasses.fields(Limits):
        assert getattr(Limits(), field.name) > 0
        assert field.metadata["help"]


def test_the_longest_message_fits_a_frame() -> None:
    name, room = LARGEST_CHAR * NAME_CHARS, "#" + LARGEST_CHAR * (ROOM_CHARS - 1)
    options = {"conv": room, "from": "x" * 200, "again": True}
    assert body_bytes(m.Msg(m.ID_MAX, m.ID_MAX, room, name, m.REF_MAX, "x" * Limits().text_bytes, options)) < FRAME_BYTES


def test_the_longest_lists_fit_a_frame() -> None:
    room = "#" + LARGEST_CHAR * (ROOM_CHARS - 1)
    names = [LARGEST_CHAR * NAME_CHARS] * MEMBERS_SHOWN
    topic = "x" * LIMITS["topic_bytes"].metadata["most"]
    options = {"conv": room, "members": names, "away": names, "last": m.ID_MAX, "topic": topic, "topic_by": names[0]}
    assert body_bytes(m.Joined(m.REF_MAX, room, {**options, "topic_ms": m.ID_MAX})) < FRAME_BYTES
    assert body_bytes(m.RoomList(m.REF_MAX, [[room, m.ID_MAX]] * ROOMS_SHOWN, {"more": True})) < FRAME_BYTES


def test_hello_with_all_rooms_fits_a_frame() -> None:
    rooms = ["#" + LARGEST_CHAR * (ROOM_CHARS - 1)] * Limits().rooms_per_user
    assert body_bytes(m.Hello(m.REF_MAX, m.VERSION, "ada", {"rooms": rooms, "token": "x" * 200})) < FRAME_BYTES
