"""msgpack under limits: bytes to plain values and back. What the values mean is `common.messages`' business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import msgpack

from common.errors import Code, Refused
from common.framing import HEADER

_header = HEADER.pack
_pack = msgpack.Packer().pack
"""One packer for all: making one costs more than packing a message."""

ARRAY_ITEMS = 256
MAP_ITEMS = 64


class _DuplicateKey(ValueError):
    """Two entries of a map have the same key: which of them counts would be anybody's guess."""


def _unique(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    if not pairs:  # as in nearly every message
        return {}
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise _DuplicateKey("a key stands twice in a map")
    if not all(type(key) is str for key in entries):
        raise _DuplicateKey("the keys of a map are strings")
    return entries


def _no_extension(code: int, data: bytes) -> NoReturn:
    """One without data gets past `max_ext_len`."""
    raise ValueError("extension types are not used")


def decode(body: bytes) -> Any:
    """The one value that a frame holds.

    Raises `Refused` with `bad_encoding` (not msgpack, over the limits, or more than one value), `bad_message`
    (a map with a key that stands twice or is no string) or `empty_frame`.

    The limits keep a hostile frame from making the decoder allocate ahead: a few bytes can announce a million items.
    """
    if not body:
        raise Refused(Code.EMPTY_FRAME)
    try:
        return msgpack.unpackb(
            body,
            max_array_len=ARRAY_ITEMS,
            max_map_len=MAP_ITEMS,
            max_ext_len=0,
            ext_hook=_no_extension,
            strict_map_key=False,
            object_pairs_hook=_unique,
        )
    except (_DuplicateKey, TypeError) as problem:  # TypeError: a key that cannot be hashed
        text = str(problem) if isinstance(problem, _DuplicateKey) else "the keys of a map are strings"
        raise Refused(Code.BAD_MESSAGE, text) from None
    except (ValueError, RecursionError) as problem:  # msgpack's own errors are all ValueErrors
        raise Refused(Code.BAD_ENCODING, _in_one_line(problem)) from None


def _in_one_line(problem: BaseException) -> str:
    words = " ".join(str(problem).split()) or type(problem).__name__
    return f"not one msgpack value within the limits: {words[:80]}"


def encode(value: Sequence[Any]) -> bytes:
    """One frame, length included, that holds `value`."""
    body: bytes = _pack(value)
    return _header(len(body)) + body


def size(value: Any) -> int:
    """The length of `value` in msgpack (bytes)."""
    return len(_pack(value))
