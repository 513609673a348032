"""Frames, messages, names and texts, fuzzed by what new code each input reaches. By hand, it takes as long as it is let:

    pip install atheris && python -m tests.fuzz.guided -max_total_time=150 -max_len=4096

What it finds it leaves in a file and ends with a traceback. `test_parsers` has the same promises for every run of the tests.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import atheris

with atheris.instrument_imports(include=["common"]):
    from common import messages as m
    from common.errors import MEANINGS, Refused
    from common.framing import FrameDecoder
    from common.limits import FRAME_BYTES
    from common.names import check_name, check_room, looks
    from common.text import clean


def one(data: bytes) -> None:
    bodies, _ = FrameDecoder(FRAME_BYTES).feed(data)
    for body in (data, *bodies):
        refused_or_right(m.read_request, body)
        refused_or_right(m.parse_reply, body)
    text = data.decode(errors="surrogateescape")
    assert clean(clean(text)) == clean(text)
    looks(text)
    refused_or_right(check_name, text)
    refused_or_right(check_room, text)


def refused_or_right(parse: Callable[[Any], object], what: bytes | str) -> None:
    try:
        parse(what)
    except Refused as refused:
        if refused.code not in MEANINGS or not refused.text.isprintable():
            raise AssertionError(refused) from refused


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
