"""broker.core.people: who has which name, may be in which room, is away, and is known to the log, as a broker has it."""

from __future__ import annotations

import pytest

from broker.log import Person, PersonUpdate, StorageFull
from common import messages as m
from common.errors import Code
from common.limits import MEMBERS_SHOWN, ROOMS_SHOWN, Limits
from common.routing import Item
from tests.support.office import ADA, BOB, CYD, GRACE_MS, Office, send

# --- coming and going ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", Code.BAD_NAME),
        ("a b", Code.BAD_NAME),
        ("x" * 65_000, Code.BAD_NAME),
        ("Root", Code.RESERVED_NAME),
        ("ADA", Code.NAME_TAKEN),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_and_another_hello_may_follow(office: Office, name: str, code: Code) -> None:
    office.hello(1, 1, ADA, "ada")
    assert office.hello(2, 1, BOB, name)[:4] == ["refused", 1, 1, code]
    assert office.hello(2, 1, BOB, "bob")[0] == "welcome"


def test_two_connections_of_one_person_have_one_name_written_in_one_way(office: Office) -> None:
    office.hello(1, 1, ADA, "Ada")
    answer = office.hello(2, 1, ADA, "ADA", known=True)
    assert answer[3] == "Ada"
    assert answer[5] == [["#lobby", "#lobby", 1, ["Ada"], {}]]


@pytest.mark.parametrize("known", [True, False])
def test_who_only_connects_fills_no_disk(office: Office, known: bool) -> None:
    office.hello(1, 1, ADA, "ada", known=known)
    office.ask(1, ["gone", 1, False, 0])
    assert (office.log.commits, office.log.people) == (0, {})
    assert office.broker.figures()["users"] == 0
    office.hello(1, 1, ADA, "ada", known=known)
    office.ask(1, ["join", 1, 2, "#dev"])
    assert office.log.people == {ADA: Person(ADA, "ada", "ada", None)}
    office.ask(1, ["gone", 1, False, 0])
    assert office.log.people == {ADA: Person(ADA, "ada", "ada", office.now_ms + GRACE_MS)}


def test_a_name_is_free_at_once_where_nobody_was_told_how_to_come_back_to_it(office: Office) -> None:
    office.hello(1, 1, ADA, "ada")
    office.ask(1, ["gone", 1, True, 0])
    assert office.hello(2, 1, BOB, "ada")[0] == "welcome"


def test_who_is_written_to_is_stored_by_name(office: Office) -> None:
    office.hello(1, 1, ADA, "ada")
    office.hello(2, 1, BOB, "bob")
    office.ask(1, send(1, 1, "bob"))
    assert office.log.people[BOB] == Person(BOB, "bob", "bob", None)


def test_one_of_two_devices_that_goes_is_no_news(office: Office) -> None:
    office.hello(1, 1, ADA, "ada", "#dev")
    office.hello(1, 2, ADA, "ada", known=True)
    commits = office.log.commits
    office.ask(1, ["gone", 1, False, 0])
    assert office.log.commits == commits


def test_one_who_is_here_under_another_name_still_is_stored_as_here(office: Office) -> None:
    office.hello(1, 1, ADA, "ada", "#dev")
    office.hello(1, 2, ADA, "eve", known=True)
    office.ask(1, ["gone", 1, False, 0])
    assert office.log.people == {ADA: Person(ADA, "eve", "eve", None)}


def test_a_new_broker_keeps_the_names_of_those_who_were_here(ada_and_bob: Office) -> None:
    office = Office(log=ada_and_bob.log).open()
    assert office.hello(1, 1, CYD, "ADA")[:4] == ["refused", 1, 1, Code.NAME_TAKEN]
    assert office.log.people[ADA].kept_until_ms == office.now_ms + GRACE_MS
    office.now_ms += GRACE_MS
    assert office.hello(1, 1, CYD, "ada")[0] == "welcome"


