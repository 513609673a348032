from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth, wcwidth

from urwid_client import emoji


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("done :tada:", "done 🎉"),
        (":+1::x:", ":+1::x:"),
        ("(:+1:)", "(👍)"),
        (":hot_pepper:", "🌶"),
        ("at 10:30:20", "at 10:30:20"),
        (":nothing_of_this_name:", ":nothing_of_this_name:"),
        (":latin_small_letter_a:", ":latin_small_letter_a:"),
        ("`:tada:` :tada:", "`:tada:` 🎉"),
        ("```\n:tada:\n```", "```\n:tada:\n```"),
    ],
)
def test_shortcodes(typed: str, sent: str) -> None:
    assert emoji.replace(typed) == sent


def test_each_short_name_stands_for_one_sign_of_two_columns() -> None:
    assert {name: sign for name, sign in emoji.SHORT_NAMES.items() if len(sign) != 1 or wcwidth(sign) != 2} == {}
    assert list(emoji.SHORT_NAMES) == sorted(emoji.SHORT_NAMES)


def test_names_are_found_by_their_beginning() -> None:
    assert emoji.names_beginning("thumbs") == ["thumbsdown", "thumbsup"]


@pytest.mark.parametrize(
    ("sent", "drawn"),
    [
        ("👍🏽!", "👍!"),
        ("❤️", "❤"),
        ("👩🏽\u200d🚀", "👩🚀"),
        ("🇩🇪", "DE"),
        ("1️⃣", "1\u20e3"),
        ("क्\u200dष", "क्\u200dष"),
        ("漢字é", "漢字é"),
    ],
)
def test_the_plain_form(sent: str, drawn: str) -> None:
    assert emoji.plain(sent) == drawn


EMOJI = [chr(code) for code in range(0x1F300, 0x1FAFF) if unicodedata.category(chr(code)) == "So"]


@given(st.lists(st.sampled_from([*EMOJI, "🏽", "\u200d", "\ufe0f", "a", "❤", "🇪", "🇩"]), max_size=8).map("".join))
def test_terminals_agree_how_wide_the_plain_form_is(text: str) -> None:
    """Those that know sequences (which `wcswidth` does) and those that look at each character."""
    drawn = emoji.plain("a" + text)
    assert emoji.plain(drawn) == drawn
    assert "\u200d" in drawn or wcswidth(drawn) == sum(map(wcwidth, drawn))
