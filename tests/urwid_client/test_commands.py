from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import messages as m
from common.invitations import Invitation
from tests.urwid_client.talk import NOON, Talk, notes, talk, texts
from urwid_client import commands
from urwid_client.commands import COMMANDS
from urwid_client.errors import TooLong, WrongInput


def enter(ada: Talk, *lines: str) -> None:
    for line in lines:
        commands.enter(ada.chat, line, NOON)
        ada.exchange()


def wrong(ada: Talk, line: str) -> str:
    """What the user is told about a line that cannot be done. Nothing of it may reach the server."""
    with pytest.raises(WrongInput) as told:
        commands.enter(ada.chat, line, NOON)
    assert ada.exchange() == []
    return str(told.value)


def test_a_text_is_sent_to_where_one_is() -> None:
    ada = talk()
    enter(ada, "hello")
    assert [(entry.to, entry.text) for entry in ada.server.entries] == [(m.LOBBY, "hello")]


def test_two_slashes_send_one() -> None:
    ada = talk()
    enter(ada, "//usr/bin is a path")
    assert texts(ada.chat.lobby) == ["/usr/bin is a path"]


@pytest.mark.parametrize("line", ["", "   ", "\n"])
def test_nothing_is_not_sent(line: str) -> None:
    ada = talk()
    enter(ada, line)
    assert ada.server.entries == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/unknown", "there is no command /unknown (/help lists them); //… sends a text that begins with a slash"),
        ("/lsit", "there is no command /lsit (did you mean /list?); //… sends a text that begins with a slash"),
        ("/", "there is no command / (/help lists them); //… sends a text that begins with a slash"),
        ("/\x00", "there is no command / (/help lists them); //… sends a text that begins with a slash"),
        ("/usr/bin/env", "there is no command /usr/bin/env (/help lists them); //… sends a text that begins with a slash"),
        ("/msg", "usage: /msg NAME TEXT"),
        ("/msg bob", "usage: /msg NAME TEXT"),
        ("/msg bob   ", "usage: /msg NAME TEXT"),
        ("/query", "usage: /query NAME"),
        ("/join", "usage: /join #ROOM"),
        ("/list everybody", "usage: /list"),
        ("/join #" + "x" * 10_000, "a room's name has at most 50 characters"),
        ("/msg #dev hello", "you are not in #dev; /join #dev"),
        ("/part #nowhere", "you are not in #nowhere; /join #nowhere"),
        ("/part #dev bye", "a room's name is # and then letters, digits or _ - . [ ] { } ^ | `, without spaces"),
        ("/help nothing", "there is no command nothing; /help lists them"),
    ],
)
def test_what_cannot_be_done_is_explained_and_never_sent(line: str, told: str | None) -> None:
    said = wrong(talk(), line)
    assert "\n" not in said
    assert len(said) < 200
    if told is not None:
        assert said == told


@given(st.text(st.characters(codec="utf-8"), max_size=30).filter(lambda text: not text.startswith("/")))
def test_no_line_with_one_slash_is_ever_sent_as_it_is(text: str) -> None:
    ada = talk()
    try:
        commands.enter(ada.chat, "/" + text, NOON)
    except WrongInput:
        pass
    ada.exchange()
    assert all(not entry.text.startswith("/") for entry in ada.server.entries)


def test_a_message_to_one_person() -> None:
    ada = talk()
    enter(ada, "/msg bob  two words ", "/W bob more")
    assert [(entry.to, entry.text) for entry in ada.server.entries] == [("bob", "two words"), ("bob", "more")]
    assert ada.chat.active.title == "bob"


def test_somebody_may_be_named_as_in_a_text() -> None:
    ada = talk()
    enter(ada, "/msg @bob hello", "/ignore @eve")
    assert [(entry.to, entry.text) for entry in ada.server.entries] == [("bob", "hello")]
    assert list(ada.chat.ignored.values()) == ["eve"]


def test_opening_a_conversation_says_nothing() -> None:
    ada = talk()
    enter(ada, "/query bob")
    assert ada.chat.active.title == "bob"
    assert ada.server.entries == []


def test_into_a_room_and_out_again() -> None:
    ada = talk()
    enter(ada, "/join dev")
    assert ada.chat.active.title == "#dev"
    enter(ada, "/part")
    assert ada.chat.active.title == m.LOBBY
    enter(ada, "/join #dev", "/join #ops", "/leave #dev")
    assert [buffer.title for buffer in ada.chat.buffers] == ["server", m.LOBBY, "#ops"]


