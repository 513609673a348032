from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import messages as m
from common.client_events import Delivered, RequestFailed, RoomJoined, SendFailed, Welcomed
from common.codec import ARRAY_ITEMS
from common.errors import Code
from common.log import direct
from tests.support.frames import request_of
from tests.support.model_server import ModelServer, identity_of
from tests.urwid_client.talk import NOON, Talk, notes, talk, texts, traffic
from urwid_client import commands, rendering
from urwid_client.buffers import Buffer, Delivery, Note, Said, Traffic
from urwid_client.editing import Draft
from urwid_client.errors import TooLong, WrongInput
from urwid_client.missing import AWAITED_MS
from urwid_client.sending import Lookup, Purpose, is_mentioned
from urwid_client.state import PAGE, Chat

LATER = NOON + 5_000
"""When a break that began at noon is told, if it lasts."""
CONNECTED = "connected as ada to here:1, encrypted (TLS 1.3)"
GOES_ON = "; what you write is sent as soon as there is a connection, /quit leaves"


def titles(chat: Chat) -> list[str]:
    return [buffer.title for buffer in chat.buffers]


def buffer_of(chat: Chat, title: str) -> Buffer:
    (found,) = [buffer for buffer in chat.buffers if buffer.title == title]
    return found


def deliveries(buffer: Buffer) -> list[Delivery]:
    return [entry.delivery for entry in buffer.shown() if isinstance(entry, Said)]


def presence(ada: Talk, room: str, **options: object) -> None:
    assert ada.line is not None
    ada.line.reply(m.Presence(room, dict(options)))
    ada.exchange()


# --- one's own messages -----------------------------------------------------------------------------------------------


def test_a_message_is_pending_until_it_is_committed() -> None:
    ada = talk()
    ada.chat.say("hello", NOON)
    assert deliveries(ada.chat.lobby) == [Delivery.PENDING]
    ada.exchange()
    assert deliveries(ada.chat.lobby) == [Delivery.COMMITTED]
    assert texts(ada.chat.lobby) == ["hello"]


def test_what_was_written_without_a_connection_is_sent_once_when_it_is_back() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.say("one", NOON)
    ada.chat.say("two", NOON)
    ada.connect()
    assert texts(ada.chat.lobby) == ["one", "two"]
    assert deliveries(ada.chat.lobby) == [Delivery.COMMITTED] * 2
    assert [entry.text for entry in ada.server.entries] == ["one", "two"]


def test_what_was_committed_without_an_answer_is_not_shown_twice() -> None:
    ada = talk()
    ada.chat.say("hello", NOON)
    assert ada.line is not None
    ada.line.receive(ada.chat.protocol.data_to_send())  # it arrives, and then the connection is lost
    ada.disconnect()
    assert deliveries(ada.chat.lobby) == [Delivery.PENDING]
    ada.connect()
    assert texts(ada.chat.lobby) == ["hello"]
    assert deliveries(ada.chat.lobby) == [Delivery.COMMITTED]
    assert len(ada.server.entries) == 1


def test_a_refused_message_stays_and_says_why() -> None:
    ada = talk()
    assert ada.line is not None
    ada.line.rooms.clear()
    ada.chat.say("hello", NOON)
    ada.exchange()
    (said,) = [entry for entry in ada.chat.lobby.shown() if isinstance(entry, Said)]
    assert (said.text, said.delivery) == ("hello", Delivery.FAILED)
    assert said.problem == "join the room first"


def test_a_refusal_elsewhere_is_told_where_one_looks() -> None:
    ada = talk()
    assert ada.line is not None
    ada.line.rooms.clear()
    ada.chat.say("hello", NOON)
    ada.chat.open(ada.chat.server)
    ada.exchange()
    assert notes(ada.chat.server)[-1] == "a message to #lobby could not be sent: join the room first"


def test_a_full_disk_is_told_once_and_the_message_waits() -> None:
    ada = talk()
    ada.server.failing = Code.STORAGE_FULL
    ada.chat.say("hello", NOON)
    ada.exchange()
    for _ in range(3):
        ada.chat.protocol.retry()
        ada.exchange()
    assert notes(ada.chat.lobby) == [
        "your message waits: the server's disk is full; it is sent as soon as the server can take it"
    ]
    ada.server.failing = None
    ada.chat.protocol.retry()
    ada.exchange()
    assert deliveries(ada.chat.lobby) == [Delivery.COMMITTED]


def test_a_text_that_is_too_long_is_not_sent() -> None:
    ada = talk()
    with pytest.raises(WrongInput, match="1 byte too long, the server takes 16,000"):
        ada.chat.say("x" * 16_001, NOON)
    assert texts(ada.chat.lobby) == []
    with pytest.raises(TooLong):
        ada.chat.say_to("bob", "é" * 8_001, NOON)
    assert titles(ada.chat) == ["server", "#lobby"]


def test_nobody_would_read_what_is_written_to_the_server_s_buffer() -> None:
    ada = talk()
    ada.chat.open(ada.chat.server)
    with pytest.raises(WrongInput, match="nobody would read this"):
        ada.chat.say("hello", NOON)


def test_one_s_other_device_shows_up_as_oneself() -> None:
    ada = talk()
    ada.server.say("ada", m.LOBBY, "from my telephone")
    ada.exchange()
    (said,) = ada.chat.lobby.shown()
    assert isinstance(said, Said)
    assert said.own


# --- being away -------------------------------------------------------------------------------------------------------


def test_being_away_is_said_again_and_not_told_again() -> None:
    ada = talk()
    ada.chat.be_away("lunch", NOON)
    ada.exchange()
    ada.disconnect()
    ada.server.away.clear()
    ada.connect()
    assert ada.server.away == {"ada": "lunch"}
    assert [text for text in notes(ada.chat.lobby) if "away" in text] == ["you are away: lunch; /back ends it"]
    assert ada.chat.away


def test_without_a_connection_it_is_told_that_it_is_said_later() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.be_away("away", NOON)
    assert notes(ada.chat.lobby)[-1] == "you are away; /back ends it; it is told as soon as you are connected"
    ada.connect()
    assert ada.server.away == {"ada": "away"}


def test_one_who_went_away_on_another_device_sees_it() -> None:
    ada = talk()
    other = talk(server=ada.server)
    other.chat.be_away("lunch", NOON)
    other.exchange()
    ada.exchange()
    assert ada.chat.away
    ada.chat.be_away("", NOON)
    ada.exchange()
    other.exchange()
    assert not other.chat.away
    assert notes(ada.chat.lobby) == notes(other.chat.lobby) == ["you are away: lunch; /back ends it", "you are back"]


def test_the_answer_that_was_lost_with_the_connection_comes_with_the_next() -> None:
    ada = talk()
    ada.chat.be_away("lunch", NOON)
    ada.chat.protocol.data_to_send()
    ada.disconnect()
    ada.connect()
    assert notes(ada.chat.lobby)[-1] == "you are away: lunch; /back ends it"


def test_who_says_the_same_again_is_answered() -> None:
    ada = talk()
    for _ in range(2):
        ada.chat.be_away("lunch", NOON)
        ada.exchange()
    assert notes(ada.chat.lobby) == ["you are away: lunch; /back ends it"] * 2


def refuse(ada: Talk, code: Code, text: str) -> None:
    """What ada asks for now."""
    ref = request_of(ada.chat.protocol.data_to_send()[4:]).ref
    for event in ada.chat.protocol.receive(m.encode(m.Error(ref, code, text))):
        ada.chat.handle(event, NOON)


def test_what_was_said_without_a_connection_can_be_refused_and_is_over_then() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.be_away("x", NOON)
    ada.line = ada.server.connect()
    ada.chat.protocol.connected()
    ada.line.receive(ada.chat.protocol.data_to_send())
    welcome, ada.line.out = bytes(ada.line.out), bytearray()
    for event in ada.chat.protocol.receive(welcome):
        ada.chat.handle(event, NOON)
    refuse(ada, Code.TOO_LONG, "too long")
    assert notes(ada.chat.lobby)[-1] == "too long"
    ada.disconnect()
    ada.connect()
    assert "you are back" not in notes(ada.chat.lobby)


def test_that_it_cannot_be_told_yet_is_told_once() -> None:
    ada = talk()
    ada.chat.be_away("lunch", NOON)
    for seconds in (60, 7):
        refuse(ada, Code.RATE_LIMITED, f"too fast, wait {seconds} s")
        ada.chat.protocol.retry()
    ada.exchange()
    assert ada.server.away == {"ada": "lunch"}
    assert notes(ada.chat.lobby) == [
        "you are away: lunch; /back ends it; it is told as soon as the server can take it: too fast, wait 60 s"
    ]


def test_what_is_refused_is_told_and_nothing_else() -> None:
    ada = talk()
    ada.chat.be_away("x" * 999, NOON)
    refuse(ada, Code.TOO_LONG, "too long")
    ada.disconnect()
    ada.connect()
    assert notes(ada.chat.lobby)[0] == "too long"
    assert not any("away" in said or "back" in said for said in notes(ada.chat.lobby))


