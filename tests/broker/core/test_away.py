from __future__ import annotations

from broker.core.away import Away

ADA, BOB = "gada", "gbob"


def test_one_is_away_under_all_names_until_one_is_back() -> None:
    away = Away()
    assert away.say(ADA, {"ada", "ada2"}, "lunch")
    assert (away.text_of(ADA), away.text_of(BOB)) == ("lunch", "")
    assert away.among(["ada", "bob", "ada2"]) == ["ada", "ada2"]
    assert not away.say(ADA, {"ada", "ada2"}, "dinner"), "another reason is no news to rooms"
    assert away.text_of(ADA) == "dinner"
    assert away.say(ADA, {"ada", "ada2"}, "")
    assert (away.text_of(ADA), away.among(["ada", "ada2"])) == ("", [])
    assert not away.say(ADA, {"ada", "ada2"}, "")


def test_who_comes_under_another_name_is_away_under_that_too() -> None:
    away = Away()
    away.say(ADA, {"ada"}, "lunch")
    assert away.goes_by(ADA, "lovelace")
    assert not away.goes_by(BOB, "bob")
    assert away.among(["ada", "bob", "lovelace"]) == ["ada", "lovelace"]


def test_whoever_takes_a_name_over_is_not_away() -> None:
    away = Away()
    away.say(ADA, {"ada"}, "lunch")
    away.forget_name("ada")
    away.forget(ADA)
    assert not away.goes_by(BOB, "ada")
    assert away.among(["ada"]) == []
    assert away.text_of(ADA) == ""
