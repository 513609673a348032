from __future__ import annotations

import datetime

from tests.urwid_client.talk import NOON, talk
from urwid_client.whois import describe


def zone(time_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(time_ms / 1000, datetime.UTC)


def test_what_was_seen_of_somebody() -> None:
    ada = talk()
    ada.chat.lobby.set_people(["ada", "Bob"], 2)
    ada.server.say("bob", "#lobby", "hello")
    ada.exchange()
    ada.chat.direct("bob")
    ada.chat.ignored["bob"] = "bob"
    assert describe(ada.chat, "BOB", zone).startswith("Bob: in #lobby; said something last in #lobby, ")
    assert describe(ada.chat, "BOB", zone).endswith("; a conversation with them is open; ignored by you")


def test_oneself_and_strangers() -> None:
    ada = talk()
    ada.chat.lobby.set_people(["ada"], 1)
    assert describe(ada.chat, "ada", zone) == "ada: in #lobby; that is you"
    assert describe(ada.chat, "no\x1bbody", zone) == "nobody: not here, as far as one sees"
    assert NOON
