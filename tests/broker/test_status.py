"""broker.status: what is told of which answers."""

from __future__ import annotations

import pytest

from broker.roles import ACCEPTOR, BROKER, Key
from broker.status import Inquiry, as_text, summary

ONE, TWO = Key("worker", 1), Key("worker", 2)
FRAME = {"version": "0.1.0", "address": "127.0.0.1:65432", "data_dir": "/data", "uptime": 3725.5, "supervisor": 10}


def inquiry() -> Inquiry:
    return Inquiry({BROKER: 11, TWO: 13, ONE: 12, ACCEPTOR: 14}, deadline=1.0)


def complete() -> Inquiry:
    asked = inquiry()
    asked.answer(ONE, {"connections": 3, "lagging": 1, "slowest_behind": 1_200})
    asked.answer(TWO, {"connections": 1, "lagging": 0, "slowest_behind": 0})
    asked.answer(ACCEPTOR, {"accepted": 20})
    asked.answer(BROKER, {"users": 6, "rooms": 2, "messages": 54_321, "workers": [{"number": 2, "behind": 35}]})
    return asked


def test_everybody_answered() -> None:
    assert complete().silent == []
    assert summary(complete()) == {
        "acceptor": 14,
        "broker": 11,
        "workers": [12, 13],
        "connections": 4,
        "users": 6,
        "rooms": 2,
        "messages": 54_321,
        "trouble": None,
        "accepted": 20,
        "per_worker": [
            {"number": 1, "pid": 12, "connections": 3, "lagging": 1, "slowest_behind": 1_200},
            {"number": 2, "pid": 13, "connections": 1, "lagging": 0, "slowest_behind": 0, "behind": 35},
        ],
        "silent": [],
    }


def test_nobody_answered() -> None:
    told = summary(inquiry())
    assert (told["connections"], told["users"], told["rooms"], told["messages"]) == (None,) * 4
    assert told["silent"] == ["broker", "worker 2", "worker 1", "acceptor"]


def test_who_was_not_asked_is_not_heard() -> None:
    asked = Inquiry({ONE: 12}, deadline=1.0)
    asked.answer(TWO, {"connections": 4})
    told = summary(asked)
    assert (told["broker"], told["acceptor"], told["workers"], told["connections"]) == (None, None, [12], None)


def test_for_people() -> None:
    assert (
        as_text(FRAME | summary(complete()))
        == """\
chat-broker 0.1.0 on 127.0.0.1:65432, up 1 h 2 min

  data         /data
  connections  4
  users        6
  rooms        2
  messages     54,321

  supervisor   pid 10
  acceptor     pid 14
  broker       pid 11
  worker 1     pid 12, 3 connections, 1 of them behind (by up to 1,200 messages)
  worker 2     pid 13, 1 connection, 35 messages behind"""
    )


def test_for_people_when_something_is_wrong() -> None:
    text = as_text(FRAME | summary(Inquiry({ONE: 12}, deadline=1.0)))
    assert "  users        ?\n" in text
    assert "  broker       down\n" in text
    assert text.endswith("  worker 1     pid 12\n\n  no answer    worker 1")


def test_that_messages_are_refused_is_told_first() -> None:
    asked = complete()
    asked.answer(BROKER, {"users": 6, "trouble": "the disk is full: make room"})
    told = summary(asked)
    assert told["trouble"] == "the disk is full: make room"
    assert ", up 1 h 2 min\n\nmessages are refused: the disk is full: make room\n\n  data  " in as_text(FRAME | told)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3600, "1 h 0 min"), (90_061, "1 d 1 h"), (8_640_000, "100 d 0 h")],
)
def test_how_long_it_is_up(seconds: float, text: str) -> None:
    assert f", up {text}\n" in as_text(FRAME | {"uptime": seconds} | summary(inquiry()))


def test_how_others_get_in_is_told_where_there_is_encryption() -> None:
    told = FRAME | summary(complete()) | {"fingerprint": "SHA256:x", "invitation": "chat://host:5/?fp=SHA256:x"}
    assert (
        "\n\n  fingerprint  SHA256:x\n  invitation   chat-client 'chat://host:5/?fp=SHA256:x'\n  data         /data\n"
        in as_text(told)
    )
