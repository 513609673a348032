from __future__ import annotations

import json

import pytest

from common import messages as m
from tests.support.model_server import ModelServer, identity_of
from tests.urwid_client.talk import NOON, Talk, notes, talk, texts
from urwid_client import commands
from urwid_client.editing import Draft
from urwid_client.place import Place, has_drafts, is_place, merge, remember, restore


def left(ada: Talk) -> Place:
    """What is kept of a chat, as it comes back from the file."""
    place: Place = json.loads(json.dumps(remember(ada.chat, ["hello", "/list"])))
    assert is_place(place)
    return place


def back(server: ModelServer, place: Place, name: str = "ada") -> Talk:
    new = Talk(name, server, instance=2)
    restore(new.chat, place)
    new.connect()
    return new


def in_a_room() -> Talk:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.chat.open(ada.chat.lobby)
    return ada


def titles(ada: Talk) -> list[str]:
    return [buffer.title for buffer in ada.chat.buffers]


def test_what_came_meanwhile_is_there_and_told() -> None:
    ada = in_a_room()
    ada.server.say("bob", "#lobby", "seen")
    ada.exchange()
    place = left(ada)
    ada.disconnect()
    ada.server.say("bob", "#lobby", "in the lobby")
    ada.server.say("bob", "#dev", "ada: look")
    ada.server.say("eve", "ada", "psst")
    again = back(ada.server, place)
    assert titles(again) == ["server", "#lobby", "#dev", "eve"]
    assert texts(again.chat.lobby) == ["in the lobby"]
    assert [(buffer.unread, buffer.mentions) for buffer in again.chat.buffers] == [(0, 0), (0, 0), (1, 1), (1, 1)]
    assert notes(again.chat.lobby) == ["unread: 1 in #dev, 1 in eve (Alt+A leads there)"]
    assert [arrival.said.text for arrival in again.chat.arrived] == ["in the lobby", "ada: look", "psst"]
    assert again.chat.active is again.chat.lobby
    first = again.chat.lobby.entries[0]
    assert again.chat.lobby.unread_from == (first.key[0], -1)


def test_what_was_unread_stays_unread_and_nothing_is_told_twice() -> None:
    ada = in_a_room()
    ada.server.say("eve", "ada", "psst")
    ada.exchange()
    place = left(ada)
    ada.disconnect()
    again = back(ada.server, place)
    eve = again.chat.find_directs("eve")[0]
    assert (eve.unread, eve.mentions) == (1, 1)
    assert again.chat.arrived == []
    again.chat.open(eve)
    again.chat.load_older()
    again.exchange()
    assert texts(eve) == ["psst"]


def test_what_was_opened_and_never_took_place_is_not_opened_again() -> None:
    ada = in_a_room()
    for name in ("bbo", "bob"):
        ada.chat.direct(name)
    ada.chat.find_directs("bob")[0].draft = Draft("dear")
    place = left(ada)
    ada.disconnect()
    assert titles(back(ada.server, place)) == ["server", "#lobby", "#dev", "bob"]


def test_drafts_and_who_is_ignored() -> None:
    ada = in_a_room()
    talk("mallory", ada.server)
    ada.chat.ignore("Mallory")
    ada.exchange()
    ada.chat.find_room("#dev").draft = Draft("half a", 3)  # type: ignore[union-attr]
    place = left(ada)
    ada.disconnect()
    ada.server.say("mallory", "#lobby", "spam")
    ada.server.say("mallory", "ada", "spam")
    again = back(ada.server, place)
    assert again.chat.find_room("#dev").draft == Draft("half a", 6)  # type: ignore[union-attr]
    assert titles(again) == ["server", "#lobby", "#dev"]
    assert texts(again.chat.lobby) == []
    assert again.chat.ignored_as == {"mallory": identity_of("Mallory")}
    assert is_place({key: value for key, value in place.items() if key != "ignored_as"})
    assert not is_place({**place, "ignored_as": {"mallory": 1}})