def test_who_is_away_is_known_as_the_server_tells_it() -> None:
    ada = talk()
    presence(ada, m.LOBBY, joined=["bob", "cyd"], count=3)
    presence(ada, m.LOBBY, away=["Bob", "nobody"])
    assert ada.chat.lobby.away == {"bob"}
    presence(ada, m.LOBBY, joined=["bob"], count=3)
    assert ada.chat.lobby.away == set(), "who comes is not away"
    presence(ada, m.LOBBY, joined=["bob"], away=["bob", "cyd"], count=3)
    presence(ada, m.LOBBY, left=["bob"], back=["cyd"], count=2)
    assert ada.chat.lobby.away == set()
    presence(ada, m.LOBBY, members=["ada", "cyd"], away=["cyd"], count=2)
    assert ada.chat.lobby.away == {"cyd"}
    presence(ada, m.LOBBY, members=["ada", "cyd"], count=2)
    assert ada.chat.lobby.away == set()


def test_a_message_to_who_is_away_tells_why_once_where_it_was_written() -> None:
    ada = talk()
    talk("bob", ada.server)
    presence(ada, m.LOBBY, joined=["bob"], count=2)
    ada.server.turn("bob", "at lunch")
    ada.exchange()
    for _ in range(2):
        ada.chat.say_to("bob", "are you there?", NOON)
        ada.exchange()
    bob = ada.chat.active
    ada.server.turn("bob", "")
    ada.server.turn("bob", "away")
    ada.exchange()
    ada.chat.say_to("bob", "and now?", NOON)
    ada.chat.open(ada.chat.lobby)
    ada.exchange()
    assert notes(bob) == ["bob is away: at lunch", "bob is away"]
    assert not any("away" in said for said in notes(ada.chat.lobby))


def test_who_somebody_is_is_told_where_it_was_asked() -> None:
    ada = talk()
    talk("bob", ada.server)
    ada.chat.look_up("bob", NOON)
    ada.chat.open(ada.chat.server)
    ada.exchange()
    (said,) = notes(ada.chat.lobby)
    assert said.startswith("bob: here")
    assert not ada.chat.lookups


def test_who_somebody_is_without_a_server_that_says_it() -> None:
    ada = talk()
    ada.chat.look_up("bob", NOON)
    ada.chat.direct("cyd")
    ada.chat.lookups[99] = Lookup(ada.chat.server, "cyd", Purpose.AWAY)
    ada.disconnect()
    assert notes(ada.chat.lobby)[-1] == "the connection was lost before the answer came; ask again"
    assert not any("answer" in said for said in notes(ada.chat.server)), "the user did not ask that"
    ada.chat.look_up("bob", NOON)
    seen = re.compile("bob: you are not connected, so this is as of [0-9:]+; not here, as far as one sees")
    said = notes(ada.chat.lobby)[-1]
    assert seen.fullmatch(said)
    ada.chat.disconnected("here:1", "still refused", NOON + 3_600_000)
    ada.chat.look_up("bob", NOON + 3_600_000)
    assert notes(ada.chat.lobby)[-1] == said, "it is as old as the loss"
    ada.connect()
    ada.chat.look_up("bob", NOON)
    (ref,) = ada.chat.lookups
    ada.chat.handle(RequestFailed(ref, Code.STORAGE_UNAVAILABLE, "the server cannot write its log"), NOON)
    assert notes(ada.chat.lobby)[-1] == "the server cannot write its log"


# --- typing -----------------------------------------------------------------------------------------------------------


def typing(ada: Talk, sender: str, conv: str = m.LOBBY, now: int = NOON) -> None:
    ada.chat.handle(m.IsTyping(m.LOBBY, sender, {"conv": conv, "from": identity_of(sender)}), now)


def test_who_is_typing_is_known_until_they_have_said_it() -> None:
    ada = talk()
    for sender in ("bob", "cy\x1bd"):
        typing(ada, sender)
    assert ada.chat.typists.names(m.LOBBY) == ["bob", "cyd"]
    ada.server.say("bob", m.LOBBY, "done")
    ada.exchange()
    assert ada.chat.typists.names(m.LOBBY) == ["cyd"]
    ada.disconnect()
    assert ada.chat.typists.names(m.LOBBY) == []


def test_nobody_is_shown_typing_whom_one_ignores_or_is_or_where_one_is_not() -> None:
    ada = talk()
    ada.chat.ignore("bob")
    typing(ada, "BOB")
    typing(ada, "ada")
    typing(ada, "cyd", conv="#elsewhere")
    assert ada.chat.typists.expire(NOON) is None
    ada.chat.typing = False
    typing(ada, "cyd")
    assert ada.chat.typists.expire(NOON) is None


def test_it_is_known_when_one_wrote_from_another_device() -> None:
    ada = talk()
    ada.chat.say("from here", NOON)
    ada.exchange()
    assert ada.chat.wrote_elsewhere == 0
    ada.server.commit(ada.server.entries[-1]._replace(ref=77, time_ms=NOON - 5))
    ada.server.commit(ada.server.entries[-1]._replace(ref=78, time_ms=NOON + 3_600_000))  # its clock may be wrong
    ada.exchange()
    assert ada.chat.wrote_elsewhere == NOON


# --- conversations ----------------------------------------------------------------------------------------------------


def test_a_message_to_a_person_opens_the_conversation_with_them() -> None:
    ada = talk()
    ada.chat.say_to("bob", "psst", NOON)
    assert ada.chat.active.title == "bob"
    ada.exchange()
    assert texts(ada.chat.active) == ["psst"]
    assert ada.chat.active.conv == direct(identity_of("ada"), identity_of("bob"))


def test_an_answer_lands_in_the_same_buffer() -> None:
    ada = talk()
    ada.chat.say_to("bob", "psst", NOON)
    ada.exchange()
    ada.server.say("bob", "ada", "yes?")
    ada.exchange()
    assert titles(ada.chat) == ["server", "#lobby", "bob"]
    assert texts(buffer_of(ada.chat, "bob")) == ["psst", "yes?"]


def test_a_message_that_comes_first_gets_a_buffer_that_is_not_opened() -> None:
    ada = talk()
    ada.server.say("bob", "ada", "psst")
    ada.exchange()
    bob = buffer_of(ada.chat, "bob")
    assert ada.chat.active is ada.chat.lobby
    assert (bob.unread, bob.mentions) == (1, 1)
    ada.chat.say_to("BOB", "yes?", NOON)
    ada.exchange()
    assert texts(bob) == ["psst", "yes?"]


def test_who_takes_a_name_over_is_somebody_else() -> None:
    ada = talk()
    ada.server.say("bob", "ada", "the code is 4711")
    ada.exchange()
    first = ada.server.entries[-1]
    thief = first._replace(identity="idthief", conv=direct("idada", "idthief"), ref=99, text="what was the code?")
    ada.server.commit(thief)
    ada.exchange()
    old, new = (buffer for buffer in ada.chat.buffers if buffer.title == "bob")
    assert (texts(old), texts(new)) == (["the code is 4711"], ["what was the code?"])
    assert (old.former, new.former) == (True, False)
    assert notes(old) == ["somebody else goes by the name bob now; what you write here is for the former one alone"]
    warning, said = new.entries
    assert isinstance(warning, Note)
    assert warning.text == "this is not the bob whom you talked to before: somebody else has the name now"
    assert isinstance(said, Said)
    ada.chat.say_to("bob", "who are you?", NOON)
    assert ada.chat.active is new


def test_a_new_name_is_shown_on_the_old_conversation() -> None:
    ada = talk()
    ada.server.say("bob", "ada", "hi")
    ada.exchange()
    ada.server.commit(ada.server.entries[-1]._replace(sender="robert", ref=99, text="I have a new name"))
    ada.exchange()
    assert titles(ada.chat) == ["server", "#lobby", "robert"]
    assert texts(buffer_of(ada.chat, "robert")) == ["hi", "I have a new name"]


def test_two_buffers_of_one_conversation_become_one() -> None:
    """Someone is written to under a new name: only the answer tells that it is an old acquaintance."""
    ada = talk()
    ada.server.say("bob", "ada", "hi")
    ada.exchange()
    old = buffer_of(ada.chat, "bob")
    old.former = True
    ada.chat.say_to("bob", "is it you?", NOON)
    assert ada.chat.active is not old
    ada.chat.active.draft = Draft("half a line", 4)
    ada.exchange()
    assert ada.chat.active is old
    assert texts(old) == ["hi", "is it you?"]
    assert not old.pending
    assert (old.former, old.draft.text) == (False, "half a line")
    assert titles(ada.chat) == ["server", "#lobby", "bob"]


def test_one_cannot_write_to_oneself_or_to_what_is_no_name() -> None:
    ada = talk()
    with pytest.raises(WrongInput, match="that is you"):
        ada.chat.say_to("ADA", "hello", NOON)
    with pytest.raises(WrongInput, match="a name"):
        ada.chat.say_to("two words", "hello", NOON)
    assert titles(ada.chat) == ["server", "#lobby"]


# --- rooms ------------------------------------------------------------------------------------------------------------


def test_a_room_is_opened_at_once_and_what_is_said_follows_into_it() -> None:
    ada = talk()
    ada.chat.join("dev")
    dev = ada.chat.active
    assert (dev.title, dev.joined, rendering.title(dev)) == ("#dev", False, "#dev")
    ada.chat.load_older()
    assert dev.loading is None, "there is time for that when one is in it"
    ada.chat.say("hello", NOON)
    ada.exchange()
    assert (ada.chat.active, dev.joined, dev.joining) == (dev, True, False)
    assert list(dev.people.values()) == ["ada"]
    assert texts(dev) == ["hello"]
    assert not dev.pending


def test_joining_a_room_that_one_is_in_opens_it() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.chat.open(ada.chat.lobby)
    ada.chat.join("#DEV")
    assert ada.chat.active.title == "#dev"
    assert ada.exchange() == []


