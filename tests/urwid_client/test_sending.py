from __future__ import annotations

import pytest

from common import messages as m
from common.client_events import Acknowledged, SendDelayed, SendFailed
from common.client_protocol import ClientProtocol, Phase
from common.errors import Code
from common.framing import FrameDecoder
from common.limits import FRAME_BYTES, MEMBERS_SHOWN
from tests.support.frames import request_of
from tests.urwid_client.talk import NOON, notes, texts
from urwid_client.buffers import Delivery, Said
from urwid_client.errors import WrongInput
from urwid_client.sending import Lookup, Purpose, Sending


def sending() -> Sending:
    """Somebody who has not been connected yet."""
    return Sending(ClientProtocol("ada", instance=1))


def said(of: Sending) -> Said:
    (ref,) = of.pending_in
    return of.pending_in[ref].pending[ref]


def test_what_is_said_waits_until_the_server_has_it() -> None:
    ada = sending()
    ada.say("done :tada:\x1b[2J\n", NOON)
    assert (said(ada).text, said(ada).delivery) == ("done 🎉[2J", Delivery.PENDING)
    (ref,) = ada.pending_in
    ada.protocol.identity = "id-ada"
    ada.on_acknowledged(
        Acknowledged(ref, m.Msg(5, NOON, m.LOBBY, "ada", ref, "done 🎉[2J", {"conv": m.LOBBY, "from": "id-ada"})), NOON
    )
    assert texts(ada.lobby) == ["done 🎉[2J"]
    assert not ada.pending_in


def test_whether_somebody_is_away_is_asked_once_for_each_time() -> None:
    ada = sending()
    ada.protocol.phase = Phase.LIVE
    bob = ada.direct("bob")
    ada.open(bob)
    assert ada.is_away(bob) is None
    ada.lobby.set_people(["ada", "Bob"], 2, ["Bob"])
    assert ada.is_away(bob)
    for away in (["BOB"], [], ["Bob"]):
        ada.lobby.turn_people(away, [] if away else ["bob"])
        for _ in range(3):
            ada.say("hello", NOON)
    assert [*ada.lookups.values()] == [Lookup(bob, "bob", Purpose.AWAY)] * 2


def test_where_nobody_tells_who_is_away_it_is_asked_now_and_then() -> None:
    ada = sending()
    ada.protocol.phase = Phase.LIVE
    ada.open(ada.direct("bob"))
    ada.lobby.set_people(["ada", "bob"], 300)
    asked = []
    for minute in (0, 1, 9, 11, 12):
        ada.say("hello", NOON + minute * 60_000)
        asked.append(len(ada.lookups))
    assert asked == [1, 1, 1, 2, 2]
    ada.lobby.set_people(["ada"], 1)
    ada.open(ada.direct("cyd"))
    ada.say("hello", NOON)
    assert len(ada.lookups) == 2, "who is not here is not away"


def test_of_a_room_that_is_not_known_as_a_whole_nobody_is_told_away_or_not() -> None:
    ada = sending()
    ada.protocol.phase = Phase.LIVE
    bob = ada.direct("bob")
    ada.lobby.set_people(["ada", "bob"], 300, ["bob"])
    assert ada.is_away(bob) is None
    assert ada.is_away(ada.lobby) is None


def told_typing(of: Sending) -> list[tuple[str, m.Options]]:
    """What was told of it since the last time."""
    bodies, _ = FrameDecoder(FRAME_BYTES).feed(of.protocol.data_to_send())
    requests = map(request_of, bodies)
    return [(request.to, request.options) for request in requests if isinstance(request, m.Typing)]


def typing_in_lobby() -> Sending:
    """Somebody who is connected, and not alone."""
    ada = sending()
    ada.protocol.connected()
    ada.protocol.phase = Phase.LIVE
    ada.lobby.set_people(["ada", "bob"], 2)
    ada.protocol.data_to_send()
    return ada


def test_that_one_types_is_told_every_three_seconds_and_anew_after_a_message() -> None:
    ada = typing_in_lobby()
    for after in (0, 1_000, 2_999, 3_000, 5_000):
        ada.typed("hel", NOON + after)
    assert told_typing(ada) == [(m.LOBBY, {"conv": m.LOBBY})] * 2
    ada.say("hello", NOON + 5_100)
    ada.typed("a", NOON + 5_200)
    assert told_typing(ada) == [], "the server would not listen"
    ada.typed("ab", NOON + 6_100)
    ada.typed("abc", NOON + 6_200)
    assert len(told_typing(ada)) == 1
    ada.typed("ab", NOON - 3_600_000)
    assert len(told_typing(ada)) == 1, "the clock was set back"


