"""Entries as messages, and the names of direct conversations."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from common.errors import Refused
from common.log import Entry, Run, direct, is_direct, parties
from common.messages import Msg, encode
from common.names import check_room, fold

IDENTITIES = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=18)
ENTRY = Entry(7, 1_767_225_600_000, "#dev", "#Dev", "ada", "g3k7", 5, "hello")


@given(IDENTITIES, IDENTITIES)
def test_a_direct_conversation_is_the_same_from_both_sides(one: str, other: str) -> None:
    conv = direct(one, other)
    assert conv == direct(other, one)
    assert is_direct(conv)
    assert sorted(parties(conv)) == sorted([one, other])


@given(st.text(st.characters() | st.sampled_from("~#ab"), max_size=8).map("#".__add__))
def test_no_room_is_taken_for_a_direct_conversation(room: str) -> None:
    try:
        assert not is_direct(fold(check_room(room)))
    except Refused:
        pass


def test_an_entry_as_a_message() -> None:
    options = {"conv": "#dev", "from": "g3k7"}
    assert ENTRY.as_msg() == Msg(7, 1_767_225_600_000, "#Dev", "ada", 5, "hello", options)
    assert ENTRY.as_msg(again=True).options == {**options, "again": True}
    assert ENTRY._replace(topic=True).as_msg().options == {**options, "topic": True}


@given(st.booleans(), st.lists(st.text(max_size=5), min_size=1, max_size=5))
def test_a_run_is_its_messages(topic: bool, texts: list[str]) -> None:
    run = Run(*ENTRY[:7], texts, topic)
    assert run.entries() == [ENTRY._replace(id=7 + n, ref=5 + n, text=text, topic=topic) for n, text in enumerate(texts)]
    assert run.frames() == b"".join(encode(entry.as_msg()) for entry in run.entries())
    assert run.last == run.entries()[-1].id