def test_a_new_room_takes_no_conversation_its_number() -> None:
    ada = talk()
    ada.chat.direct("bob")
    for room in ("#one", "#two"):
        ada.chat.join(room)
        ada.exchange()
    assert titles(ada.chat) == ["server", "#lobby", "bob", "#one", "#two"]
    assert [buffer.number for buffer in ada.chat.buffers] == [1, 2, 3, 4, 5]


def test_a_room_asked_for_without_a_connection_is_joined_and_opened_later() -> None:
    ada = Talk()
    ada.chat.join("#dev")
    ada.connect()
    assert ada.chat.active.title == "#dev"


def test_several_rooms_can_be_asked_for_without_a_connection() -> None:
    ada = Talk()
    ada.chat.join("#one")
    ada.chat.join("#two")
    ada.connect()
    assert titles(ada.chat) == ["server", "#lobby", "#one", "#two"]
    assert all(buffer.joined and not buffer.joining for buffer in ada.chat.buffers)


def test_a_join_that_got_no_answer_is_made_up_for() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.chat.protocol.data_to_send()  # lost on the way
    ada.disconnect()
    ada.connect()
    assert ada.chat.active.title == "#dev"


def test_rooms_are_joined_again_and_nothing_of_them_is_missed() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.server.say("bob", "#dev", "one")
    ada.exchange()
    ada.disconnect()
    ada.server.say("bob", "#dev", "two")
    ada.connect()
    assert texts(buffer_of(ada.chat, "#dev")) == ["one", "two"]


def test_a_room_that_is_left_is_gone() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.chat.close(ada.chat.active)
    ada.exchange()
    assert titles(ada.chat) == ["server", "#lobby"]
    assert ada.chat.active is ada.chat.lobby
    assert not ada.chat.protocol.rooms


def test_a_room_can_be_left_without_a_connection() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.disconnect()
    ada.chat.close(ada.chat.active)
    ada.connect()
    assert titles(ada.chat) == ["server", "#lobby"]


def test_the_lobby_and_the_server_stay() -> None:
    ada = talk()
    for buffer in (ada.chat.lobby, ada.chat.server):
        with pytest.raises(WrongInput):
            ada.chat.close(buffer)


def test_a_room_that_could_not_be_joined_again_says_so() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.chat.handle(Welcomed("ada", "idada", "token", afresh=False, refused={"#dev": "too_many_rooms"}, cursor=0), NOON)
    dev = buffer_of(ada.chat, "#dev")
    assert notes(dev)[-1] == "#dev could not be joined: you are in as many rooms as you may be, with all your connections"
    with pytest.raises(WrongInput, match="you are not in #dev"):
        ada.chat.say("hello", NOON)
    ada.chat.join("#dev")
    ada.exchange()
    assert dev.joined


def test_a_room_asked_for_while_the_connection_is_lost_is_joined_and_does_not_push_in() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.join("#dev")
    assert ada.chat.active.title == "#dev"
    ada.chat.say("hello", NOON)
    ada.chat.open(ada.chat.lobby)
    ada.connect()
    assert buffer_of(ada.chat, "#dev").joined
    assert texts(buffer_of(ada.chat, "#dev")) == ["hello"]
    assert ada.chat.active is ada.chat.lobby


def test_line_ends_behind_a_message_are_not_sent() -> None:
    ada = talk()
    ada.chat.say("one\ntwo\n\n", NOON)
    ada.exchange()
    assert ada.server.entries[-1].text == "one\ntwo"


FULL = "#dev could not be joined: as many people are in the room as may be; /part puts this away"


def test_a_room_that_may_not_be_joined_stays_for_what_is_typed_behind_it() -> None:
    ada = talk()
    ada.server.full.add("#dev")
    ada.chat.join("#dev")
    dev = ada.chat.active
    ada.exchange()
    assert ada.chat.active is dev
    assert (notes(dev), notes(ada.chat.lobby)) == ([FULL], [])
    ada.chat.close(dev)
    assert [event for event in ada.exchange() if isinstance(event, RequestFailed)] == []
    assert titles(ada.chat) == ["server", "#lobby"]


def test_what_was_written_for_a_room_that_one_may_not_be_in_is_kept() -> None:
    ada = talk()
    ada.server.full.add("#dev")
    ada.chat.join("#dev")
    dev = ada.chat.active
    dev.draft = Draft("hello")
    ada.exchange()
    assert (ada.chat.active, dev.joined, dev.joining) == (dev, False, False)
    assert notes(dev) == [FULL]
    with pytest.raises(WrongInput, match="you are not in #dev"):
        ada.chat.say("hello", NOON)


def test_a_room_asked_for_while_the_welcome_is_on_its_way_can_be_refused() -> None:
    ada = talk()
    ada.disconnect()
    ada.server.full.add("#dev")
    ada.line = ada.server.connect()
    ada.chat.protocol.connected()
    ada.line.receive(ada.chat.protocol.data_to_send())
    ada.chat.join("#dev")
    dev = ada.chat.active
    dev.draft = Draft("hello")
    ada.exchange()
    assert (dev.joined, dev.joining) == (False, False)
    assert notes(dev)[-1:] == [FULL]


def test_a_room_that_is_left_and_joined_at_once_stays_on_the_screen() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.chat.close(ada.chat.active)
    ada.chat.join("#dev")
    ada.exchange()
    assert (ada.chat.active.title, ada.chat.active.joined) == ("#dev", True)


def test_that_a_room_was_refused_which_was_left_meanwhile_is_not_told() -> None:
    ada = talk()
    ada.server.full.add("#dev")
    ada.chat.join("#dev")
    ada.chat.close(ada.chat.active)
    ada.exchange()
    assert notes(ada.chat.lobby) == []
    assert titles(ada.chat) == ["server", "#lobby"]


# --- what is unread ---------------------------------------------------------------------------------------------------


def test_what_comes_elsewhere_is_counted_and_mentions_too() -> None:
    ada = talk()
    ada.chat.open(ada.chat.server)
    for text in ("hello", "ada: are you there?", "adamant"):
        ada.server.say("bob", m.LOBBY, text)
    ada.exchange()
    assert (ada.chat.lobby.unread, ada.chat.lobby.mentions) == (3, 1)
    ada.chat.open(ada.chat.lobby)
    assert (ada.chat.lobby.unread, ada.chat.lobby.mentions) == (0, 0)


def test_what_comes_while_the_user_looks_elsewhere_is_new_from_its_first_on() -> None:
    ada = talk()

    def hear(*words: str) -> int:
        first, *_ = [ada.server.say("bob", m.LOBBY, text).id for text in words]
        ada.exchange()
        return first

    def mark() -> object:
        return ada.chat.lobby.unread_from

    hear("seen")
    assert mark() is None
    ada.chat.mark_next = True
    first = hear("not", "seen")
    hear("later")
    assert (mark(), ada.chat.lobby.unread) == ((first, -1), 0)
    ada.chat.mark_next = True
    again = hear("once more")
    assert mark() == (again, -1)


def test_where_the_unread_ones_begin_is_kept_while_they_are_read() -> None:
    ada = talk()
    ada.server.say("bob", m.LOBBY, "old")
    ada.exchange()
    ada.chat.open(ada.chat.server)
    new = ada.server.say("bob", m.LOBBY, "new")
    ada.exchange()
    ada.chat.open(ada.chat.lobby)
    assert ada.chat.lobby.unread_from == (new.id, -1)
    ada.chat.open(ada.chat.server)
    assert ada.chat.lobby.unread_from is None


def test_one_s_own_messages_are_not_unread() -> None:
    ada = talk()
    ada.chat.say("hello", NOON)
    ada.chat.open(ada.chat.server)
    ada.exchange()
    assert ada.chat.lobby.unread == 0


def test_the_next_unread_is_a_mention_if_there_is_one() -> None:
    ada = talk()
    for room in ("#one", "#two", "#three"):
        ada.chat.join(room)
        ada.exchange()
    ada.chat.open(ada.chat.lobby)
    ada.server.say("bob", "#one", "hello")
    ada.server.say("bob", "#three", "ada!")
    ada.exchange()
    seen = []
    for _ in range(3):
        ada.chat.open_next_unread()
        seen.append(ada.chat.active.title)
    assert seen == ["#three", "#one", "#one"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("ada", "hi ada!", True),
        ("ada", "ADA", True),
        ("ada", "adamant", False),
        ("ada", "canada", False),
        ("a.b", "acb", False),
        ("a[1]", "ask a[1] or not", True),
        ("", "anything", False),
        ("zoë", "Zoë, come", True),
        ("小明", "小明你好", True),
        ("小明", "你好小明，在吗", True),
        ("bob", "你好bob在吗", True),
        ("bob", "你好bobby在吗", False),
        ("アン", "アンさん、", True),
        ("アン", "アンケート", False),
        ("민수", "민수야 안녕", True),
        ("สมชาย", "คุณสมชายครับ", True),
    ],
)
def test_a_mention_is_the_name_as_a_word(name: str, text: str, expected: bool) -> None:
    assert is_mentioned(name, text) == expected


# --- earlier messages -------------------------------------------------------------------------------------------------


def filled(count: int) -> ModelServer:
    server = ModelServer()
    for number in range(count):
        server.say("bob", m.LOBBY, str(number))
    return server