def test_a_conversation_is_put_away() -> None:
    ada = talk()
    enter(ada, "/query bob", "/part")
    assert [buffer.title for buffer in ada.chat.buffers] == ["server", m.LOBBY]


def test_lists() -> None:
    ada = talk()
    talk("bob", ada.server)
    enter(ada, "/list", "/rooms", "/join #dev", "/names")
    assert notes(ada.chat.lobby) == ["2 people in #lobby: ada, bob", "1 room: #lobby (2)"]
    assert notes(ada.chat.active) == ["1 person in #dev: ada"]


def test_names_are_those_of_a_room() -> None:
    ada = talk()
    enter(ada, "/query bob")
    assert wrong(ada, "/names") == "this is not a room; /list shows everybody who is there"


def test_joining_without_a_connection_says_when() -> None:
    ada = Talk()
    commands.enter(ada.chat, "/join dev", NOON)
    assert notes(ada.chat.active) == ["you are not connected; #dev is joined as soon as you are"]


def test_clearing_and_leaving() -> None:
    ada = talk()
    enter(ada, "hello", "/clear")
    assert texts(ada.chat.lobby) == []
    assert commands.enter(ada.chat, "/exit", NOON) == commands.Quit()
    assert commands.enter(ada.chat, "/quit bye", NOON) == commands.Quit()


def test_the_help_is_made_from_the_table() -> None:
    ada = talk()
    enter(ada, "/help")
    (text,) = notes(ada.chat.lobby)
    for command in COMMANDS:
        assert f"{command.usage}: {command.help}" in text
        assert all(f"/{alias}" in text for alias in command.aliases)


def test_the_help_for_one_command() -> None:
    ada = talk()
    enter(ada, "/help /w", "/help quit")
    assert notes(ada.chat.lobby) == [
        "/msg NAME TEXT: write to one person; nobody else sees it (also /w)",
        "/quit [TEXT]: leave; nobody is told the text (also /exit)",
    ]


def test_names_and_aliases_are_unambiguous() -> None:
    everything = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(set(everything)) == len(everything)
    assert all(re.fullmatch("[a-z]+", name) for name in everything)
    assert {suggestion.word for suggestion in commands.SUGGESTIONS} == {f"/{name}" for name in everything}


def test_the_usage_is_told_while_the_arguments_are_written() -> None:
    assert commands.usage("/msg bo") == "/msg NAME TEXT: write to one person; nobody else sees it"
    assert [commands.usage(line) for line in ("/msg", "msg bob", "/unknown x", "")] == [""] * 4


@pytest.mark.parametrize(
    ("line", "wish"),
    [
        ("/set", commands.Set(None, None)),
        ("/set theme", commands.Set("theme", None)),
        ("/set theme  dark", commands.Set("theme", "dark")),
        ("/set keys.send ctrl s, enter", commands.Set("keys.send", "ctrl s, enter")),
        ("/nick eve", commands.Rename("eve")),
        ("/connect", commands.ListServers()),
        ("/connect chat://host:7/dev", commands.Connect(Invitation("host", 7, "#dev"))),
        ("/connect chat.example.org", commands.Connect(Invitation("chat.example.org"))),
        ("/open", commands.Open(1)),
        ("/open 3", commands.Open(3)),
    ],
)
def test_what_the_program_has_to_do(line: str, wish: commands.Wish) -> None:
    assert commands.enter(talk().chat, line, NOON) == wish


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/nick two words", "a name is letters"),
        ("/nick root", "reserved"),
        ("/connect host:99999", "a server is a host name"),
        ("/connect chat://", "an invitation is written"),
        ("/open x", "usage: /open"),
        ("/ignore ada", "that is you"),
        ("/ignore a b", "a name is letters"),
        ("/unignore bob", "you do not ignore bob"),
    ],
)
def test_what_the_program_cannot_do(line: str, told: str) -> None:
    assert told in wrong(talk(), line)


def test_what_one_does() -> None:
    ada = talk()
    enter(ada, "/me waves")
    assert texts(ada.chat.lobby) == ["/me waves"]


