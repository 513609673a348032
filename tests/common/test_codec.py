"""What the decoder lets through, what it refuses, and that a hostile frame costs no memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common import codec
from common.errors import Code, Refused
from common.framing import HEADER
from common.limits import FRAME_BYTES

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text("abc"), inner, max_size=8),
    max_leaves=30,
)


def refusal(body: bytes) -> Code:
    """The code with which a frame is refused."""
    with pytest.raises(Refused) as refused:
        codec.decode(body)
    assert refused.value.text
    assert "\n" not in refused.value.text
    return refused.value.code


@given(st.lists(VALUES, max_size=8))
def test_what_is_encoded_is_decoded(value: list[Any]) -> None:
    frame = codec.encode(value)
    body = frame[HEADER.size :]
    assert HEADER.unpack_from(frame) == (len(body),)
    assert codec.decode(body) == value
    assert codec.size(value) == len(body)


@given(st.binary(max_size=200))
@example(b"\xc1")  # a byte that msgpack never uses
@example(b"\x91" * 1000 + b"\xc0")  # deep
@example(b"\x92\x01")  # cut short
@example(b"\x90\x90")  # two values
@example(b"\x91\xa1\xff")  # no UTF-8
@example(b"\x91\xc7\x00\xff")  # an empty time stamp
def test_any_bytes_are_a_value_or_refused_with_a_documented_code(body: bytes) -> None:
    try:
        codec.decode(body)
    except Refused as refused:
        code = refused.code
    else:
        return
    assert code in {Code.EMPTY_FRAME, Code.BAD_ENCODING, Code.BAD_MESSAGE}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xc1", id="a byte that msgpack never uses"),
        pytest.param(b"\x92\x01", id="cut short"),
        pytest.param(b"\x90\x90", id="two values"),
        pytest.param(b"\x91\xa1\xff", id="text that is no UTF-8"),
        pytest.param(b"\x91\xa3\xed\xa0\x80", id="a lone surrogate"),
        pytest.param(b"\x91\xd6\xff\x00\x00\x00\x00", id="a time stamp"),
        pytest.param(b"\x91\xd4\x05\x00", id="an extension"),
        pytest.param(b"\x91\xc7\x00\x05", id="an extension without data"),
        pytest.param(b"\x91\x81\xa1x\xc8\x00\x00\x05", id="such a one as an option"),
        pytest.param(b"\x91\x81\xc9\x00\x00\x00\x00\x05\x01", id="such a one as a key"),
        pytest.param(msgpack.packb([0] * (codec.ARRAY_ITEMS + 1)), id="a long array"),
        pytest.param(msgpack.packb({str(n): n for n in range(codec.MAP_ITEMS + 1)}), id="a large map"),
    ],
)
def test_not_well_formed(body: bytes) -> None:
    assert refusal(body) == Code.BAD_ENCODING


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x82\xa1a\x01\xa1a\x02", id="a key twice"),
        pytest.param(b"\x91\x91\x82\xa1a\x01\xa1a\x01", id="a key twice, further in"),
        pytest.param(b"\x81\x07\x01", id="a number as key"),
        pytest.param(b"\x81\xc0\x01", id="nil as key"),
        pytest.param(b"\x81\xc4\x01a\x01", id="bytes as key"),
        pytest.param(b"\x81\x90\x01", id="an array as key"),
        pytest.param(b"\x81\x80\x01", id="a map as key"),
    ],
)
def test_maps_have_strings_as_keys_each_once(body: bytes) -> None:
    assert refusal(body) == Code.BAD_MESSAGE


def test_an_empty_frame_has_a_code_of_its_own() -> None:
    assert refusal(b"") == Code.EMPTY_FRAME


def test_the_limits_themselves_are_allowed() -> None:
    value = [[0] * codec.ARRAY_ITEMS, {str(n): n for n in range(codec.MAP_ITEMS)}]
    assert codec.decode(msgpack.packb(value)) == value


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xdd\x00\x0f\x42\x40" * 1000, id="arrays of a million, nested"),
        pytest.param(b"\xdf\x00\x0f\x42\x40" * 1000, id="maps of a million, nested"),
        pytest.param(b"\xdc\x01\x00" * (FRAME_BYTES // 3), id="arrays of 256, nested"),
        pytest.param(b"\xc6\xff\xff\xff\xff", id="4 GB of bytes, announced"),
        pytest.param(b"\xdb\xff\xff\xff\xff", id="4 GB of text, announced"),
    ],
)
def test_a_hostile_frame_takes_little_memory(body: bytes) -> None:
    tracemalloc.start()
    try:
        assert refusal(body) == Code.BAD_ENCODING
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