def test_earlier_messages_come_page_by_page_until_there_are_no_more() -> None:
    ada = talk(server=filled(PAGE * 2 + 5))
    pages = 0
    while ada.chat.lobby.older_exist:
        ada.chat.load_older()
        ada.chat.load_older()  # one at a time
        ada.exchange()
        pages += 1
    assert pages == 3
    assert texts(ada.chat.lobby) == [str(number) for number in range(PAGE * 2 + 5)]
    ada.chat.load_older()
    assert ada.exchange() == []


def test_a_page_and_what_came_live_meanwhile_meet_without_doubles() -> None:
    ada = talk(server=filled(3))
    ada.server.say("bob", m.LOBBY, "live")
    ada.exchange()
    ada.chat.load_older()
    ada.exchange()
    assert texts(ada.chat.lobby) == ["0", "1", "2", "live"]
    assert ada.chat.lobby.unread == 0


def test_a_page_that_was_lost_is_asked_for_again() -> None:
    ada = talk(server=filled(3))
    ada.chat.load_older()
    ada.chat.protocol.data_to_send()
    ada.disconnect()
    ada.connect()
    ada.chat.load_older()
    ada.exchange()
    assert texts(ada.chat.lobby) == ["0", "1", "2"]


def test_earlier_messages_of_a_person_that_one_has_not_heard_of_yet() -> None:
    server = ModelServer()
    server.say("ada", "bob", "yesterday")
    ada = talk(server=server)
    ada.chat.open(ada.chat.direct("bob"))
    ada.chat.load_older()
    ada.exchange()
    assert texts(ada.chat.active) == ["yesterday"]
    assert ada.chat.active.conv == direct("idada", "idbob")


def test_earlier_messages_that_cannot_be_had_are_not_asked_for_again() -> None:
    ada = talk()
    ada.chat.load_older()
    ada.chat.handle(RequestFailed(ada.chat.lobby.loading, "no_such_user", "nobody has this name"), NOON)
    assert notes(ada.chat.lobby) == ["earlier messages could not be loaded: nobody has this name"]
    assert not ada.chat.lobby.older_exist


def test_earlier_messages_that_the_server_could_not_give_are_asked_for_again_after_a_while() -> None:
    ada = talk(server=filled(3))
    ada.chat.load_older()
    refused = ada.chat.lobby.loading
    assert refused is not None
    ada.chat.handle(RequestFailed(refused, Code.BUSY, "the server cannot answer now"), NOON)
    wait = ada.chat.expire(NOON)
    ada.chat.load_older()
    assert (wait, ada.chat.lobby.loading, notes(ada.chat.lobby)) == (5_000, refused, [])
    ada.chat.expire(NOON + 5_000)
    assert ada.chat.lobby.loading is None
    ada.chat.load_older()
    ada.exchange()
    assert texts(ada.chat.lobby) == ["0", "1", "2"]
    assert ada.chat.expire(NOON + 10_000) is None


def test_earlier_messages_of_somebody_who_had_no_name_when_they_were_asked_for_are_loaded_once_they_have() -> None:
    ada = talk()
    bob = ada.chat.direct("bob")
    ada.chat.open(bob)
    ada.chat.load_older()
    ada.chat.handle(RequestFailed(bob.loading, Code.NO_SUCH_USER, "nobody has this name"), NOON)
    assert not bob.older_exist
    ada.server.say("bob", "ada", "I am back")
    ada.exchange()
    assert (texts(bob), bob.older_exist) == (["I am back"], True)


def test_another_log_is_shown_afresh_and_what_is_pending_is_kept() -> None:
    ada = talk(server=filled(3))
    ada.chat.load_older()
    ada.exchange()
    ada.disconnect()
    ada.chat.say("mine", NOON)
    ada.server = ModelServer("log-2")
    ada.server.say("carla", m.LOBBY, "a new world")
    ada.connect()
    ada.chat.load_older()
    ada.exchange()
    assert texts(ada.chat.lobby) == ["a new world", "mine"]


def test_who_meets_the_former_server_again_is_told_and_finds_all_in_order() -> None:
    """Another one, whose ids are smaller, had its place meanwhile."""
    home, other = filled(3), ModelServer("log-2", realm="@two")
    ada = Talk(server=home)
    for server in (home, other, home):
        ada.server = server
        ada.connect()
        ada.chat.note(f"with {server.uuid}", NOON)
        ada.disconnect()
    ada.connect()
    ada.chat.load_older()
    ada.exchange()
    home.say("bob", m.LOBBY, "now")
    ada.exchange()
    shown = [entry.text for entry in ada.chat.lobby.shown() if isinstance(entry, Said | Note)]
    again = "the server knows you from before: you are again who you were then"
    assert shown == [*texts(ada.chat.lobby)[:3], "with log-1", "with log-2", again, "with log-1", "now"]


def test_what_was_given_back_is_not_to_be_said_again_where_the_former_server_has_it() -> None:
    """It had committed it, and was gone before it could say so; then another one had its place."""
    home, other = filled(3), ModelServer("log-2", realm="@two")
    ada = talk(server=home)
    ada.chat.say("mine", NOON)
    assert ada.line is not None
    ada.line.receive(ada.chat.protocol.data_to_send())
    ada.disconnect()
    ada.server = other
    ada.connect()
    assert ada.given_back == ["mine"]
    ada.disconnect()
    ada.server = home
    ada.connect()
    assert len(ada.chat.lobby.pending) == 1, "nothing of the log is loaded yet"
    ada.chat.load_older()
    ada.exchange()
    assert texts(ada.chat.lobby)[-1] == "mine"
    assert not ada.chat.lobby.pending


def test_what_was_empty_may_not_be_so_in_another_log() -> None:
    ada = talk()
    ada.chat.load_older()
    ada.exchange()
    assert ada.chat.lobby.is_empty
    ada.disconnect()
    ada.server = ModelServer("log-2")
    ada.server.say("carla", m.LOBBY, "said before")
    ada.connect()
    ada.chat.load_older()
    ada.exchange()
    assert texts(ada.chat.lobby) == ["said before"]


def test_a_name_that_changed_hands_is_written_to_as_it_stands_now() -> None:
    ada = talk()
    talk("bob", ada.server)
    ada.chat.say_to("bob", "to the first", NOON)
    ada.exchange()
    first = buffer_of(ada.chat, "bob")
    first.conv = direct("idada", "idformerbob")  # whom the name belonged to before
    ada.chat.say_to("bob", "to the second", NOON)
    ada.exchange()
    assert ada.server.entries[-1].conv == direct("idada", "idbob") == ada.chat.active.conv
    assert (first.former, ada.chat.active.former) == (True, False)
    assert texts(ada.chat.active) == ["to the second"]
    assert "this is not the bob whom you talked to before" in notes(ada.chat.active)[0]
    assert texts(first) == ["to the first"]


def test_who_comes_by_the_name_of_somebody_else_is_known_at_once() -> None:
    ada = talk()
    ada.server.say("bob", "ada", "hi")
    ada.exchange()
    bob = buffer_of(ada.chat, "bob")
    bob.peer = "idformerbob"
    talk("bob", ada.server)
    ada.chat.handle(m.Presence(m.LOBBY, {"joined": ["bob"], "left": [], "count": 2}), NOON)
    ada.exchange()
    assert bob.former
    assert notes(bob) == ["somebody else goes by the name bob now; what you write here is for the former one alone"]


def test_who_is_there_after_a_break_may_be_somebody_else() -> None:
    ada = talk()
    ada.server.say("bob", "ada", "hi")
    ada.exchange()
    bob = buffer_of(ada.chat, "bob")
    bob.peer = "idformerbob"
    ada.disconnect()
    talk("bob", ada.server)
    ada.connect()
    assert bob.former


def test_of_a_room_that_no_hello_had_room_for_nothing_is_missing_after_a_break() -> None:
    """What was said there meanwhile is not delivered: it is loaded with what was there before."""
    ada = talk()
    for number in range(ARRAY_ITEMS + 1):
        ada.chat.join(f"#{number}")
    ada.exchange()
    last = ada.chat.active
    ada.server.say("bob", last.title, "before")
    ada.exchange()
    ada.disconnect()
    ada.server.say("bob", last.title, "meanwhile")
    ada.connect()
    ada.server.say("bob", last.title, "now")
    ada.exchange()
    ada.chat.load_older()
    ada.exchange()
    assert texts(last) == ["before", "meanwhile", "now"]


def come_back_as_somebody_new(ada: Talk) -> None:
    """The server does not know her any more, and her name is another one's."""
    ada.disconnect()
    ada.server.expired.add("token of idada")
    ada.server.taken.add("ada")
    ada.chat.protocol.choose_name("lovelace")
    ada.connect()


def test_as_somebody_new_one_begins_direct_conversations_anew() -> None:
    ada = talk()
    bob = talk("bob", ada.server)
    bob.chat.say_to("ada", "do you know me?", NOON)
    bob.exchange()
    ada.exchange()
    come_back_as_somebody_new(ada)
    ada.chat.say_to("bob", "not any more", NOON)
    ada.exchange()
    assert ada.server.entries[-1].conv == direct("idlovelace", "idbob")
    assert texts(buffer_of(ada.chat, "bob")) == ["do you know me?", "not any more"]


# --- people -----------------------------------------------------------------------------------------------------------