def test_ignoring_and_its_end_are_told() -> None:
    ada = talk()
    enter(ada, "/ignore", "/ignore bob", "/ignore", "/unignore BOB")
    assert [text.partition(";")[0] for text in notes(ada.chat.lobby)] == [
        "you ignore nobody",
        "you ignore bob",
        "you ignore bob",
        "you do not ignore BOB any more",
    ]
    assert ada.chat.ignored == {}


def test_where_is_told_what_somebody_wrote_who_was_ignored() -> None:
    """A conversation that they began meanwhile was not opened."""
    ada = talk()
    enter(ada, "/ignore bob", "/unignore bob")
    assert notes(ada.chat.lobby)[-1].endswith("; /query bob shows what they wrote to you alone")
    ada.chat.direct("bob")
    enter(ada, "/ignore bob", "/unignore bob")
    assert notes(ada.chat.lobby)[-1] == "you do not ignore bob any more"


def test_being_away_and_back() -> None:
    ada = talk()
    enter(ada, "/away at  lunch")
    assert ada.server.away == {"ada": "at lunch"}
    enter(ada, "/away", "/back")
    assert notes(ada.chat.lobby) == [
        "you are away: at lunch; /back ends it",
        "you are away; /back ends it",
        "you are back",
    ]
    assert ada.server.away == {}


def test_who_somebody_is() -> None:
    ada = talk()
    enter(ada, "/whois bob")
    assert notes(ada.chat.lobby) == ["bob: nobody goes by this name"]


def test_a_topic_is_set_shown_and_cleared() -> None:
    ada = talk()
    enter(ada, "/topic")
    enter(ada, "/topic  tea at\tfive, see https://example.org/tea ")
    enter(ada, "/topic")
    enter(ada, "/topic -")
    enter(ada, "/topic")
    assert [(entry.text, entry.topic) for entry in ada.server.entries] == [
        ("tea at five, see https://example.org/tea", True),
        ("", True),
    ]
    none, told, none_again = notes(ada.chat.lobby)
    assert none == none_again == "#lobby has no topic; /topic TEXT sets one"
    assert re.fullmatch(
        r"the topic of #lobby, set by ada on 1 January 1970 at \d\d:\d\d: tea at five, see https://example.org/tea", told
    )


def test_the_topic_of_another_room_is_shown_and_not_set_here() -> None:
    ada = talk()
    enter(ada, "/join #dev", "/topic tea")
    ada.exchange()
    ada.chat.open(ada.chat.lobby)
    enter(ada, "/topic #Dev")
    assert len(ada.server.entries) == 1
    assert notes(ada.chat.lobby)[-1].startswith("the topic of #dev, set by ada ")


def test_where_there_is_no_topic_nobody_is_told_that_it_was_cleared() -> None:
    ada = talk()
    enter(ada, "/topic -")
    assert notes(ada.chat.lobby) == ["#lobby has no topic; /topic TEXT sets one"]
    assert ada.server.entries == []


def test_a_topic_is_cleared_as_people_are_used_to() -> None:
    ada = talk()
    enter(ada, "/topic tea", "/topic -delete")
    assert [entry.text for entry in ada.server.entries] == ["tea", ""]


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("\u200b", "nothing would be seen of this topic; /topic - clears it"),
        ("\u3164", "nothing would be seen of this topic; /topic - clears it"),
        ("x" * 1001, "this topic is 1 byte too long, the server takes 1,000: shorten it"),
        ("é" * 501, "this topic is 2 bytes too long, the server takes 1,000: shorten it"),
    ],
)
def test_a_topic_that_the_server_would_not_take_is_not_sent(topic: str, told: str) -> None:
    assert wrong(talk(), f"/topic {topic}") == told


def test_a_topic_that_is_too_long_is_the_user_s_again() -> None:
    with pytest.raises(TooLong):
        commands.enter(talk().chat, f"/topic {'x' * 1001}", NOON)


def test_only_rooms_have_a_topic() -> None:
    ada = talk()
    ada.chat.open(ada.chat.direct("bob"))
    for line in ("/topic", "/topic tea", "/topic -"):
        assert wrong(ada, line) == "this is not a room, so it has no topic"
    ada.chat.open(ada.chat.server)
    assert wrong(ada, "/topic tea") == "this is not a room, so it has no topic"
    ada.chat.open(ada.chat.lobby)
    ada.chat.lobby.joined = False
    assert wrong(ada, "/topic tea") == "you are not in #lobby; /join #lobby"
