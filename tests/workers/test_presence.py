"""workers.presence: a moment's changes are told together, as they are at its end, and fit a frame."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from common import messages as m
from common.limits import MEMBERS_SHOWN
from tests.support.frames import reply_in
from workers.presence import SHARES, PresenceCollector


def told(collector: PresenceCollector, now: float) -> list[m.Presence]:
    return [presence for *_, presence in collector.take_due(now)]


def test_changes_wait_a_moment_from_the_first_on() -> None:
    collector = PresenceCollector()
    assert collector.next_due() is None
    collector.add("#a", "#A", ["ada"], [], 1, {}, 10.0)
    collector.add("#a", "#A", ["bob"], [], 2, {}, 10.09)
    due = collector.next_due()
    assert due == 10.1
    assert told(collector, 10.09) == []
    assert [*collector.take_due(due)] == [("#a", None, m.Presence("#A", {"count": 2, "joined": ["ada", "bob"], "left": []}))]
    assert collector.next_due() is None
    assert told(collector, 99.0) == []


def test_who_came_by_another_name_is_told_with_it() -> None:
    collector = PresenceCollector()
    collector.add("#a", "#a", [], ["ada"], 1, {}, 10.0)
    collector.add("#a", "#a", ["adele"], [], 2, {"adele": "ada"}, 10.01)
    (presence,) = told(collector, 10.2)
    assert presence.options == {"count": 2, "joined": ["adele"], "left": ["ada"], "renamed": [["ada", "adele"]]}
    for came, left in [(["ada"], []), ([], ["adele"])]:  # on another device by the first name, or gone again
        collector.add("#a", "#a", ["adele"], ["ada"], 1, {"adele": "ada"}, 10.3)
        collector.add("#a", "#a", came, left, 1, {}, 10.3)
        (presence,) = told(collector, 10.5)
        assert "renamed" not in presence.options


def test_who_goes_by_several_names_within_a_moment_is_told_with_the_first() -> None:
    collector = PresenceCollector()
    collector.add("#a", "#a", ["anna"], ["ada"], 1, {"anna": "ada"}, 10.0)
    collector.add("#a", "#a", ["adele"], ["anna"], 1, {"adele": "anna"}, 10.01)
    (presence,) = told(collector, 10.2)
    assert presence.options["renamed"] == [["ada", "adele"]]
    collector.add("#a", "#a", ["anna"], ["adele"], 1, {"anna": "adele"}, 10.3)
    collector.add("#a", "#a", ["adele"], ["anna"], 1, {"adele": "anna"}, 10.31)
    (presence,) = told(collector, 10.5)
    assert "renamed" not in presence.options


def test_a_name_that_somebody_else_got_within_the_moment_is_theirs() -> None:
    """Nobody had heard that it was granted before: so it was free at once when its connection ended."""
    collector = PresenceCollector()
    collector.add("#a", "#a", ["adele"], ["ada"], 1, {"adele": "ada"}, 10.0)
    collector.add("#a", "#a", [], ["adele"], 0, {}, 10.01)
    collector.add("#a", "#a", ["adele"], [], 1, {}, 10.02)
    (presence,) = told(collector, 10.2)
    assert "renamed" not in presence.options


def test_each_room_has_its_own_moment() -> None:
    collector = PresenceCollector()
    collector.add("#a", "#a", ["ada"], [], 1, {}, 10.0)
    collector.add("#b", "#b", ["ada"], [], 1, {}, 10.05)
    assert [presence.room for presence in told(collector, 10.12)] == ["#a"]
    assert collector.next_due() == 10.15


def tell_everybody(collector: PresenceCollector, now: float) -> list[tuple[int | None, int]]:
    """Lets two seconds pass, turn by turn: which shares are told which number."""
    turns = [now + turn / 20 for turn in range(40)]
    return [(share, presence.options["count"]) for turn in turns for _, share, presence in collector.take_due(turn)]


def test_of_a_large_room_only_the_number_is_told_to_a_share_at_a_time() -> None:
    collector = PresenceCollector()
    collector.add("#a", "#a", [], [], MEMBERS_SHOWN + 1, {}, 10.0)
    assert [*collector.take_due(10.05)] == []
    assert tell_everybody(collector, 10.0) == [(share, MEMBERS_SHOWN + 1) for share in range(SHARES)]
    assert collector.next_due() is None


def test_each_share_of_a_large_room_is_told_of_the_last_change() -> None:
    collector = PresenceCollector()
    collector.add("#a", "#a", [], [], 300, {}, 10.0)
    first = [told for now in (10.1, 10.2, 10.3) for told in collector.take_due(now)]
    assert [share for _, share, _ in first] == [0, 1, 2]
    collector.add("#a", "#a", [], [], 301, {}, 10.3)
    assert tell_everybody(collector, 10.35) == [((3 + n) % SHARES, 301) for n in range(SHARES)]


def test_a_room_that_is_large_no_more_is_told_as_a_whole() -> None:
    collector = PresenceCollector()
    collector.add("#a", "#a", [], [], MEMBERS_SHOWN + 1, {}, 10.0)
    assert len([*collector.take_due(10.1)]) == 1
    collector.add("#a", "#a", [], ["ada"], MEMBERS_SHOWN, {}, 10.15)
    assert [*collector.take_due(10.25)] == [
        ("#a", None, m.Presence("#a", {"count": MEMBERS_SHOWN, "joined": [], "left": ["ada"]}))
    ]
    assert collector.next_due() is None


def test_what_was_told_otherwise_is_not_told() -> None:
    collector = PresenceCollector()
    collector.add("#a", "#a", ["ada"], [], 1, {}, 10.0)
    collector.forget("#a")
    collector.forget("#b")
    assert told(collector, 11.0) == []


NAMES = st.lists(st.sampled_from("abcd"), unique=True, max_size=3)


@given(st.sets(st.sampled_from("abcd")), st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=5))
def test_whoever_knew_who_was_there_knows_it_again(people: set[str], moves: list[tuple[list[str], list[str]]]) -> None:
    known = set(people)
    collector = PresenceCollector()
    for came, left in moves:
        left = [name for name in left if name not in came]
        people = (people | set(came)) - set(left)
        collector.add("#a", "#a", came, left, len(people), {}, 10.0)
    for presence in told(collector, 11.0):
        known = (known | set(presence.options.get("joined", ()))) - set(presence.options.get("left", ()))
        assert presence.options["count"] == len(people)
    assert known == people


@given(st.sets(st.sampled_from("abcd")), st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES), min_size=1, max_size=5))
def test_whoever_knew_who_was_away_knows_it_again(
    away: set[str], moves: list[tuple[list[str], list[str], list[str], list[str]]]
) -> None:
    """A name in `joined` or `left` ends it, and what is told behind that holds."""
    known = set(away)
    collector = PresenceCollector()
    for came, left, gone, back in moves:
        left = [name for name in left if name not in came]
        back = [name for name in back if name not in gone]
        away = (away - {*came, *left} | {*gone}) - {*back}
        collector.add("#a", "#a", came, left, 4, {}, 10.0)
        collector.turn("#a", "#a", gone, back, 4, 10.0)
    for presence in told(collector, 11.0):
        known -= {*presence.options.get("joined", ()), *presence.options.get("left", ())}
        known = (known | {*presence.options.get("away", ())}) - {*presence.options.get("back", ())}
    assert known == away


def test_who_turned_is_told_after_the_same_moment() -> None:
    collector = PresenceCollector()
    collector.turn("#a", "#A", ["bob", "ada"], [], 2, 10.0)
    collector.turn("#a", "#A", [], ["bob"], 2, 10.05)
    assert [*collector.take_due(10.1)] == [
        ("#a", None, m.Presence("#A", {"count": 2, "joined": [], "left": [], "away": ["ada"], "back": ["bob"]}))
    ]


def test_who_comes_in_a_later_frame_is_away_all_the_same() -> None:
    names = [f"{number:03}" for number in range(150)]
    for gone in (names[0], names[-1]):
        collector = PresenceCollector()
        collector.add("#a", "#a", names, [], 150, {}, 10.0)
        collector.turn("#a", "#a", [gone], [], 150, 10.0)
        away: set[str] = set()
        for presence in told(collector, 11.0):
            away = away - {*presence.options["joined"]} | {*presence.options["away"]}
        assert away == {gone}


def test_any_number_of_changes_fits_frames() -> None:
    collector = PresenceCollector()
    names = [f"{number:04}" + "𝕏" * 28 for number in range(1_000)]
    collector.add("#a", "#a", names[:150], names[150:], 150, dict(zip(names[:150], names[150:], strict=False)), 10.0)
    collector.turn("#a", "#a", names[:150], names[150:], 150, 10.0)
    frames = [reply_in(m.encode(presence)) for presence in told(collector, 11.0)]
    assert all(isinstance(frame, m.Presence) for frame in frames)
    for key, expected in [("joined", names[:150]), ("away", names[:150]), ("left", names[150:]), ("back", names[150:])]:
        assert [name for frame in frames if isinstance(frame, m.Presence) for name in frame.options[key]] == expected
    assert sum(len(frame.options.get("renamed", ())) for frame in frames if isinstance(frame, m.Presence)) == 150


def test_frames_with_all_that_can_change_have_room_for_it() -> None:
    collector = PresenceCollector()
    came, left, away, back = ([f"{number:04}" + "𝕏" * 28 for number in range(start, start + 100)] for start in range(0, 400, 100))
    collector.add("#a", "#a", came, left, 150, dict(zip(came, left, strict=True)), 10.0)
    collector.turn("#a", "#a", away, back, 150, 10.0)
    frames = [reply_in(m.encode(presence)) for presence in told(collector, 11.0)]
    assert all(isinstance(frame, m.Presence) for frame in frames)
