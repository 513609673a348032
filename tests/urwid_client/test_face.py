from __future__ import annotations

from tests.urwid_client.talk import Talk, talk
from urwid_client.completion import Suggestion, Words
from urwid_client.composer import Composer
from urwid_client.face import Face
from urwid_client.keys import Action, KeyMap
from urwid_client.welcome import Welcome


def face(ada: Talk, composer: Composer | None = None) -> Face:
    return Face(ada.chat, composer or Composer(Words), KeyMap({}))


def shown(of: Face, welcome: Welcome | None = None) -> str:
    of.refresh(welcome, None, "host:1", 0.0)
    return "\n".join(row.decode().rstrip() for row in of.screen.render((80, 24)).text)


def test_what_is_asked_stands_in_the_place_of_the_chat() -> None:
    of = face(talk())
    assert "#lobby" not in shown(of, Welcome(server="host:1"))
    assert shown(of, Welcome(server="host:1")).endswith("Your name:")
    assert "#lobby  1 person" in shown(of)


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
    assert shown(of).endswith("search q:")