def test_who_comes_and_goes_is_shown_and_told() -> None:
    ada = talk()
    presence(ada, m.LOBBY, joined=["bob", "carla"], left=[], count=3)
    presence(ada, m.LOBBY, joined=[], left=["bob"], count=2)
    assert sorted(ada.chat.lobby.people.values()) == ["ada", "carla"]
    assert traffic(ada.chat.lobby) == [(("carla",), ())]
    assert ada.chat.lobby.head_count == 2


def test_a_whole_list_replaces_what_was_known_and_nobody_came_or_went() -> None:
    ada = talk()
    presence(ada, m.LOBBY, joined=["bob"], left=[], count=2)
    told = traffic(ada.chat.lobby)
    presence(ada, m.LOBBY, members=["ada", "carla"], count=2)
    assert sorted(ada.chat.lobby.people.values()) == ["ada", "carla"]
    assert ada.chat.lobby.head_count == 2
    assert traffic(ada.chat.lobby) == told


def test_one_s_own_coming_and_going_is_not_told() -> None:
    ada = talk()
    presence(ada, m.LOBBY, joined=["Ada"], left=[])
    presence(ada, m.LOBBY, joined=["bob"], left=["bob"])
    assert traffic(ada.chat.lobby) == []


def test_who_came_and_left_before_anybody_knew_is_not_told() -> None:
    """The server collects over a moment, and says where everybody is in the end: a script that sent a message has left."""
    ada = talk()
    presence(ada, m.LOBBY, joined=["bob"], left=["carla"], count=2)
    presence(ada, m.LOBBY, joined=[], left=["carla", "dmitri"], count=2)
    presence(ada, m.LOBBY, joined=["Bob"], left=["bob"], count=2)
    assert traffic(ada.chat.lobby) == [(("bob",), ())]
    assert sorted(ada.chat.lobby.people.values()) == ["Bob", "ada"]


RENAMED = [["bob", "bert"]]


@pytest.mark.parametrize(
    "frames",
    [
        [{"joined": ["bert"], "left": ["bob"], "renamed": RENAMED}],
        [{"left": ["bob"]}, {"joined": ["bert"], "renamed": RENAMED}],
        [{"joined": ["bert"], "left": ["bob"]}, {"left": ["bert"]}, {"joined": ["bert"], "renamed": RENAMED}],
        [{"joined": ["bert"]}, {"joined": ["bert"], "left": ["bob"], "renamed": RENAMED}],
        [{"joined": ["bert"], "renamed": RENAMED}, {"left": ["bob"]}],
    ],
    ids=[
        "together",
        "one after the other",
        "the name is tried first",
        "it is tried just before",
        "who left is told later",
    ],
)
def test_who_goes_by_another_name_is_told_in_one_line(frames: list[dict[str, list[object]]]) -> None:
    ada = talk()
    presence(ada, m.LOBBY, members=["ada", "bob"], count=2)
    for frame in frames:
        presence(ada, m.LOBBY, count=2, **frame)
    (line,) = ada.chat.lobby.shown()
    assert isinstance(line, Traffic)
    assert (line.came, line.left, line.renamed) == ((), (), (("bob", "bert"),))
    assert sorted(ada.chat.lobby.people.values()) == ["ada", "bert"]


def test_who_was_not_here_by_another_name_came() -> None:
    ada = talk()
    presence(ada, m.LOBBY, joined=["bert"], left=[], renamed=RENAMED, count=2)
    assert traffic(ada.chat.lobby) == [(("bert",), ())]


def test_who_is_awaited_after_a_break_may_go_by_another_name() -> None:
    ada = a_room_with_one_missing()
    presence(ada, "#dev", joined=["cynthia"], renamed=[["cyd", "cynthia"]], count=3)
    assert ada.chat.expire(NOON + AWAITED_MS) is None
    last = ada.chat.active.shown()[-1]
    assert isinstance(last, Traffic)
    assert (last.came, last.left, last.renamed) == (("bob", "cyd"), (), (("cyd", "cynthia"),))


def test_the_user_is_not_told_of_their_own_other_name() -> None:
    """Their connection by the former name may be there for a moment still, and leave later."""
    ada = talk()
    presence(ada, m.LOBBY, members=["ada", "bob"], count=2)
    ada.chat.go_by("adele", NOON)
    ada.chat.protocol.choose_name("adele")
    before = len(ada.chat.lobby.shown())
    ada.chat.handle(RoomJoined(m.LOBBY, m.LOBBY, 0, 3, ["ada", "adele", "bob"]), NOON)
    presence(ada, m.LOBBY, joined=["adele"], left=["ada"], renamed=[["ada", "adele"]], count=2)
    assert ada.chat.lobby.shown()[before:] == []
    assert [*ada.chat.lobby.people] == ["adele", "bob"]
    presence(ada, m.LOBBY, joined=["ada"], count=3)
    assert traffic(ada.chat.lobby)[-1][0] == ("ada",), "somebody else has the name now"


def told_renamed(buffer: Buffer) -> list[tuple[tuple[str, str], ...]]:
    """What each of its lines says of other names."""
    return [entry.renamed for entry in buffer.shown() if isinstance(entry, Traffic)]


def test_a_conversation_goes_on_under_the_other_name() -> None:
    ada = talk()
    former = ada.chat.direct("bob")
    former.former = True  # the name was somebody else's
    ada.chat.open(ada.chat.direct("bob"))
    presence(ada, m.LOBBY, members=["ada", "bob"], count=2)
    presence(ada, m.LOBBY, joined=["bert"], left=["bob"], renamed=RENAMED, count=2)
    assert ada.chat.active.title == "bert"
    assert told_renamed(ada.chat.active) == [(("bob", "bert"),)]
    assert former.title == "bob"
    for before, name in ("bert", "ben"), ("ben", "bart"):
        presence(ada, m.LOBBY, joined=[name], left=[before], renamed=[[before, name]], count=2)
    assert told_renamed(ada.chat.active) == [(("bob", "bart"),)]


def test_a_conversation_does_not_go_on_with_who_had_the_name_for_a_moment() -> None:
    ada = talk()
    ada.server.say("bob", "ada", "hello")
    ada.server.say("bert", m.LOBBY, "I am he, by another name")
    ada.exchange()
    with_bob = buffer_of(ada.chat, "bob")
    presence(ada, m.LOBBY, joined=["bert"], left=["bob"], renamed=RENAMED, count=2)
    assert (with_bob.title, with_bob.former, told_renamed(with_bob)) == ("bob", False, [])
    with_bob.peer = identity_of("bert")  # then it is true
    presence(ada, m.LOBBY, joined=["bert"], left=["bob"], renamed=RENAMED, count=2)
    assert (with_bob.title, with_bob.former, told_renamed(with_bob)) == ("bert", False, [(("bob", "bert"),)])


def test_how_to_end_it_is_told_with_the_name_of_the_only_one() -> None:
    ada = talk()
    commands.enter(ada.chat, "/ignore Bob", NOON)
    assert notes(ada.chat.lobby)[-1] == "you ignore Bob; /unignore Bob ends it"
    commands.enter(ada.chat, "/ignore cyd", NOON)
    assert notes(ada.chat.lobby)[-1] == "you ignore Bob, cyd; /unignore NAME ends it"


def test_that_nobody_answered_in_time_while_the_user_thought_of_a_name_is_not_told() -> None:
    ada = talk()
    ada.chat.handle(RequestFailed(None, Code.LOGIN_TIMEOUT, "no hello came in time"), NOON)
    assert notes(ada.chat.lobby) == []


def test_who_is_ignored_stays_so_by_another_name() -> None:
    ada = talk()
    ada.chat.ignore("bob")
    ada.chat.lobby.add(Said((1, 0), NOON, "bert", "said before it was told that this is bob", own=False))
    presence(ada, m.LOBBY, joined=["bert"], left=["bob"], renamed=RENAMED, count=2)
    assert texts(ada.chat.lobby) == []
    assert ada.chat.ignored == {"bert": "bert"}
    assert notes(ada.chat.server)[-1] == "bob, whom you ignore, is now bert, and ignored by that name"
    presence(ada, m.LOBBY, joined=["cynthia"], left=["cyd"], renamed=[["cyd", "cynthia"]], count=2)
    assert ada.chat.ignored == {"bert": "bert"}


def test_who_is_ignored_is_so_by_any_name_and_nobody_else_by_theirs() -> None:
    ada = talk()
    talk("bob", ada.server)
    ada.chat.ignore("bob")
    ada.exchange()
    presence(ada, m.LOBBY, joined=["bert"], left=["bob"], renamed=RENAMED, count=2)
    for number, sender, who in ((1, "bob", "bob"), (2, "bert", "bob"), (3, "ben", "bob"), (4, "bob", "cyd"), (5, "bert", "dan")):
        options = {"from": identity_of(who), "conv": m.LOBBY}
        ada.chat.handle(Delivered(m.Msg(number, NOON, m.LOBBY, sender, number, f"{who} as {sender}", options)), NOON)
    assert texts(ada.chat.lobby) == ["cyd as bob", "dan as bert"]
    ada.chat.unignore("bert")
    assert ada.chat.ignored_as == {}


def test_who_is_ignored_without_being_there_is_known_once_they_say_something() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.ignore("bob")
    ada.connect()
    ada.server.say("bob", m.LOBBY, "hello")
    ada.exchange()
    assert texts(ada.chat.lobby) == []
    assert ada.chat.ignored_as == {"bob": identity_of("bob")}


