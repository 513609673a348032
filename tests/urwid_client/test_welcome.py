from __future__ import annotations

import pytest

from urwid_client.editing import Draft
from urwid_client.welcome import Question, Welcome, parse_server


def write(welcome: Welcome, text: str) -> bool:
    welcome.editor.load(Draft(text, len(text)))
    return welcome.answer()


def test_a_name_and_then_a_server() -> None:
    welcome = Welcome(server="127.0.0.1:65432", ask_server=True)
    assert (welcome.question.value, welcome.editor.text) == ("Your name: ", "")
    assert not write(welcome, " ada ")
    assert (welcome.question.value, welcome.editor.text) == ("Server: ", "127.0.0.1:65432")
    assert write(welcome, "chat.example.org")
    assert (welcome.name, welcome.server) == ("ada", "chat.example.org:65432")


def test_a_name_alone_where_the_server_is_known() -> None:
    welcome = Welcome("ada", "host:1", problem="it is taken")
    assert (welcome.problem, welcome.editor.draft) == ("it is taken", Draft("ada", 3))
    assert write(welcome, "eve")
    assert (welcome.name, welcome.server, welcome.problem) == ("eve", "host:1", "")


def test_wrong_answers_are_explained_and_stay() -> None:
    welcome = Welcome(ask_server=True)
    assert not write(welcome, "two words")
    assert "without spaces" in welcome.problem
    assert welcome.editor.text == "two words"
    write(welcome, "ada")
    assert (welcome.question, welcome.problem) == (Question.SERVER, "")
    assert not write(welcome, "host:port")
    assert welcome.problem.startswith("a server is a host name")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("host", ("host", 65432)),
        (" host:7 ", ("host", 7)),
        ("127.0.0.1:7", ("127.0.0.1", 7)),
        ("::1", ("::1", 65432)),
        ("[::1]:7", ("::1", 7)),
        ("[::1]", ("::1", 65432)),
    ],
)
def test_servers(text: str, place: tuple[str, int]) -> None:
    assert parse_server(text) == place


@pytest.mark.parametrize("text", ["", ":7", "host:", "host:0", "host:65536", "host:x", "two words", "host:٣", "a\x1bb"])
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_server(text)