@pytest.mark.parametrize("text", ["", "  \n", "/", "/msg bob psst", "/me waves"])
def test_commands_and_nothing_are_not_told(text: str) -> None:
    ada = typing_in_lobby()
    ada.typed(text, NOON)
    assert told_typing(ada) == []
    ada.typed("//" + text.removeprefix("/"), NOON)
    assert len(told_typing(ada)) == 1


def test_nobody_is_told_who_is_not_to_be() -> None:
    ada = typing_in_lobby()
    bob = ada.direct("bob")

    def is_told() -> bool:
        ada.active.typing_told = 0
        ada.typed("hello", NOON)
        return bool(told_typing(ada))

    assert is_told()
    for count in (1, MEMBERS_SHOWN + 1):
        ada.lobby.set_people(["ada"], count)
        assert not is_told()
    ada.lobby.set_people(["ada", "bob"], 2)
    ada.lobby.joined = False
    assert not is_told()
    ada.open(ada.server)
    assert not is_told()
    ada.open(bob)
    assert is_told()
    for barrier in ("ignored", "former", "absent", "typing"):
        ada.ignored = {"bob": "bob"} if barrier == "ignored" else {}
        bob.former = barrier == "former"
        ada.lobby.set_people(["ada"] if barrier == "absent" else ["ada", "bob"], 1 if barrier == "absent" else 2)
        ada.typing = barrier != "typing"
        assert not is_told(), barrier


def test_what_was_refused_stays_and_says_why() -> None:
    ada = sending()
    ada.say("hello", NOON)
    (ref,) = ada.pending_in
    ada.open(ada.server)
    ada.on_send_failed(SendFailed(ref, m.LOBBY, "hello", "too_long", "too long"), NOON)
    (entry,) = ada.lobby.entries
    assert isinstance(entry, Said)
    assert (entry.delivery, entry.problem) == (Delivery.FAILED, "too long")
    assert notes(ada.server) == ["a message to #lobby could not be sent: too long"]


def test_what_nobody_refused_is_still_to_be_said() -> None:
    """Somebody who is new to the server cannot repeat what another person may have said."""
    ada = sending()
    ada.say("hello", NOON)
    (ref,) = ada.pending_in
    ada.on_send_failed(SendFailed(ref, m.LOBBY, "hello", Code.BAD_TOKEN, "you are somebody new"), NOON)
    assert [entry.problem for entry in ada.lobby.pending.values()] == ["you are somebody new"]
    ada.say("hello", NOON)
    assert [entry.delivery for entry in ada.lobby.pending.values()] == [Delivery.PENDING]


def test_what_has_to_wait_is_told_once() -> None:
    ada = sending()
    ada.say("hello", NOON)
    (ref,) = ada.pending_in
    for _ in range(3):
        ada.on_send_delayed(SendDelayed(ref, "storage_full", "the disk is full"), NOON)
    assert len(notes(ada.lobby)) == 1


def test_where_nobody_would_read_it_nothing_is_sent() -> None:
    ada = sending()
    ada.open(ada.server)
    with pytest.raises(WrongInput, match="nobody would read this here"):
        ada.say("hello", NOON)
    ada.open(ada.lobby)
    with pytest.raises(WrongInput, match="7 bytes too long, the server takes 16,000"):
        ada.say("x" * 16_007, NOON)
    assert [ada.excess(text) for text in ("", "x" * 16_000, "é" * 8_005, ":tada: " * 3_000)] == [0, 0, 10, 0]
    assert not ada.protocol.outbox


def test_who_is_not_there_is_known_where_everybody_is() -> None:
    ada = sending()
    bob = ada.direct("Bob")
    assert ada.is_absent(bob) is None
    ada.protocol.phase = Phase.LIVE
    ada.lobby.set_people(["ada"], 1)
    assert ada.is_absent(bob) is True
    ada.lobby.set_people(["ada", "bob"], 2)
    assert ada.is_absent(bob) is False
    ada.lobby.set_people(["ada"], 700)
    assert ada.is_absent(bob) is None
    assert ada.is_absent(ada.lobby) is None