def test_who_is_ignored_without_being_there_is_known_once_they_come() -> None:
    ada = talk()
    ada.chat.ignore("bob")
    ada.chat.ignore("cyd")
    ada.exchange()
    bob = talk("bob", ada.server)
    presence(ada, m.LOBBY, joined=["bob"], left=[], count=2)
    ada.exchange()
    assert ada.chat.ignored_as == {"bob": bob.chat.identity}
    ada.disconnect()
    cyd = talk("cyd", ada.server)
    ada.connect()
    assert ada.chat.ignored_as["cyd"] == cyd.chat.identity


def test_where_those_who_are_ignored_have_said_much_it_is_looked_further_back() -> None:
    server = filled(3)
    for number in range(PAGE * 2):
        server.say("cyd", m.LOBBY, str(number))
    ada = talk(server=server)
    ada.chat.ignore("cyd")
    for _ in range(3):
        ada.chat.load_older()
        ada.exchange()
    assert texts(ada.chat.lobby) == ["0", "1", "2"]
    assert not ada.chat.lobby.older_exist


def test_who_is_not_ignored_any_more_is_read_again_and_nothing_else_changes_its_place() -> None:
    ada = talk()
    for text in ("before", "between", "behind"):
        ada.server.say("bob", m.LOBBY, text)
        ada.server.say("cyd", m.LOBBY, text)
        ada.exchange()
        ada.chat.note(f"noted {text}", NOON)
    presence(ada, m.LOBBY, joined=["bob"], left=[], count=2)
    before = list(map(type, ada.chat.lobby.shown()))
    ada.chat.ignore("bob")
    ada.chat.unignore("bob")
    assert notes(ada.chat.lobby) == ["noted before", "noted between", "noted behind"]
    ada.chat.load_older()
    ada.exchange()
    assert list(map(type, ada.chat.lobby.shown())) == before


def test_what_cannot_be_loaded_again_stays_where_somebody_is_not_ignored_any_more() -> None:
    """A conversation that one had as somebody else."""
    ada = talk()
    ada.server.say("bob", "ada", "do you know me?")
    ada.exchange()
    come_back_as_somebody_new(ada)
    ada.chat.ignore("cyd")
    ada.chat.unignore("cyd")
    ada.chat.open(buffer_of(ada.chat, "bob"))
    ada.chat.load_older()
    ada.exchange()
    assert texts(buffer_of(ada.chat, "bob")) == ["do you know me?"]


def test_a_page_that_was_asked_for_before_everything_is_loaded_anew_is_not_taken_for_the_newest() -> None:
    ada = talk(server=filled(PAGE * 2))
    ada.chat.load_older()
    ada.exchange()
    ada.chat.load_older()
    ada.chat.ignore("cyd")
    ada.chat.unignore("cyd")
    ada.exchange()
    ada.chat.load_older()
    ada.exchange()
    assert texts(ada.chat.lobby) == [str(number) for number in range(PAGE, PAGE * 2)]


def test_one_does_not_ignore_oneself_by_a_name_that_was_that_of_an_ignored_one() -> None:
    ada = talk("bert")
    ada.chat.ignore("bob")
    presence(ada, m.LOBBY, joined=["bert"], left=["bob"], renamed=RENAMED, count=1)
    assert ada.chat.ignored == {"bob": "bob"}


def test_in_large_rooms_nobody_is_told_who_comes() -> None:
    ada = talk()
    presence(ada, m.LOBBY, joined=["bob"], left=[], count=5_000)
    assert traffic(ada.chat.lobby) == []
    assert ada.chat.lobby.head_count == 5_000


def test_presence_of_a_room_that_was_left_is_nothing() -> None:
    ada = talk()
    presence(ada, "#elsewhere", joined=["bob"], left=[])
    assert titles(ada.chat) == ["server", "#lobby"]


def test_names_are_suggested_by_who_spoke_last() -> None:
    ada = talk()
    presence(ada, m.LOBBY, joined=["dmitri", "bob", "carla"], left=[])
    for name in ("bob", "carla", "Bob", "erin"):
        ada.server.say(name, m.LOBBY, "hello")
    ada.exchange()
    assert ada.chat.speakers() == ["Bob", "carla", "dmitri", "erin"]
    ada.chat.open(ada.chat.direct("fritz"))
    assert ada.chat.speakers()[0] == "fritz"


# --- lists ------------------------------------------------------------------------------------------------------------


def test_who_is_there() -> None:
    ada = talk()
    talk("bob", ada.server)
    ada.chat.list_people(m.LOBBY)
    ada.exchange()
    assert notes(ada.chat.lobby) == ["2 people in #lobby: ada, bob"]


def test_a_long_list_is_asked_for_in_pages() -> None:
    ada = talk()
    ada.chat.list_people(m.LOBBY)
    (ref,) = ada.chat._listings.refs
    ada.chat.handle(m.MemberList(ref, m.LOBBY, ["ada", "bob"], {"count": 3, "more": True}), NOON)
    assert notes(ada.chat.lobby) == []
    (ref,) = ada.chat._listings.refs
    ada.chat.handle(m.MemberList(ref, m.LOBBY, ["carla"], {"count": 3, "more": False}), NOON)
    assert notes(ada.chat.lobby) == ["3 people in #lobby: ada, bob, carla"]
    assert ada.line is not None
    ada.line.receive(ada.chat.protocol.data_to_send())
    assert [r.options for r in ada.line.requests if isinstance(r, m.Members)] == [{}, {"after": "bob"}]


def test_a_list_without_end_is_cut() -> None:
    ada = talk()
    ada.chat.list_people(m.LOBBY)
    page = [f"p{number}" for number in range(200)]
    for _ in range(5):
        (ref,) = ada.chat._listings.refs
        ada.chat.handle(m.MemberList(ref, m.LOBBY, page, {"count": 5_000, "more": True}), NOON)
    assert not ada.chat._listings.refs
    assert notes(ada.chat.lobby)[0].endswith("and 4,000 more")


def test_which_rooms_there_are() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.chat.list_rooms()
    ada.exchange()
    assert notes(ada.chat.active) == ["2 rooms: #dev (1), #lobby (1)"]
    assert "#dev" in ada.chat.rooms_seen


def test_a_list_that_got_no_answer_says_so() -> None:
    ada = talk()
    ada.chat.list_rooms()
    ada.disconnect()
    assert "the connection was lost before the answer came; ask again" in notes(ada.chat.lobby)
    with pytest.raises(WrongInput, match="you are not connected; ask which rooms there are once you are"):
        ada.chat.list_rooms()
    with pytest.raises(WrongInput, match="you are not connected; ask who is in #lobby once you are"):
        ada.chat.list_people(m.LOBBY)


def test_a_list_of_people_tells_who_is_away() -> None:
    ada = talk()
    bob = talk("bob", ada.server)
    presence(ada, m.LOBBY, joined=["bob"], count=2)
    bob.chat.be_away("lunch", NOON)
    bob.exchange()
    ada.exchange()
    ada.chat.list_people(m.LOBBY)
    ada.exchange()
    assert notes(ada.chat.lobby) == ["2 people in #lobby: ada, bob (away)"]


# --- ends and errors --------------------------------------------------------------------------------------------------


def test_why_the_connection_is_gone_is_noted_with_the_server() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.expire(LATER)
    for _ in range(3):  # attempts
        ada.chat.disconnected("here:1", "connection refused", LATER)
    assert notes(ada.chat.server) == [CONNECTED, "not connected to here:1: connection refused"]


@pytest.mark.parametrize("on_screen", ["#lobby", "server"])
def test_a_break_that_is_over_within_a_moment_is_one_line(on_screen: str) -> None:
    ada = talk()
    ada.chat.open(ada.chat.lobby if on_screen == "#lobby" else ada.chat.server)
    ada.disconnect()
    assert ada.chat.expire(NOON + 1_000) == 4_000, "so long it may last"
    ada.chat.disconnected("here:1", "connection refused", NOON)
    ada.connect()
    assert notes(ada.chat.server) == [
        CONNECTED,
        "connected again as ada to here:1, encrypted (TLS 1.3), after 1 s; lost: the cable was pulled",
    ]
    assert notes(ada.chat.lobby) == []
    assert ada.chat.expire(LATER) is None


def test_a_break_that_lasts_is_two_lines_also_for_who_looks_at_what_the_program_says() -> None:
    ada = talk()
    ada.chat.open(ada.chat.server)
    ada.disconnect()
    ada.chat.expire(LATER)
    ada.chat.disconnected("here:1", "the cable was pulled", LATER)
    ada.connect()
    assert notes(ada.chat.server) == [
        CONNECTED,
        f"not connected to here:1: the cable was pulled{GOES_ON}",
        "connected again as ada to here:1, encrypted (TLS 1.3), after 1 s",
    ]


def test_also_with_a_clock_that_was_set_back_a_break_is_told() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.expire(NOON - 3_600_000)
    assert notes(ada.chat.lobby) == [f"not connected to here:1: the cable was pulled{GOES_ON}"]


def test_where_a_name_is_taken_another_one_is_welcome() -> None:
    ada = Talk()
    ada.server.taken.add("ada")
    ada.connect()
    ada.chat.protocol.choose_name("eve")
    ada.exchange()
    assert ada.chat.identity is not None, "there is a welcome"
    assert ada.chat.name == "eve"


def test_a_page_without_anything_is_the_last_one() -> None:
    """Whatever else it says: asking for what is behind it would bring it again."""
    ada = talk()
    ada.chat.load_older()
    loading = ada.chat.lobby.loading
    assert loading is not None
    ada.chat.handle(m.Page(loading, m.LOBBY, [], {"more": True}), NOON)
    ada.chat.load_older()
    assert ada.chat.lobby.loading is None


