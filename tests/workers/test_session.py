"""workers.session: what a session may ask for, and which messages of the log are its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Code, Refused
from workers.session import Phase, Session

DIRECT = "a~b"


def session(phase: Phase = Phase.LAGGING) -> Session:
    made = Session(1, "somewhere", 0.0)
    made.phase = phase
    return made


@pytest.mark.parametrize(
    ("phase", "may_greet", "may_ask"),
    [
        (Phase.GREETING, True, False),
        (Phase.ASKED, False, False),
        (Phase.LIVE, False, True),
        (Phase.LAGGING, False, True),
        (Phase.LEAVING, False, False),
    ],
)
def test_what_each_phase_allows(phase: Phase, may_greet: bool, may_ask: bool) -> None:
    for allowed, require, code in [
        (may_greet, session(phase).require_greeting, Code.ALREADY_LOGGED_IN),
        (may_ask, session(phase).require_welcome, Code.NOT_LOGGED_IN),
    ]:
        if allowed:
            require()
        else:
            with pytest.raises(Refused) as refused:
                require()
            assert refused.value.code == code


@given(st.lists(st.tuples(st.sampled_from(["#a", "#b"]), st.booleans()), max_size=12), st.integers(0, 12))
def test_a_room_is_ones_own_for_as_long_as_one_was_in_it(moves: list[tuple[str, bool]], cursor: int) -> None:
    """At each id somebody comes or goes, or does not; a message of every room follows. Only what the log gives is asked about."""
    lagging = session()
    there: dict[str, set[int]] = {"#a": set(), "#b": set()}
    for id, (room, comes) in enumerate(moves, 1):
        if comes and room not in lagging.rooms:
            lagging.rooms[room] = (room, id - 1)
        elif not comes and room in lagging.rooms:
            lagging.departed.append((room, lagging.rooms.pop(room)[1], id - 1))
        for conv in lagging.rooms:
            there[conv].add(id)
    lagging.forget_departed(cursor)
    floors = lagging.floors()
    for id in range(cursor + 1, len(moves) + 1):
        found = {conv for conv in there if conv in floors and id > floors[conv] and lagging.was_there(conv, id)}
        assert found == {conv for conv in there if id in there[conv]}
        assert lagging.was_there(DIRECT, id)


def test_what_was_sent_before_the_cursor_is_forgotten() -> None:
    lagging = session()
    lagging.departed = [("#a", 0, 5), ("#b", 2, 6)]
    lagging.forget_departed(5)
    assert lagging.departed == [("#b", 2, 6)]
    assert lagging.floors() == {"#b": 2}
