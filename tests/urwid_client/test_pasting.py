from __future__ import annotations

import pytest

from urwid_client.pasting import Paste


def take(*keys: str) -> list[str | None]:
    """What the keys of a paste give, one after the other."""
    paste = Paste()
    return [paste.take(key) for key in ("begin paste", *keys)]


def test_keys_are_text_until_the_end() -> None:
    assert take(*"one", "enter", "tab", *"2", "end paste") == [None] * 7 + ["one\n\t2"]


@pytest.mark.parametrize("pieces", [["esc", *"[201~"], ["meta [", *"201~"]])
def test_the_end_may_come_in_pieces(pieces: list[str]) -> None:
    paste = Paste()
    assert [paste.take(key) for key in ("begin paste", *"one", *pieces)][-1] == "one"
    assert not paste.active
    assert paste.take("end paste") == "", "nothing of it is left"


def test_what_only_begins_like_the_end_is_text() -> None:
    assert take("esc", *"[200~", "meta [", *"201", "end paste")[-1] == "[200~[201"


def test_keys_that_are_no_characters_and_a_second_beginning_are_not_in_it() -> None:
    assert take(*"one", "f1", "ctrl c", "begin paste", "meta enter", *"two", "end paste")[-1] == "onetwo"
