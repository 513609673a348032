from __future__ import annotations

import pytest

from common.invitations import Invitation
from urwid_client.editing import Draft
from urwid_client.welcome import Question, Welcome


def write(welcome: Welcome, text: str) -> bool:
    welcome.editor.load(Draft(text, len(text)))
    return welcome.answer()


def test_a_name_and_then_a_server() -> None:
    welcome = Welcome(server="127.0.0.1:65432", ask_server=True)
    assert (welcome.question.value, welcome.editor.text) == ("Your name: ", "")
    assert not write(welcome, " ada ")
    assert (welcome.question.value, welcome.editor.text) == ("Server: ", "127.0.0.1:65432")
    assert write(welcome, "chat.example.org")
    assert (welcome.name, welcome.place) == ("ada", Invitation("chat.example.org"))


def test_a_name_alone_where_the_server_is_known() -> None:
    welcome = Welcome("ada", "host:1", problem="it is taken")
    assert (welcome.problem, welcome.editor.draft) == ("it is taken", Draft("ada", 3))
    assert write(welcome, "eve")
    assert (welcome.name, welcome.place, welcome.problem) == ("eve", None, "")


def test_wrong_answers_are_explained_and_stay() -> None:
    welcome = Welcome(ask_server=True)
    assert not write(welcome, "two words")
    assert "without spaces" in welcome.problem
    assert welcome.editor.text == "two words"
    write(welcome, "ada")
    assert (welcome.question, welcome.problem) == (Question.SERVER, "")
    assert not write(welcome, "host:port")
    assert welcome.problem.startswith("a server is a host name")


def test_what_is_pasted_is_written_on_one_line_and_not_answered_with() -> None:
    welcome = Welcome()
    for key in ("begin paste", *"ada", "enter", *"b"):
        welcome.paste(key)
    assert welcome.pasting
    welcome.paste("end paste")
    assert (welcome.pasting, welcome.editor.text, welcome.name) == (False, "ada b", "")


def test_the_server_may_be_an_invitation() -> None:
    welcome = Welcome("ada", "127.0.0.1:65432", ask_server=True)
    welcome.answer()
    assert not write(welcome, "chat://host:port/")
    assert "cannot be understood" in welcome.problem
    assert write(welcome, f"chat://host/dev?fp={KEY}")
    assert welcome.place == Invitation("host", 65432, "#dev", KEY)


KEY, OTHER_KEY = f"SHA256:{'A' * 43}", f"SHA256:{'B' * 42}A"


@pytest.mark.parametrize("answer", ["yes", " Yes ", "y", KEY, KEY + "="])
def test_a_key_is_believed_at_the_user_s_word(answer: str) -> None:
    welcome = Welcome(server="host:1", fingerprint=KEY)
    assert (welcome.question, welcome.editor.text) == (Question.KEY, "")
    assert write(welcome, answer)


@pytest.mark.parametrize("answer", ["", "nope", "SHA256:", "SHA256:" + "B" * 42])
def test_neither_yes_nor_no_is_asked_again(answer: str) -> None:
    welcome = Welcome(server="host:1", fingerprint=KEY)
    assert not write(welcome, answer)
    assert "neither yes nor no" in welcome.problem
    assert welcome.editor.text == ""
    assert not welcome.refused


def test_who_was_told_another_key_does_not_go_on() -> None:
    welcome = Welcome(server="host:1", fingerprint=KEY)
    for answer in (OTHER_KEY, "yes"):
        assert not write(welcome, answer)
        assert "THIS IS ANOTHER KEY" in welcome.problem
    assert write(welcome, KEY), "it was the wrong one of several"


@pytest.mark.parametrize("answer", ["no", " N "])
def test_who_refuses_a_key_goes_back_or_is_asked_for_another_server(answer: str) -> None:
    there = Welcome(server="host:1", fingerprint=KEY, came_from="home:1")
    assert write(there, answer)
    assert there.refused
    first = Welcome(server="host:1", fingerprint=KEY)
    assert not write(first, answer)
    assert (first.question, first.editor.text, first.refused) == (Question.SERVER, "host:1", True)
    assert write(first, "other:2")
    assert first.place == Invitation("other", 2)