def test_a_list_that_was_not_asked_for_teaches_nothing() -> None:
    ada = talk()
    ada.chat.handle(m.RoomList(9, [["#spam", 1]], {}), NOON)
    assert "#spam" not in ada.chat.rooms_seen


def test_strangers_by_the_hundred_cannot_open_as_many_conversations() -> None:
    ada = talk()
    ada.chat.say_to("bob", "hello", NOON)
    for number in range(1, 300):
        msg = m.Msg(number, NOON, "ada", f"spam{number}", 5, "buy", {"conv": f"conv{number}", "from": f"id{number}"})
        ada.chat.handle(Delivered(msg), NOON)
    directs = titles(ada.chat)[2:]
    assert set(directs) == {"bob", *(f"spam{number}" for number in range(100, 300))}


def test_what_the_server_says_cannot_act_on_the_terminal() -> None:
    ada = talk()
    assert ada.line is not None
    evil = "\x1b]0;pwn\x07\x9b31m\u202e"
    ada.chat.handle(RoomJoined(f"#x{evil}", "#x", 0, 1, [evil + "b"]), NOON)
    ada.line.reply(
        m.Msg(9, NOON, f"#x{evil}", f"m{evil}", 5, f"t{evil}", {"conv": "#x", "from": "m"}),
        m.Msg(10, NOON, "ada", f"m{evil}", 6, f"t{evil}", {"conv": "d", "from": "m"}),
        m.Error(None, "busy", evil + "e"),
        m.Goodbye("error", evil + "bye"),
    )
    ada.exchange()
    shown = [entry for buffer in ada.chat.buffers for entry in buffer.shown()]
    everything = repr([titles(ada.chat), shown, [buffer.people for buffer in ada.chat.buffers], ada.chat.rooms_seen])
    for sign in ("\\x1b", "\\x07", "\\x9b", "\\u202e"):
        assert sign not in everything
    assert {"]0;pwn31me", "m]0;pwn31m", "#x]0;pwn31m"} <= {*notes(ada.chat.lobby), *titles(ada.chat)}


# --- anything at all --------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["cut", "connect", "older", "next", "close", "lose", "get"])),
        st.tuples(st.sampled_from(["say", "hear", "join", "whisper"]), st.sampled_from(["#lobby", "#dev", "bob", "carla"])),
    ),
    max_size=25,
)


@given(STEPS)
def test_whatever_happens_all_is_shown_once_and_in_order(steps: list[tuple[str, ...]]) -> None:
    ada = talk()
    said: list[str] = []
    for number, (step, *rest) in enumerate(steps):
        _take(ada, step, rest[0] if rest else "", f"text {number}", said)
        assert ada.chat.active in ada.chat.buffers
        for buffer in ada.chat.buffers:
            keys = [entry.key for entry in buffer.shown()]
            assert keys == sorted(set(keys))
    if ada.line is None:
        ada.connect()
    ada.exchange()
    while ada.chat.protocol.wants_retry:
        ada.chat.protocol.retry()
        ada.exchange()
    sent = [entry.text for entry in ada.server.entries if entry.text in said]
    assert sorted(sent + ada.given_back) == sorted(said)
    for buffer in ada.chat.buffers:
        assert not buffer.pending
        ids = [entry.key[0] for entry in buffer.shown() if isinstance(entry, Said)]
        if ids:  # from the first that is loaded on, everything of the conversation is there
            everything = [entry.id for entry in ada.server.entries if entry.conv == buffer.conv and entry.id >= ids[0]]
            assert ids == everything


def _take(ada: Talk, step: str, place: str, text: str, said: list[str]) -> None:
    if step in ("say", "whisper", "close"):
        _do(ada, step, place, text, said)
    elif step in ("cut", "lose", "get") and ada.line is not None:
        if step == "lose":  # what was asked last arrives, its answer does not
            ada.line.receive(ada.chat.protocol.data_to_send())
        if step == "get":
            ada.exchange()
        else:
            ada.disconnect()
    elif step == "connect" and ada.line is None:
        ada.connect()
    elif step == "older":
        ada.chat.load_older()
    elif step == "next":
        ada.chat.open_next(1)
    elif step == "join" and m.is_room(place):
        ada.chat.join(place)
    elif step == "hear":
        ada.server.say("bob", place if m.is_room(place) else "ada", text)


def _do(ada: Talk, step: str, place: str, text: str, said: list[str]) -> None:
    """What the client may refuse."""
    try:
        if step == "close":
            ada.chat.close(ada.chat.active)
            return
        if step == "say" or m.is_room(place):
            ada.chat.say(text, NOON)
        else:
            ada.chat.say_to(place, text, NOON)
        said.append(text)
    except WrongInput:
        pass


def test_a_lost_connection_is_told_once_where_the_user_looks() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.disconnected("here:1", "connection refused", NOON)
    ada.chat.expire(LATER)
    ada.chat.expire(LATER)
    said = f"not connected to here:1: the cable was pulled{GOES_ON}"
    assert notes(ada.chat.lobby) == [said]
    ada.connect()
    ada.disconnect()
    ada.chat.expire(LATER)
    assert notes(ada.chat.lobby) == [said, "connected again after 1 s", said]


def test_why_a_server_is_not_believed_is_told_once_where_the_user_looks() -> None:
    """Also where it was told already that there is no connection; and not twice to who looks at what the program says."""
    ada = talk()
    ada.chat.disconnected("here:1", "the server is stopping", NOON)
    ada.chat.expire(LATER)
    for _ in range(2):
        ada.chat.distrust("the key of here:1 has changed", NOON)
        ada.chat.disconnected("here:1", "the key of here:1 has changed", NOON)
    assert notes(ada.chat.lobby)[1:] == ["not connected: the key of here:1 has changed"]
    ada.disconnect()
    ada.connect()
    ada.chat.open(ada.chat.server)
    ada.chat.distrust("the key of here:1 has changed", NOON)
    ada.chat.disconnected("here:1", "the key of here:1 has changed", NOON)
    assert [said.partition(":")[0] for said in notes(ada.chat.server)[-2:]] == ["connected again as ada to here", "not connected"]


@pytest.mark.parametrize(
    ("ms", "lasting"), [(400, "1 s"), (12_400, "12 s"), (99_000, "99 s"), (150_000, "2 min"), (3 * 3_600_000, "3 h")]
)
def test_a_new_connection_is_told_with_how_long_there_was_none(ms: int, lasting: str) -> None:
    ada = talk()
    ada.chat.disconnected("here:1", "the cable was pulled", NOON - ms)
    ada.chat.expire(NOON - ms + 5_000)
    ada.disconnect()
    ada.connect()
    assert notes(ada.chat.lobby)[-1] == f"connected again after {lasting}"


def test_the_first_connection_is_told_where_one_had_to_wait_for_it() -> None:
    ada = Talk()
    ada.chat.disconnected("here:1", "connection refused", NOON - 2_000)
    ada.connect()
    assert notes(ada.chat.lobby)[-1] == "connected after 2 s"
    assert notes(talk().chat.lobby) == []


def test_after_a_break_only_real_changes_are_told() -> None:
    """The server was started anew: people come back one after the other."""
    server = ModelServer()
    bob, eve, old = (talk(name, server) for name in ("bob", "eve", "old"))
    ada = talk(server=server)
    for one in (ada, bob, eve, old):
        one.disconnect()
    eve.connect()
    talk("new", server)
    ada.connect()
    assert {*ada.chat.lobby.people} == {"ada", "eve", "new"}
    assert traffic(ada.chat.lobby) == [(("new",), ())]
    ada.chat.handle(m.Presence(m.LOBBY, {"joined": ["bob", "late"], "count": 5}), NOON)
    assert traffic(ada.chat.lobby) == [(("new", "late"), ())]
    wait = ada.chat.expire(NOON)
    assert wait is not None
    assert ada.chat.expire(NOON + wait) is None
    assert traffic(ada.chat.lobby) == [(("new", "late"), ("old",))]
    ada.chat.handle(m.Presence(m.LOBBY, {"left": ["bob"], "count": 4}), NOON)
    assert traffic(ada.chat.lobby) == [(("new", "late"), ("old", "bob"))]


def test_of_a_second_break_the_first_is_remembered() -> None:
    bob = talk("bob")
    ada = talk(server=bob.server)
    bob.disconnect()
    for _ in range(2):
        ada.disconnect()
        assert ada.chat.expire(NOON + AWAITED_MS) is None, "nobody is given up without a connection"
        ada.connect()
    ada.chat.handle(m.Presence(m.LOBBY, {"joined": ["bob"], "count": 2}), NOON)
    assert traffic(ada.chat.lobby) == []
    assert ada.chat.expire(NOON + AWAITED_MS) is None


def a_room_with_one_missing() -> Talk:
    """Ada and bob are back in #dev after a break, and cyd is not yet."""
    ada = talk()
    bob, cyd = (talk(name, ada.server) for name in ("bob", "cyd"))
    for one in (ada, bob, cyd):
        one.chat.join("#dev")
        one.exchange()
    ada.exchange()
    presence(ada, "#dev", joined=["bob", "cyd"], count=3)
    ada.disconnect()
    cyd.disconnect()
    ada.connect()
    assert {*ada.chat.active.people} == {"ada", "bob"}
    return ada