def test_who_is_in_a_room_is_stored_by_a_new_broker_if_the_one_before_could_not(office: Office) -> None:
    office.hello(1, 1, ADA, "ada")
    office.hello(1, 2, BOB, "bob")
    office.log.next_failure = StorageFull("full")
    office.ask(1, ["join", 1, 2, "#dev"])
    assert office.log.people == {}
    again = Office(log=office.log)
    again.broker.begin(again.now_ms)
    again.introduce(1, [1, ADA, "ada", ["#lobby", "#dev"]], [2, BOB, "bob", ["#lobby"]])
    again.settle()
    assert again.log.people == {ADA: Person(ADA, "ada", "ada", None)}, "who has only looked is not"


def test_no_name_is_kept_for_longer_than_the_grace(ada_and_bob: Office) -> None:
    """The clock was ahead when it was written."""
    ada_and_bob.log.people[ADA] = PersonUpdate(ADA, "ada", "ada", ada_and_bob.now_ms + 1000 * GRACE_MS)
    office = Office(log=ada_and_bob.log).open()
    office.now_ms += GRACE_MS
    assert office.hello(1, 1, CYD, "ada")[0] == "welcome"


def test_a_clock_that_is_set_changes_no_grace(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.ask(2, ["gone", 1, False, 0])
    office.now_ms += 10 * GRACE_MS
    office.broker.clock_jumped(10 * GRACE_MS)
    assert office.hello(1, 2, CYD, "bob")[:4] == ["refused", 2, 1, Code.NAME_TAKEN]


# --- those who are at several workers -----------------------------------------------------------------------------------


def elsewhere(office: Office, number: int) -> list[Item]:
    """What the worker was told in the last turn, without the tag."""
    return [item[1:] for item in office.heard(number, presence=True) if item[0] == "elsewhere"]


def come(office: Office, number: int, sid: int, identity: str = ADA, name: str = "ada") -> None:
    office.ask(number, ["hello", sid, 1, identity, name, None, None, [], True])


def test_the_workers_of_one_who_is_at_several_are_told_how_many_are_elsewhere(office: Office) -> None:
    come(office, 1, 1)
    come(office, 1, 2)
    come(office, 2, 1, BOB, "bob")
    assert elsewhere(office, 1) == elsewhere(office, 2) == []
    come(office, 2, 2)
    assert (elsewhere(office, 1), elsewhere(office, 2)) == ([[ADA, 1, 0]], [[ADA, 2, 0]])
    assert [item[0] for item in office.heard(2, presence=True)][:2] == ["welcome", "elsewhere"], "behind the welcome"
    office.ask(1, send(1, 1, "#lobby"))
    assert elsewhere(office, 1) == elsewhere(office, 2) == []
    office.ask(1, ["gone", 1, False, 0])
    assert (elsewhere(office, 1), elsewhere(office, 2)) == ([[ADA, 1, 0]], [[ADA, 1, 0]])
    office.ask(1, ["gone", 2, False, 0])
    assert (elsewhere(office, 1), elsewhere(office, 2)) == ([], [[ADA, 0, 0]])


def test_what_is_owed_is_told_where_somebody_comes_back(office: Office) -> None:
    come(office, 1, 1)
    office.ask(1, ["gone", 1, False, 5_000])
    office.now_ms += 2_000
    come(office, 2, 1)
    assert elsewhere(office, 2) == [[ADA, 0, 3_000]]
    office.broker.clock_jumped(60_000)
    office.now_ms += 60_000
    come(office, 2, 2)
    assert elsewhere(office, 2) == [[ADA, 0, 3_000]]
    office.now_ms += 3_000
    office.broker.tick(office.now_ms)
    come(office, 2, 3)
    assert elsewhere(office, 2) == []


# --- rooms --------------------------------------------------------------------------------------------------------------


def test_no_more_rooms_than_the_limit() -> None:
    office = Office(limits=Limits(rooms_per_user=3)).open()
    answer = office.hello(1, 1, ADA, "ada", "#a", "#b", "#c")
    assert answer[6] == {"#c": Code.TOO_MANY_ROOMS}
    assert office.error(1, ["join", 1, 2, "#d"]) == Code.TOO_MANY_ROOMS
    assert office.ask(1, ["join", 1, 3, "#A"])[0][0] == "joined", "one that one is in is none more"
    office.ask(1, ["part", 1, 4, "#a"])
    assert office.ask(1, ["join", 1, 5, "#d"])[0][0] == "joined"


def test_the_rooms_of_all_connections_of_a_person_count() -> None:
    office = Office(workers=2, limits=Limits(rooms_per_user=3)).open()
    office.hello(1, 1, ADA, "ada", "#a")
    office.hello(2, 1, ADA, "ada", "#a", "#b", known=True)
    for number in (1, 2):
        assert office.error(number, ["join", 1, 2, "#c"]) == Code.TOO_MANY_ROOMS
    assert office.ask(1, ["join", 1, 3, "#b"])[0][0] == "joined", "another connection of theirs is there"
    office.ask(2, ["part", 1, 4, "#b"])
    assert office.error(1, ["join", 1, 5, "#c"]) == Code.TOO_MANY_ROOMS, "one of two is still there"
    office.ask(1, ["gone", 1, False, 0])
    assert office.ask(2, ["join", 1, 6, "#c"])[0][0] == "joined"
    office.broker.use_limits(Limits(rooms_per_user=1))
    assert office.hello(1, 2, ADA, "ada", "#c", "#d", known=True)[6] == {"#d": Code.TOO_MANY_ROOMS}, "the lobby is always free"


def test_a_room_has_only_so_many_people() -> None:
    office = Office(limits=Limits(members_per_room=2)).open()
    for sid, name in enumerate(("ada", "bob", "eve"), 1):
        office.hello(1, sid, f"g{name}", name)
    for sid in (1, 2):
        assert office.ask(1, ["join", sid, 7, "#dev"])[0][0] == "joined"
    assert office.error(1, ["join", 3, 7, "#dev"]) == "room_full"
    assert office.hello(1, 4, "gada", "ada", "#dev", known=True)[6] == {}, "the same person once more"
    assert office.hello(1, 5, "gdan", "dan", "#dev")[6] == {"#dev": "room_full"}
    office.ask(1, ["part", 2, 7, "#dev"])
    assert office.ask(1, ["join", 3, 7, "#dev"])[0][0] == "joined"


def test_new_limits_hold_at_once(office: Office) -> None:
    office.hello(1, 1, "gada", "ada")
    office.broker.use_limits(Limits(rooms_per_user=1, name_grace_seconds=5))
    assert office.error(1, ["join", 1, 7, "#dev"]) == "too_many_rooms"
    office.ask(1, ["gone", 1, False, 0])
    office.now_ms += 5_000
    assert office.hello(1, 2, "gbob", "ada")[0] == "welcome"


# --- what looks alike ---------------------------------------------------------------------------------------------------


def test_nobody_gets_a_name_that_looks_like_anothers(office: Office) -> None:
    office.hello(1, 1, "gada", "ada")
    refused = office.hello(1, 2, "gbob", "аda")
    assert refused == ["refused", 2, 1, "name_confusable", "аda looks like ada, who is somebody else: pick another name"]


def test_a_room_that_looks_like_another_is_not_made(office: Office) -> None:
    office.hello(1, 1, "gada", "ada", "#dev")
    assert office.hello(1, 2, "gbob", "bob", "#dеv", "#lоbby")[6] == {"#dеv": "room_confusable", "#lоbby": "room_confusable"}
    assert office.error(1, ["join", 2, 7, "#dеv"]) == "room_confusable"
    assert office.ask(1, ["join", 2, 7, "#DEV"])[0][0] == "joined", "that is the same room"
    for sid in (1, 2):
        office.ask(1, ["part", sid, 7, "#dev"])
    assert office.ask(1, ["join", 2, 7, "#dеv"])[0][0] == "joined", "nobody is in the other one"


# --- being away ---------------------------------------------------------------------------------------------------------


def turned(office: Office, number: int) -> list[Item]:
    """What a worker hears of who is away."""
    return [item for item in office.heard(number) if item[0] in ("turned", "away")]


def test_who_is_away_is_told_to_the_rooms_and_to_the_person_s_workers(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.hello(2, 7, ADA, "ada", known=True)
    answer, *told = office.ask(1, ["away", 1, 5, "lunch"])
    assert answer == ["said", 1, 5, "lunch"]
    assert sorted(told) == [
        ["away", [1], "lunch"],
        ["turned", "#dev", "#dev", ["ada"], [], 2],
        ["turned", "#lobby", "#lobby", ["ada"], [], 2],
    ]
    assert ["away", [7], "lunch"] in turned(office, 2)
    assert office.ask(2, ["away", 7, 6, "dinner"]) == [["said", 7, 6, "dinner"], ["away", [7], "dinner"]]
    assert turned(office, 1) == [["away", [1], "dinner"]], "the rooms know already that she is away"
    assert office.ask(2, ["away", 7, 6, "dinner"]) == [["said", 7, 6, "dinner"]]
    office.ask(2, ["away", 7, 8, ""])
    assert ["turned", "#dev", "#dev", [], ["ada"], 2] in turned(office, 1)
    assert ["away", [1], ""] in turned(office, 1)


def test_a_turn_tells_of_it_once_however_often_it_was_said(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.request(1, *(["away", 1, number, "lunch" if number % 2 else ""] for number in range(1, 100)))
    office.settle()
    assert len(turned(office, 1)) == 3
    assert len([item for item in office.heard(1) if item[0] == "said"]) == 99


def test_who_comes_in_hears_who_is_away(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.ask(1, ["away", 1, 5, "lunch"])
    welcome = office.hello(2, 2, CYD, "cyd", "#dev")
    assert [joined[3:] for joined in welcome[5]] == [[["ada", "bob", "cyd"], {"away": ["ada"]}]] * 2
    office.ask(1, ["join", 1, 6, "#new"])
    (joined,) = [item for item in office.ask(2, ["join", 2, 7, "#new"]) if item[0] == "joined"]
    assert joined[4] == ["#new", "#new", 2, ["ada", "cyd"], {"away": ["ada"]}]
    assert office.ask(2, ["present", 2, None, "#new"]) == [
        ["reply", 2, m.Presence("#new", {"count": 2, "members": ["ada", "cyd"], "away": ["ada"]})]
    ]


def test_who_is_away_comes_in_as_such(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.ask(1, ["away", 1, 5, "lunch"])
    office.ask(2, ["join", 1, 6, "#new"])
    office.ask(1, ["join", 1, 6, "#new"])
    assert office.heard(2, presence=True) == [
        ["presence", "#new", "#new", ["ada"], [], 2, {}],
        ["turned", "#new", "#new", ["ada"], [], 2],
    ]


def test_being_away_ends_with_the_last_session(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.hello(2, 7, ADA, "ada", known=True)
    office.ask(1, ["away", 1, 5, "lunch"])
    office.ask(1, ["gone", 1, False, 0])
    welcome = office.hello(2, 2, CYD, "cyd")
    assert welcome[5][0][4] == {"away": ["ada"]}, "she is here on the other one"
    office.ask(2, ["gone", 7, False, 0])
    welcome = office.hello(1, 1, ADA, "ada", known=True)
    assert welcome[5][0][4] == {}
    assert turned(office, 1) == []


def test_who_comes_once_more_hears_at_once_whether_they_are_away(ada_and_bob: Office) -> None:
    office = ada_and_bob
    assert office.hello(2, 2, CYD, "cyd")[7] is None, "who is here for the first time is not"
    assert office.hello(2, 7, ADA, "ada", known=True)[7] == ""
    office.ask(1, ["away", 1, 5, "lunch"])
    answer, told = office.ask(2, ["hello", 8, 1, ADA, "ada", None, None, [], True])
    assert answer[7] == "lunch"
    assert told == ["away", [7, 8], "lunch"]


def test_a_name_that_changes_hands_is_not_away(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.ask(1, ["away", 1, 5, "lunch"])
    office.ask(1, ["hello", 2, 1, ADA, "lovelace", None, None, [], True])
    assert ["away", [1, 2], "lunch"] in turned(office, 1)
    office.ask(1, ["gone", 1, False, 0])
    office.now_ms += GRACE_MS
    welcome = office.hello(2, 2, CYD, "ada")
    assert welcome[5][0][3:] == [["ada", "bob", "lovelace"], {"away": ["lovelace"]}]


def test_of_a_large_room_it_is_not_told_who_is_away_until_it_is_small_again(office: Office) -> None:
    people = range(MEMBERS_SHOWN + 1)
    for sid in people:
        office.request(1, ["hello", sid, 1, f"g{sid:016}", f"n{sid}", None, None, [], False])
    office.settle()
    office.ask(1, ["away", 5, 2, "lunch"])
    assert office.heard(1, presence=True)[1:] == [["away", [5], "lunch"]]
    assert office.hello(2, 1, ADA, "ada")[5][0][4] == {}
    office.ask(1, ["gone", 7, False, 0], ["gone", 8, False, 0])
    (_, _, presence) = office.heard(2, presence=True)[-1]
    assert presence.options["away"] == ["n5"]


def test_a_new_broker_learns_who_is_away_and_tells_the_other_worker(ada_and_bob: Office) -> None:
    office = Office(workers=2, log=ada_and_bob.log)
    office.broker.begin(office.now_ms)
    office.introduce(1, [1, ADA, "ada", ["#lobby"], "lunch"])
    office.introduce(2, [1, BOB, "bob", ["#lobby"]], [7, ADA, "ada", ["#lobby"]])
    office.settle()
    presence = m.Presence("#lobby", {"count": 2, "members": ["ada", "bob"], "away": ["ada"]})
    assert ["present", "#lobby", presence] in office.heard(2)
    assert ["away", [7], "lunch"] in turned(office, 2)


def test_a_worker_that_missed_that_somebody_is_back_is_told(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.hello(2, 7, ADA, "ada", known=True)
    office.ask(1, ["away", 1, 5, "lunch"])
    office.broker.fell_behind(2)
    office.ask(1, ["away", 1, 6, ""])
    office.broker.caught_up(2)
    office.settle()
    office.introduce(2, [1, BOB, "bob", ["#lobby", "#dev"]], [7, ADA, "ada", ["#lobby"], "lunch"])
    office.settle()
    assert ["away", [7], ""] in turned(office, 2)
    assert ["present", "#lobby", m.Presence("#lobby", {"count": 2, "members": ["ada", "bob"]})] in office.heard(2)


# --- who somebody is ----------------------------------------------------------------------------------------------------


def whois(office: Office, number: int, name: str, sid: int = 1) -> m.Whois:
    (answer,) = office.ask(number, ["whois", sid, 9, name])
    assert isinstance(answer[2], m.Whois)
    assert (answer[:2], answer[2].ref) == (["reply", sid], 9)
    return answer[2]


def test_who_is_here_since_when_and_where(ada_and_bob: Office) -> None:
    office = ada_and_bob
    came = office.now_ms
    office.now_ms += 5_000
    office.hello(2, 7, ADA, "ada", "#elsewhere", known=True)
    office.ask(1, ["away", 1, 5, "lunch"])
    told = {"from": ADA, "devices": 2, "since": came, "away": "lunch", "rooms": ["#dev", "#lobby"], "more": False}
    assert whois(office, 2, "ADA") == m.Whois(9, "ada", told)
    office.hello(1, 2, CYD, "cyd")
    assert whois(office, 1, "ada", sid=2).options["rooms"] == ["#lobby"], "those that both are in"
    assert whois(office, 2, "cyd").options["rooms"] == ["#lobby"]
    assert whois(office, 1, "cyd", sid=2).options == {
        "from": CYD, "devices": 1, "since": office.now_ms, "rooms": ["#lobby"], "more": False,
    }  # fmt: skip


def test_no_more_rooms_are_told_than_fit() -> None:
    office = Office(limits=Limits(rooms_per_user=ROOMS_SHOWN + 5)).open()
    rooms = [f"#{number}" for number in range(ROOMS_SHOWN + 3)]
    office.hello(1, 1, ADA, "ada", *rooms)
    options = whois(office, 1, "ada").options
    assert (len(options["rooms"]), options["more"]) == (ROOMS_SHOWN, True)


def test_who_is_not_here_was_seen_last_when_they_left(ada_and_bob: Office) -> None:
    office = ada_and_bob
    office.hello(2, 2, CYD, "cyd")
    office.ask(1, send(1, 1, "#dev"))
    office.now_ms += 7_000
    left = office.now_ms
    office.ask(1, ["gone", 1, False, 0])
    office.ask(2, ["gone", 2, False, 0])
    office.now_ms += 1_000
    assert whois(office, 2, "Ada") == m.Whois(9, "ada", {"from": ADA, "devices": 0, "seen": left})
    assert whois(office, 2, "cyd") == m.Whois(9, "cyd", {"from": CYD, "devices": 0, "seen": left})
    office.now_ms += GRACE_MS
    assert whois(office, 2, "ada").options["seen"] == left, "the log knows it"
    assert office.error(2, ["whois", 1, 9, "cyd"]) == Code.NO_SUCH_USER, "who never said anything is not in it"
    assert office.error(2, ["whois", 1, 9, "nobody"]) == Code.NO_SUCH_USER


@pytest.mark.parametrize("grace_seconds", [1, 3_600])
def test_when_somebody_left_is_the_same_with_another_grace(ada_and_bob: Office, grace_seconds: int) -> None:
    office = ada_and_bob
    office.now_ms += 7_000_000
    left = office.now_ms
    office.ask(1, ["gone", 1, False, 0])
    office.now_ms += 500
    office.broker.use_limits(Limits(name_grace_seconds=grace_seconds))
    assert whois(office, 2, "ada").options["seen"] == left


@pytest.mark.parametrize("by_ms", [-500_000, 500_000])
def test_since_when_and_until_when_somebody_is_here_moves_with_the_clock(ada_and_bob: Office, by_ms: int) -> None:
    office = ada_and_bob
    came = office.now_ms
    office.now_ms += 4_000
    left = office.now_ms
    office.ask(1, ["gone", 1, False, 0])
    office.now_ms += 1_000 + by_ms
    office.broker.clock_jumped(by_ms)
    assert whois(office, 2, "bob").options["since"] == came + by_ms
    assert whois(office, 2, "ada").options["seen"] == left + by_ms


def test_after_a_jump_nothing_is_known_of_since_when_that_was_not_before(ada_and_bob: Office) -> None:
    office = Office(workers=1, log=ada_and_bob.log)
    office.broker.begin(office.now_ms)
    office.introduce(1, [1, ADA, "ada", ["#lobby"]])
    office.settle()
    office.broker.clock_jumped(5_000)
    assert "since" not in whois(office, 1, "ada").options


def test_a_new_broker_does_not_know_since_when(ada_and_bob: Office) -> None:
    office = Office(workers=2, log=ada_and_bob.log)
    office.broker.begin(office.now_ms)
    office.introduce(1, [1, ADA, "ada", ["#lobby"]])
    office.introduce(2)
    office.settle()
    assert whois(office, 1, "ada").options == {"from": ADA, "devices": 1, "rooms": ["#lobby"], "more": False}
