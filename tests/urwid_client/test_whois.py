from __future__ import annotations

import datetime
import re

from tests.urwid_client.talk import NOON, talk
from urwid_client.whois import describe

TOMORROW = NOON + 24 * 3_600_000
AS_OF = "you are not connected, so this is as of 1 January at 11:00"


def zone(time_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(time_ms / 1000, datetime.UTC)


def test_what_was_seen_of_somebody() -> None:
    ada = talk()
    ada.chat.lobby.set_people(["ada", "Bob"], 2)
    ada.server.say("bob", "#lobby", "hello")
    ada.exchange()
    ada.chat.direct("bob")
    ada.chat.ignored["bob"] = "bob"
    assert describe(ada.chat, "BOB", TOMORROW, zone=zone, as_of=NOON).startswith(
        f"Bob: {AS_OF}; in #lobby; wrote last in #lobby, on "
    )
    assert describe(ada.chat, "BOB", TOMORROW, zone=zone, as_of=NOON).endswith("; ignored by you")


def test_oneself_and_strangers() -> None:
    ada = talk()
    ada.chat.lobby.set_people(["ada"], 1)
    assert describe(ada.chat, "ada", TOMORROW, zone=zone, as_of=NOON) == f"ada: {AS_OF}; in #lobby; that is you"
    assert describe(ada.chat, "no\x1bbody", TOMORROW, zone=zone, as_of=NOON) == f"nobody: {AS_OF}; not here, as far as one sees"
    assert describe(ada.chat, "bob", TOMORROW, zone=zone) == "bob: you are not connected"


def test_what_the_server_tells() -> None:
    ada = talk().chat

    def told(**options: object) -> str:
        return describe(ada, "bob", TOMORROW, options, zone)

    assert told() == "bob: nobody goes by this name"
    assert told(devices=0) == "bob: not here"
    assert told(devices=0, seen=NOON) == "bob: not here, last seen 1 January at 11:00"
    assert told(devices=1) == "bob: here"
    assert told(devices=1, away="away", rooms=["#a", "#b"], more=True) == "bob: here; away; in #a, #b and more of your rooms"
    assert told(devices=2, since=NOON, away="at\n\x1blunch", rooms=["#a\n"], more=False) == (
        "bob: here since 1 January at 11:00, on 2 devices; away: at lunch; in #a"
    )
    soon = NOON + 60_000
    assert describe(ada, "bob", soon, {"devices": 1, "since": NOON}, zone) == "bob: here since 11:00"
    assert describe(ada, "bob", soon, {"devices": 0, "seen": NOON}, zone) == "bob: not here, last seen at 11:00"


def test_what_was_today_is_told_without_the_day() -> None:
    ada = talk()
    ada.server.say("bob", "#lobby", "hello")
    ada.exchange()
    (said,) = ada.chat.lobby.entries
    for now, wrote in ((said.time_ms, r", at \d\d:\d\d"), (said.time_ms + 86_400_000, r", on \d+ \w+ at \d\d:\d\d")):
        assert re.search(f"wrote last in #lobby{wrote}$", describe(ada.chat, "bob", now, {}, zone))


def test_somebody_else_under_a_name_that_one_knows() -> None:
    ada = talk()
    ada.server.say("bob", "ada", "psst")
    ada.exchange()
    same, other = ({"devices": 1, "from": identity} for identity in ("idbob", "idthief"))
    warning = "not the one whom you have talked to under this name"
    assert warning in describe(ada.chat, "bob", TOMORROW, other, zone)
    assert warning not in describe(ada.chat, "bob", TOMORROW, same, zone)
    assert warning not in describe(ada.chat, "cyd", TOMORROW, other, zone)