def test_a_paste_that_waits_is_kept_also_where_nothing_else_is() -> None:
    ada = talk("ada")
    ada.chat.open(ada.chat.direct("bob"))
    ada.chat.active.draft = Draft("so: ", 4, "one\ntwo")
    place = left(ada)
    assert has_drafts(place)
    assert back(ada.server, place).chat.find_directs("bob")[0].draft == Draft("so: ", 4, "one\ntwo", 4)
    ada.chat.active.draft = Draft(pasted="one\ntwo")
    place = left(ada)
    assert has_drafts(place)
    assert back(ada.server, place).chat.find_directs("bob")[0].draft == Draft(pasted="one\ntwo")


def test_a_place_from_before_pastes_were_kept_is_one() -> None:
    ada = in_a_room()
    place = left(ada)
    for told in place["conversations"]:
        del told["pasted"]
    assert is_place(place)
    assert [buffer.draft.pasted for buffer in back(ada.server, place).chat.buffers] == ["", "", ""]
    place["conversations"][0]["pasted"] = 1
    assert not is_place(place)


def test_of_what_was_sent_the_newest_is_kept_as_far_as_it_is_not_much() -> None:
    sent = [str(number) for number in range(300)]
    assert remember(talk().chat, sent)["sent"] == sent[-200:]
    assert remember(talk().chat, ["a" * 20_000, "b" * 20_000, "c" * 20_000, "d"])["sent"] == ["b" * 20_000, "c" * 20_000, "d"]
    assert remember(talk().chat, ["a", "b" * 60_000])["sent"] == []


def test_a_number_that_no_message_can_have_is_none() -> None:
    place = left(in_a_room())
    assert is_place({**place, "cursor": m.ID_MAX})
    assert not is_place({**place, "cursor": m.ID_MAX + 1}), "it could not be said to a server"


def test_conversations_come_back_in_their_order() -> None:
    ada = talk()
    ada.server.say("eve", "ada", "psst")
    ada.exchange()
    ada.chat.join("#dev")
    ada.exchange()
    assert titles(ada) == titles(back(ada.server, left(ada))) == ["server", "#lobby", "eve", "#dev"]


def test_what_could_not_be_sent_is_to_be_written_again() -> None:
    ada = in_a_room()
    ada.disconnect()
    ada.chat.say("first", NOON)
    ada.chat.say("second", NOON)
    ada.chat.lobby.draft = Draft("third", 0)
    assert back(ada.server, left(ada)).chat.lobby.draft.text == "first\nsecond\nthird"


def test_what_was_given_back_is_to_be_written_again() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.say("important", NOON)
    ada.server = ModelServer("log-2", realm="@two")
    ada.connect()
    assert ada.given_back == ["important"]
    assert back(ada.server, left(ada)).chat.lobby.draft.text == "important"


def test_one_begins_in_the_conversation_where_one_was() -> None:
    """What is unread in the others stays so, and what came into this one is marked there."""
    ada = in_a_room()
    ada.chat.open_next(1)
    ada.server.say("bob", "#lobby", "ada: before")
    ada.exchange()
    place = left(ada)
    ada.disconnect()
    ada.server.say("bob", "#dev", "ada: look")
    again = back(ada.server, place)
    dev = again.chat.active
    assert (dev.title, dev.unread, dev.unread_from) == ("#dev", 0, (dev.entries[0].key[0], -1))
    assert (again.chat.lobby.unread, again.chat.lobby.mentions) == (1, 1)
    assert notes(dev) == ["unread: 1 in #lobby (Alt+A leads there)"]
    ada.chat.open(ada.chat.server)
    elsewhere = back(ada.server, left(ada))
    assert (elsewhere.chat.active.title, elsewhere.chat.active.unread) == ("#lobby", 0)


def test_a_place_from_before_it_was_kept_which_conversation_was_on_the_screen_is_one() -> None:
    place = left(in_a_room())
    for told in place["conversations"]:
        del told["shown"]
    assert is_place(place)
    assert back(ModelServer(), place).chat.active.title == "#lobby"
    place["conversations"][0]["shown"] = 1
    assert not is_place(place)


def test_another_log_begins_afresh() -> None:
    ada = in_a_room()
    place = left(ada)
    again = back(ModelServer("log-2"), place)
    assert titles(again) == ["server", "#lobby", "#dev"]
    assert again.chat.protocol.log == "log-2"
    assert not again.chat.returning


def drafts(place: Place) -> dict[str, str]:
    return {told["title"]: told["draft"] for told in place["conversations"]}


