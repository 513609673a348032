"""Whatever comes in, only what is documented comes out: of frames, messages, pipes, settings and texts."""

from __future__ import annotations

import os
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.settings import PREFIX, SERVE, server_settings
from common import invitations
from common import messages as m
from common.channel import Channel, ChannelClosed
from common.errors import MEANINGS, Refused
from common.framing import FrameDecoder, frame
from common.limits import FRAME_BYTES
from common.names import check_name, check_room, fold, looks
from common.settings import UsageError, read_options
from common.text import clean, clean_line, is_blank
from tests.support.frames import request_of

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9) | st.binary(max_size=9)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5) | st.integers(0, 9), inner, max_size=4),
)
TAGS = st.sampled_from(sorted({*m.REQUESTS, *m.REPLIES, "", "x"}))
MESSAGES = st.tuples(TAGS, st.lists(VALUES, max_size=8)).map(lambda parts: [parts[0], *parts[1]])
BODIES = st.binary(max_size=200) | MESSAGES.map(msgpack.packb) | VALUES.map(msgpack.packb)


def assert_documented(refused: Refused) -> None:
    assert refused.code in MEANINGS
    assert 0 < len(refused.text) < 200
    assert refused.text.isprintable()


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@given(
    st.binary(max_size=400) | st.lists(st.binary(max_size=90)).map(lambda bodies: b"".join(map(frame, bodies))),
    st.lists(st.integers(0)),
)
def test_frames(data: bytes, cuts: list[int]) -> None:
    """It is all the same how the bytes are cut. What is too long is said once, and nothing comes behind it."""
    whole, pieces = FrameDecoder(64), FrameDecoder(64)
    bodies, problem = whole.feed(data)
    seen: list[bytes] = []
    problems: list[Exception] = []
    for piece in split(data, cuts):
        more, wrong = pieces.feed(piece)
        assert not (problems and more)
        seen += more
        problems += [wrong] if wrong is not None else []
    assert seen == bodies
    assert bool(problems) == (problem is not None)
    assert all(len(body) <= 64 for body in bodies)


@given(BODIES)
def test_messages(body: bytes) -> None:
    """A request or a reply of the documented shape, or one documented error in words."""
    for parse in (request_of, m.parse_reply):
        try:
            message = parse(body)
        except Refused as refused:
            assert_documented(refused)
        else:
            assert message is None or len(frame(body)) <= FRAME_BYTES
            if message is not None and type(message) in (m.Send, m.Msg):
                assert m.encode(message)


@given(st.binary(max_size=200) | st.lists(BODIES).map(lambda bodies: b"".join(map(frame, bodies))))
def test_pipes(data: bytes) -> None:
    """A process that writes nonsense into its pipe is one that is gone."""
    ours, theirs = Pipe()
    channel = Channel(ours)
    try:
        os.write(theirs.fileno(), data)
        theirs.close()
        while True:
            channel.receive()
    except ChannelClosed:
        pass
    finally:
        channel.close()


KEYS = [*(setting.key for setting in SERVE), "limits", "limit", "x"]
TOML_VALUES = st.sampled_from(
    ["1", "0", "-1", "true", "''", '"x"', "1.5", "[]", "{}", "1979-05-27", "nan", "9" * 30, '"\\u0000"']
)
LINES = st.tuples(st.sampled_from(KEYS), TOML_VALUES).map(" = ".join) | st.sampled_from(
    ["[limits]", "[x]", "[[limits]]", "#", "é"]
)
FILES = (
    st.lists(LINES).map(lambda lines: "\n".join(lines).encode())
    | st.binary(max_size=90)
    | st.text(max_size=90).map(lambda text: text.encode(errors="surrogatepass"))
)


@given(FILES)
def test_files_of_settings(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_bytes(content)
    check_settings({"config": path}, {})


@given(st.lists(st.sampled_from([setting.option for setting in SERVE]) | st.text(max_size=9), max_size=6))
def test_command_lines(arguments: list[str]) -> None:
    try:
        given_, _ = read_options(SERVE, arguments)
    except UsageError as problem:
        assert_one_line(problem)
    else:
        given_.pop("config", None)
        check_settings(given_, {})


@given(
    st.dictionaries(
        st.sampled_from([setting.variable(PREFIX) for setting in SERVE if setting.name != "config"]), st.text(max_size=9)
    )
)
def test_environments(environ: dict[str, str]) -> None:
    check_settings({}, environ)


def check_settings(given_: dict[str, Any], environ: dict[str, str]) -> None:
    try:
        settings = server_settings(given_, environ)
    except UsageError as problem:
        assert_one_line(problem)
    else:
        assert 0 <= settings.port <= 65535
        assert isinstance(settings.data_dir, Path)


def assert_one_line(problem: Exception) -> None:
    assert str(problem)
    assert "\n" not in str(problem)
    assert len(str(problem)) < 500


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


@given(ANY_TEXT)
def test_texts_and_names(text: str) -> None:
    """Nothing raises but `Refused`; what is cleaned is clean, and stays so."""
    cleaned, line = clean(text), clean_line(text)
    assert clean(cleaned) == cleaned
    assert clean_line(line) == line
    assert line.isprintable() or not set(line) & set(map(chr, [*range(32), *range(127, 160)]))
    is_blank(text)
    fold(text)
    looks(text)
    for check in (check_name, check_room):
        try:
            check(text)
        except Refused as refused:
            assert_documented(refused)


@given(ANY_TEXT | st.text("chat://:/?fp=SHA256[]@#%0aA"))
def test_invitations(text: str) -> None:
    for tried in (text, f"chat://{text}"):
        try:
            invitation = invitations.parse(tried)
        except invitations.NoInvitation as problem:
            assert_one_line(problem)
        else:
            assert invitations.parse(str(invitation)) == invitation