def test_who_is_in_a_whole_list_after_a_break_is_not_waited_for() -> None:
    ada = a_room_with_one_missing()
    presence(ada, "#dev", members=["ada", "bob", "cyd"], count=3)
    assert ada.chat.expire(NOON + AWAITED_MS) is None
    assert [entry for entry in traffic(ada.chat.active) if "cyd" in entry[1]] == []


def leave(ada: Talk) -> None:
    ada.chat.close(ada.chat.active)


def be_parted(ada: Talk) -> None:
    assert ada.line is not None
    ada.line.reply(m.Parted(0, "#dev"))


def be_shut_out(ada: Talk) -> None:
    ada.chat.handle(Welcomed("ada", "idada", "token", afresh=False, refused={"#dev": "room_full"}, cursor=0), NOON)


@pytest.mark.parametrize("go", [leave, be_parted, be_shut_out])
def test_who_left_after_a_break_and_comes_again_waits_for_nobody(go: Callable[[Talk], None]) -> None:
    ada = a_room_with_one_missing()
    go(ada)
    ada.exchange()
    assert ada.chat.expire(NOON) is None
    ada.chat.join("#dev")
    ada.exchange()
    assert {*ada.chat.active.people} == {"ada", "bob"}
    assert [entry for entry in traffic(ada.chat.active) if "bob" in entry[0]] == []


@pytest.mark.parametrize("distrusted", [False, True])
def test_that_there_is_a_connection_again_is_told_where_it_was_told_that_there_was_none(distrusted: bool) -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.disconnect()
    if distrusted:
        ada.chat.distrust("the key of here:1 has changed", NOON)
    ada.chat.expire(LATER)
    dev = ada.chat.active
    for looked_at in (ada.chat.server, ada.chat.lobby):
        ada.chat.open(looked_at)
    ada.connect()
    assert [notes(buffer)[-1:] for buffer in (dev, ada.chat.lobby)] == [["connected again after 1 s"]] * 2
    assert len(notes(dev)) == 2


# --- those who are not there ------------------------------------------------------------------------------------------


def nobody_answers(ada: Talk, draft: str = "") -> Buffer:
    """Opens the conversation with somebody whom the server does not know."""
    buffer = ada.chat.direct("bbo")
    ada.chat.open(buffer)
    buffer.draft = Draft(draft, len(draft))
    ada.chat.load_older()
    ada.chat.handle(RequestFailed(buffer.loading, "no_such_user", "nobody has such a name"), NOON)
    return buffer


NOBODY = "nobody goes by the name bbo at present; /list shows who is there, /part puts this away"


@pytest.mark.parametrize("draft", ["", "dear bob"])
def test_a_conversation_with_nobody_stays_for_what_is_typed_behind_it(draft: str) -> None:
    """Whether the answer comes before what is typed, or afterwards."""
    ada = talk()
    opened = nobody_answers(ada, draft)
    assert ada.chat.active is opened
    assert notes(opened) == [NOBODY]
    assert notes(ada.chat.lobby) == []
    ada.chat.close(opened)
    assert ada.chat.active is ada.chat.lobby


def test_a_message_to_nobody_is_refused_where_it_was_sent() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    dev = ada.chat.active
    ada.chat.say_to("bbo", "hello", NOON)
    opened = ada.chat.active
    ada.chat.load_older()
    (ref,), loading = opened.pending, opened.loading
    ada.chat.handle(SendFailed(ref, "bbo", "hello", "no_such_user", "nobody has such a name"), NOON)
    ada.chat.handle(RequestFailed(loading, "no_such_user", "nobody has such a name"), NOON)
    assert ada.chat.active is opened
    assert (texts(opened), notes(opened), notes(dev)) == (["hello"], [NOBODY], [])


def test_what_else_was_written_to_nobody_stays() -> None:
    ada = talk()
    for text in ("one", "two"):
        ada.chat.say_to("bbo", text, NOON)
    opened = ada.chat.active
    for ref in [*opened.pending]:
        ada.chat.handle(SendFailed(ref, "bbo", "", "no_such_user", "nobody has such a name"), NOON)
    assert ada.chat.active is opened
    assert texts(opened) == ["one", "two"]


def test_whoever_is_not_there_is_said_to_be_away_once() -> None:
    ada = talk()
    for text in ("hello?", "are you there?"):
        ada.chat.say_to("bob", text, NOON)
        assert not notes(ada.chat.active) or text != "hello?", "it is promised when it is true"
        ada.exchange()
    assert notes(ada.chat.active) == ["bob is not here now, and will see this when they come back"]
    ada.chat.handle(m.Presence("#lobby", {"joined": ["bob"], "count": 2}), NOON)
    ada.chat.say("at last", NOON)
    ada.exchange()
    ada.chat.handle(m.Presence("#lobby", {"left": ["bob"], "count": 1}), NOON)
    ada.chat.say("gone again", NOON)
    ada.exchange()
    assert len(notes(ada.chat.active)) == 2


def test_a_message_to_a_room_goes_there() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.chat.open(ada.chat.lobby)
    ada.chat.say_to("#dev", "hello", NOON)
    ada.exchange()
    assert ada.chat.active.title == "#dev"
    assert texts(ada.chat.active) == ["hello"]


# --- topics -----------------------------------------------------------------------------------------------------------


def topic_of(ada: Talk) -> str:
    return ada.chat.active.topic.text


def test_the_topic_of_a_room_is_known_from_joining_and_kept_up_to_date() -> None:
    server = ModelServer()
    server.say("bob", m.LOBBY, "tea", topic=True)
    ada = talk(server=server)
    assert ada.chat.lobby.topic[:3] == ("tea", "bob", 0)
    server.say("cyd", m.LOBBY, "milk", topic=True)
    ada.exchange()
    assert ada.chat.lobby.topic[:2] == ("milk", "cyd")
    assert [entry.topic for entry in ada.chat.lobby.entries if isinstance(entry, Said)] == [True]
    server.say("cyd", m.LOBBY, "", topic=True)
    ada.exchange()
    assert topic_of(ada) == ""


def test_topics_that_were_missed_are_history_and_the_last_one_holds() -> None:
    ada = talk()
    ada.disconnect()
    for text in ("tea", "milk", "coffee"):
        ada.server.say("bob", m.LOBBY, text, topic=True)
    ada.line = ada.server.connect()
    ada.chat.protocol.connected()
    ada.line.receive(ada.chat.protocol.data_to_send())
    seen = []
    for byte in bytes(ada.line.out):
        for event in ada.chat.protocol.receive(bytes([byte])):
            ada.chat.handle(event, NOON)
            seen.append(topic_of(ada))
    assert seen[0] == ""
    assert {*seen[1:]} == {"coffee"}
    assert texts(ada.chat.lobby) == ["tea", "milk", "coffee"]


def test_earlier_topics_that_are_loaded_change_nothing() -> None:
    server = ModelServer()
    for text in ("tea", "milk"):
        server.say("bob", m.LOBBY, text, topic=True)
    ada = talk(server=server)
    ada.chat.load_older()
    ada.exchange()
    assert texts(ada.chat.lobby) == ["tea", "milk"]
    assert topic_of(ada) == "milk"


def test_another_log_has_other_topics() -> None:
    ada = talk()
    for number in range(5):
        ada.server.say("bob", m.LOBBY, f"topic {number}", topic=True)
    ada.exchange()
    ada.disconnect()
    ada.server = ModelServer("log-2")
    ada.connect()
    assert topic_of(ada) == ""
    ada.server.say("bob", m.LOBBY, "new", topic=True)
    ada.exchange()
    assert topic_of(ada) == "new"


def test_a_topic_is_no_mention_and_alerts_nobody() -> None:
    ada = talk()
    ada.chat.join("#dev")
    ada.exchange()
    ada.server.say("bob", m.LOBBY, "ada: look here", topic=True)
    ada.exchange()
    assert (ada.chat.lobby.unread, ada.chat.lobby.mentions, ada.chat.arrived) == (0, 0, [])
    assert [entry.mentioned for entry in ada.chat.lobby.entries if isinstance(entry, Said)] == [""]


def test_the_topic_of_who_is_ignored_is_the_room_s_all_the_same() -> None:
    ada = talk()
    ada.chat.ignore("bob")
    ada.server.say("bob", m.LOBBY, "tea", topic=True)
    ada.exchange()
    assert topic_of(ada) == "tea"
    assert texts(ada.chat.lobby) == []


def test_a_topic_waits_like_a_message_while_there_is_no_connection() -> None:
    ada = talk()
    ada.disconnect()
    ada.chat.set_topic("tea :tada:", NOON)
    (said,) = [entry for entry in ada.chat.lobby.shown() if isinstance(entry, Said)]
    assert (said.topic, said.delivery, topic_of(ada)) == (True, Delivery.PENDING, "")
    ada.connect()
    assert deliveries(ada.chat.lobby) == [Delivery.COMMITTED]
    assert topic_of(ada) == "tea 🎉"
    assert [(entry.text, entry.topic) for entry in ada.server.entries] == [("tea 🎉", True)]


def test_a_topic_that_is_refused_says_why() -> None:
    ada = talk()
    ada.server.failing = Code.STORAGE_FULL
    ada.chat.set_topic("tea", NOON)
    ada.exchange()
    assert topic_of(ada) == ""
    assert deliveries(ada.chat.lobby) == [Delivery.PENDING]
    assert notes(ada.chat.lobby)[-1].startswith("your message waits: ")