def test_of_two_clients_each_keeps_what_it_changed() -> None:
    """They began at the same place; then one wrote something, and the other joined a room and wrote something else."""
    before = left(in_a_room())
    one, other = back(ModelServer(), before), back(ModelServer(), before)
    one.chat.lobby.draft = Draft("of the one", 0)
    first = merge(left(one), before, before)
    other.chat.join("#ops")
    other.exchange()
    other.chat.active.draft = Draft("of the other", 0)
    kept = merge(left(other), before, first)
    assert is_place(kept)
    assert drafts(kept) == {"#lobby": "of the one", "#dev": "", "#ops": "of the other"}
    assert kept["rooms"] == ["#dev", "#ops"]
    assert [told["title"] for told in kept["conversations"] if told["shown"]] == ["#ops"]
    began_at, one.chat.lobby.draft = left(one), Draft()
    kept = merge(left(one), began_at, kept)
    assert drafts(kept) == {"#lobby": "", "#dev": "", "#ops": "of the other"}
    assert [told["title"] for told in kept["conversations"] if told["shown"]] == ["#lobby"]
    assert kept["rooms"] == ["#dev", "#ops"]


def test_a_paste_that_waits_belongs_to_the_draft_that_another_client_wrote() -> None:
    before = left(in_a_room())
    other = back(ModelServer(), before)
    other.chat.lobby.draft = Draft(pasted="1\n2")
    kept = merge(before, before, left(other))
    assert [told["pasted"] for told in kept["conversations"]] == ["1\n2", ""]


def test_what_one_client_leaves_is_left() -> None:
    before = left(in_a_room())
    ada = back(ModelServer(), before)
    room = ada.chat.find_room("#dev")
    assert room is not None
    ada.chat.close(room)
    kept = merge(left(ada), before, before)
    assert (kept["rooms"], [*drafts(kept)]) == ([], ["#lobby"])


def test_the_place_of_another_person_is_no_part_of_one_s_own() -> None:
    before = left(in_a_room())
    theirs = {**before, "identity": "ideve", "rooms": ["#secret"]}
    assert merge(before, before, theirs) == before


def test_nothing_is_restored_from_nothing() -> None:
    ada = back(ModelServer(), {})
    assert titles(ada) == ["server", m.LOBBY]
    assert not ada.chat.returning
    assert NOON


@pytest.mark.parametrize("key", ["log", "cursor", "rooms", "conversations", "sent", "ignored", "identity"])
def test_what_is_no_place_is_known(key: str) -> None:
    place = left(in_a_room())
    assert not is_place({**place, key: 1.5})
    assert not is_place({other: value for other, value in place.items() if other != key})
    assert not is_place({**place, "conversations": [{}]})
    assert not is_place({**place, "conversations": [{**place["conversations"][0], "former": 1}]})
    assert not is_place([])


def test_a_topic_that_could_not_be_set_is_there_to_be_set_again() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.set_topic("tea", NOON)
    assert back(ada.server, left(ada)).chat.lobby.draft.text == "/topic tea"
    ada.chat.lobby.pending.clear()
    ada.chat.set_topic("", NOON)
    assert back(ada.server, left(ada)).chat.lobby.draft.text == "/topic -"


@pytest.mark.parametrize(
    ("typed", "draft", "again"),
    [
        (["/topic tea"], "hello", "hello"),
        (["hello", "/topic tea"], "", "hello"),
        (["/topic tea", "hello"], "/topic milk", "hello"),
        (["/topic tea"], "/topic milk", "/topic milk"),
        (["/topic tea", "/topic milk"], "", "/topic milk"),
        (["hello"], "/msg bob a secret", "hello"),
        (["//slash", "hello"], "//and", "//slash\nhello\n/and"),
        (["/me waves"], "", "/me waves"),
        ([], "/jo", "/jo"),
    ],
)
def test_what_is_to_be_written_again_says_no_command_and_does_no_text(typed: list[str], draft: str, again: str) -> None:
    ada = talk()
    ada.disconnect()
    for line in typed:
        commands.enter(ada.chat, line, NOON)
    ada.chat.lobby.draft = Draft(draft, 0)
    assert back(ada.server, left(ada)).chat.lobby.draft.text == again
