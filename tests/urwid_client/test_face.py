from __future__ import annotations

import cProfile

from tests.urwid_client.talk import Talk, talk
from urwid_client.buffers import Buffer, Kind, Said
from urwid_client.completion import Suggestion, Words
from urwid_client.composer import Composer
from urwid_client.face import Face
from urwid_client.keys import Action, KeyMap
from urwid_client.welcome import Welcome


def face(ada: Talk, composer: Composer | None = None) -> Face:
    return Face(ada.chat, composer or Composer(Words), KeyMap({}))


def shown(of: Face, welcome: Welcome | None = None, cols: int = 80) -> str:
    of.refresh(welcome, None, "host:1", 0.0)
    return "\n".join(row.decode().rstrip() for row in of.screen.render((cols, 24)).text)


def test_what_is_asked_stands_in_the_place_of_the_chat() -> None:
    of = face(talk())
    assert "#lobby" not in shown(of, Welcome(server="host:1"))
    assert shown(of, Welcome(server="host:1")).endswith("Your name:")
    assert "#lobby  1 person" in shown(of)


def test_an_empty_conversation_says_so_once_it_is_known_to_be() -> None:
    ada = talk()
    of, said = face(ada), "nothing to read here yet; Enter"
    assert said not in shown(of)
    ada.chat.load_older()
    ada.exchange()
    assert said in shown(of)
    ada.chat.say("hello", 0)
    assert said not in shown(of)
    ada.exchange()
    ada.chat.lobby.clear(by_user=True)
    assert said not in shown(of), "it is not empty, the user wanted to see nothing of it"


def test_the_help_stays_open_until_it_is_closed() -> None:
    of = face(talk())
    of.toggle_help()
    assert "Commands" in shown(of)
    assert of.scrolled is of.help
    of.turn_to_active()
    assert "Commands" not in shown(of)


def test_what_is_written_decides_what_stands_beside_it() -> None:
    commands = (Suggestion("/msg", "write to one person"), Suggestion("/me", "say what you do"))
    composer = Composer(lambda: Words(commands=commands))
    of = face(talk(), composer)
    composer.write("/")
    composer.write("m")
    assert "/msg  write to one person" in shown(of)
    composer.do(Action.INTERRUPT)
    for character in "/msg bob":
        composer.write(character)
    assert "/msg NAME TEXT: write to one person" in shown(of)
    composer.do(Action.INTERRUPT)
    for key in ("begin paste", "a", "enter", "b", "end paste"):
        composer.paste(key)
    assert "2 lines were pasted" in shown(of)
    composer.do(Action.CLOSE)
    composer.do(Action.SEARCH_INPUT)
    composer.write("q")
    assert shown(of).endswith("failing search q:")


def test_at_40_columns_every_key_that_answers_can_be_read() -> None:
    composer = Composer(Words)
    of = face(talk(), composer)
    for key in ("begin paste", *"a longer line", "enter", *"b", "end paste"):
        composer.paste(key)
    assert "Enter puts them in, Esc drops them\n" in shown(of, cols=40)
    composer.do(Action.CLOSE)
    composer.do(Action.INTERRUPT)
    assert "Ctrl+C again or Enter leaves" in shown(of, cols=40)
    composer.do(Action.CLOSE)
    composer.do(Action.SEARCH_INPUT)
    assert "Enter takes, Esc ends, Ctrl+R earlier\n" in shown(of, cols=40)
    of.finder.begin()
    assert "Enter goes earlier, ↓ later, Esc ends\n" in shown(of, cols=40)


def test_a_search_in_the_messages_has_the_line_and_ends_with_its_conversation() -> None:
    ada = talk()
    ada.server.say("bob", "#lobby", "the needle")
    ada.exchange()
    composer = Composer(Words)
    composer.write("d")
    of = face(ada, composer)
    shown(of)
    of.finder.begin()
    for character in "Needle":
        of.finder.write(character)
    assert shown(of).endswith("Esc ends\nfind: Needle")
    ada.chat.open(ada.chat.server)
    of.turn_to_active()
    assert shown(of).endswith("> d")


def test_where_there_is_no_room_for_all_that_is_unread_elsewhere_one_is_told_first_where_one_is_meant() -> None:
    ada = talk()
    for number, mentions in enumerate((0, 1)):
        buffer = ada.chat.add(Buffer(Kind.ROOM, f"#long-name-{number}"))
        buffer.unread, buffer.mentions = 1, mentions
    assert "#long-name-1" in shown(face(ada), cols=50)


def test_what_is_written_can_be_shown_without_what_came_meanwhile() -> None:
    ada, composer = talk(), Composer(Words)
    of = face(ada, composer)
    shown(of)
    ada.chat.lobby.add(Said((1, 0), 1_000, "bob", "came meanwhile", own=False))
    composer.write("x")
    of.screen.body_stays = True
    assert shown(of).endswith("> x")
    assert "came meanwhile" not in shown(of)
    composer.do(Action.NEWLINE)  # there is less room for the rest now
    assert "came meanwhile" in shown(of)
    ada.chat.lobby.add(Said((2, 0), 1_000, "bob", "and then this", own=False))
    of.screen.body_stays = False
    assert "and then this" in shown(of)


def calls_for_a_key(messages: int) -> int:
    """How many functions are called until a key is on the screen, in a conversation that one has scrolled up in."""
    ada = talk()
    for number in range(1, messages + 1):
        ada.chat.lobby.add(Said((number, 0), number * 1_000, f"past{number % 9}", f"said once, number {number}", own=False))
    composer = Composer(Words)
    of = face(ada, composer)
    shown(of)
    of.screen.messages.page(1)
    for key in "ab":
        composer.write(key)
        shown(of)
    composer.write("c")
    profile = cProfile.Profile()
    profile.runcall(shown, of)
    return sum(entry.callcount for entry in profile.getstats())


def test_what_a_key_costs_does_not_grow_with_the_conversation() -> None:
    few, many = calls_for_a_key(1_000), calls_for_a_key(30_000)
    assert many < few * 1.1
