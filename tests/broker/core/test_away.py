from __future__ import annotations

from broker.core.away import Away

ADA, BOB = "gada", "gbob"


def test_one_is_away_under_all_names_until_one_is_back() -> None:
    away = Away()
    away.say(ADA, {"ada", "ada2"}, "lunch")
    assert (away.text_of(ADA), away.text_of(BOB)) == ("lunch", "")
    assert away.among(["ada", "bob", "ada2"]) == ["ada", "ada2"]
    assert away.take_turned() == {ADA: True}
    away.say(ADA, {"ada", "ada2"}, "dinner")
    assert away.text_of(ADA) == "dinner"
    assert away.take_turned() == {ADA: False}, "another reason is no news to rooms"
    away.say(ADA, {"ada", "ada2"}, "")
    assert (away.text_of(ADA), away.among(["ada", "ada2"])) == ("", [])
    assert away.take_turned() == {ADA: True}
    assert away.take_turned() == {}


def test_who_turned_in_between_is_told_as_they_are_at_the_end() -> None:
    away = Away()
    for text in ("lunch", "dinner", "", "lunch"):
        away.say(ADA, {"ada"}, text)
        away.tell_again(ADA)
    assert away.take_turned() == {ADA: True}


def test_who_comes_under_another_name_is_away_under_that_too() -> None:
    away = Away()
    away.say(ADA, {"ada"}, "lunch")
    away.take_turned()
    away.goes_by(ADA, "lovelace")
    away.goes_by(BOB, "bob")
    assert away.among(["ada", "bob", "lovelace"]) == ["ada", "lovelace"]
    assert away.take_turned() == {ADA: False}, "the worker of the new connection is to know it"


def test_whoever_takes_a_name_over_is_not_away() -> None:
    away = Away()
    away.say(ADA, {"ada"}, "lunch")
    away.forget_name("ada")
    away.forget(ADA)
    away.goes_by(BOB, "ada")
    assert away.among(["ada"]) == []
    assert away.text_of(ADA) == ""
    assert away.take_turned() == {}, "who has left is told of as such"
