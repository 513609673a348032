"""workers.tokens: a token proves one identity, for as long as it says, and nothing else is a token."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Code, Refused
from workers import tokens

KEY = b"k" * 32
DAY_MS = 86_400_000
NOW_MS = 20_000 * DAY_MS + 12_345
ADA = "g" + "a" * 16

identities = st.binary(min_size=10, max_size=10).map(lambda bits: "g" + base64.b32encode(bits).decode().lower())


def refused(key: bytes, token: str, now_ms: int = NOW_MS) -> str:
    with pytest.raises(Refused) as problem:
        tokens.identity_of(key, token, now_ms)
    assert problem.value.code == Code.BAD_TOKEN
    return problem.value.text


@given(identities, st.binary(min_size=32, max_size=32), st.integers(0, 2**43), st.integers(1, 36_500))
def test_a_token_is_good_for_its_days(identity: str, key: bytes, now_ms: int, days: int) -> None:
    token = tokens.mint(key, identity, now_ms, days)
    assert tokens.identity_of(key, token, now_ms) == identity
    assert tokens.identity_of(key, token, now_ms + days * DAY_MS) == identity
    assert refused(key, token, now_ms + (days + 1) * DAY_MS) == "the token has expired"


def test_a_token_of_another_server_is_none() -> None:
    assert refused(b"x" * 32, tokens.mint(KEY, ADA, NOW_MS, 90)) == "this is not a token of this server"


@given(st.data())
def test_a_token_that_was_changed_anywhere_is_none(data: st.DataObject) -> None:
    token = tokens.mint(KEY, ADA, NOW_MS, 90)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("abcdefgz0123456789.Ａ\n").filter(lambda char: char != token[place]))
    refused(KEY, token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize("change", [str.upper, lambda token: token + "\n", lambda token: token[:-1], lambda token: " " + token])
def test_what_nearly_is_a_token_is_none(change: object) -> None:
    assert callable(change)
    refused(KEY, change(tokens.mint(KEY, ADA, NOW_MS, 90)))


@given(st.text(max_size=60))
def test_what_is_no_token_is_none(text: str) -> None:
    refused(KEY, text)


def test_a_very_long_text_is_none() -> None:
    refused(KEY, f"{ADA}." + "9" * 60_000)
