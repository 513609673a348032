"""The program with a scripted screen in the place of the terminal; what a real terminal shows is tested in tests/terminal."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import urwid
from urwid.testing import ScriptedScreen

from common import messages as m
from common.errors import Code
from tests.support.model_server import ModelServer
from tests.support.timeouts import seconds
from tests.urwid_client.listener import Listener, free_port
from urwid_client import app, typists
from urwid_client.app import App
from urwid_client.preferences import Preferences
from urwid_client.settings import ClientSettings
from urwid_client.tokens import Tokens, TokensUnusable


class Waiting(ScriptedScreen):
    """Feeds a batch of keys only when the words that the batch waits for are on the screen; with a ! before them: are not."""

    def __init__(self, *batches: Sequence[object], waits: Sequence[str] = (), size: tuple[int, int] = (80, 24)) -> None:
        super().__init__(size=size, inputs=batches)  # type: ignore[arg-type]
        self.waits = [*waits, *[""] * (len(batches) + 1 - len(waits))]
        self.shown: list[str] = []
        """The screen as it was before each batch, and at the end."""

    def draw_screen(self, size: tuple[int, int], canvas: urwid.Canvas) -> None:
        wanted = self.waits[len(self.shown)]
        self.text = "\n".join(row.rstrip() for row in canvas.decoded_text)
        if wanted[1:] not in self.text if wanted.startswith("!") else wanted in self.text:
            super().draw_screen(size, canvas)

    def get_input(self, raw_keys: bool = False) -> tuple[list[object], list[int]]:  # type: ignore[override]
        self.shown.append(self.text)
        return super().get_input(True)  # type: ignore[return-value]


def settings(directory: Path, name: str | None = "ada", port: int = 1, room: str | None = None) -> ClientSettings:
    return ClientSettings("127.0.0.1", port, name, room, directory)


def run(
    screen: Waiting, given: ClientSettings, listener: Listener | None = None, likes: Mapping[str, object] | None = None
) -> list[str]:
    """Runs the program through the script; what was on the screen before each batch, and at the end."""
    run_app(screen, given, listener, likes)
    return screen.shown


def run_app(
    screen: Waiting, given: ClientSettings, listener: Listener | None = None, likes: Mapping[str, object] | None = None
) -> App:
    """The same; what there is to know afterwards."""
    loop = asyncio.new_event_loop()
    if listener is not None:
        loop.run_until_complete(listener.open())
        given = given._replace(port=listener.port)
    try:
        program = App(given, Preferences(likes or {}), loop, screen)
        program.run()
        assert not [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
    finally:
        if listener is not None:
            loop.run_until_complete(listener.close())
            loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
    return program


def prompt(shown: str) -> str:
    return shown.splitlines()[-1]


def test_the_first_screen_is_there_before_anything_is_tried(tmp_path: Path) -> None:
    (shown,) = run(Waiting(), settings(tmp_path))
    assert "connecting to 127.0.0.1:1" in shown
    assert "#lobby" in shown


def test_what_is_typed_is_sent_and_shown(tmp_path: Path) -> None:
    listener = Listener(ModelServer())
    screen = Waiting([*"hello", "enter"], [*"/quit"], waits=["● ada", "ada hello ", "/quit"])
    shown = run(screen, settings(tmp_path), listener)
    assert [entry.text for entry in listener.model.entries] == ["hello"]
    assert prompt(shown[1]) == ">"


def test_quitting_says_goodbye(tmp_path: Path) -> None:
    listener = Listener(ModelServer())
    run(Waiting([*"/quit", "enter"], waits=["● ada", "never"]), settings(tmp_path), listener)
    assert listener.goodbyes == 1


class Clinging(Listener):
    """It does not let go of who says goodbye, and wants to be spoken to encrypted."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = self._clients[writer] = self.model.connect()
        with contextlib.closing(writer), contextlib.suppress(asyncio.CancelledError):  # by the client's end, whose loop it is
            while data := await reader.read(65536):
                connection.receive(data)
                if isinstance(connection.requests[-1], m.Bye):
                    connection.out = bytearray(m.encode(m.Error(None, Code.TLS_REQUIRED, "encrypted, please")))
                self.deliver()


def test_who_leaves_is_not_led_back(tmp_path: Path) -> None:
    screen = Waiting(["ctrl c"] * 2, waits=["● ada", "never"])
    assert run_app(screen, settings(tmp_path), Clinging(ModelServer())).go_on is None


def test_a_name_is_asked_for_until_it_can_be_had(tmp_path: Path) -> None:
    model = ModelServer()
    model.taken.add("ada")
    screen = Waiting(
        [*"no name", "enter"],
        ["ctrl u", *"ada", "enter"],
        ["ctrl u", *"eve", "enter"],
        waits=["What name", "without spaces", "The name ada is taken. Pick another one.", "● eve"],
    )
    shown = run(screen, settings(tmp_path, name=None), Listener(model))
    assert prompt(shown[0]) == "Your name:"
    assert prompt(shown[1]) == "Your name: no name"
    assert prompt(shown[3]) == ">"


def test_a_paste_is_no_answer_before_enter_says_so(tmp_path: Path) -> None:
    screen = Waiting(
        ["begin paste", *"ada", "enter", "end paste", *"lovelace"],
        ["enter"],
        waits=["What name", "Your name: adalovelace", "● adalovelace"],
    )
    run(screen, settings(tmp_path, name=None), Listener(ModelServer()))


def test_who_writes_already_is_not_asked_for_a_name_in_their_line(tmp_path: Path) -> None:
    model = ModelServer()
    model.taken.add("ada")
    screen = Waiting(
        [*"half a "],
        [*"line", "enter"],
        [*"/nick eve", "enter"],
        waits=["connecting", "The name ada is taken", "half a line …", "● eve"],
    )
    run(screen, settings(tmp_path), Listener(model))
    assert [entry.text for entry in model.entries] == ["half a line"]


def test_a_name_that_cannot_be_had_changes_nothing(tmp_path: Path) -> None:
    model = ModelServer()
    model.taken.add("eve")
    screen = Waiting(
        [*"hello", "enter", *"/nick eve", "enter"],
        [*"still here", "enter"],
        [*"/nick ada", "enter"],
        waits=["● ada", "you are still ada", "ada hello", "you go by ada already"],
    )
    shown = run(screen, settings(tmp_path), Listener(model))
    assert "asking for eve …" in shown[1]
    assert "The name eve is taken" in shown[1]
    assert [entry.text for entry in model.entries] == ["hello", "still here"]
    assert len({entry.identity for entry in model.entries}) == 1


def test_only_the_name_that_was_wanted_last_is_asked_for(tmp_path: Path) -> None:
    listener = Listener(ModelServer())
    run(Waiting([*"/nick eve", "enter", *"/nick eva", "enter"], waits=["● ada", "● eva"]), settings(tmp_path), listener)
    assert Tokens(tmp_path).find(f"127.0.0.1:{listener.port}", "eva") is not None
    assert Tokens(tmp_path).find(f"127.0.0.1:{listener.port}", "eve") is None


def test_where_one_is_is_told_apart_from_where_one_can_go(tmp_path: Path) -> None:
    shown = run(Waiting([*"/connect", "enter"], waits=["● ada"]), settings(tmp_path), Listener(ModelServer()))
    assert "you are on 127.0.0.1" in shown[1]
    assert "/connect SERVER goes to another one" in shown[1]


def test_an_invitation_to_where_one_is_changes_nothing_and_says_so(tmp_path: Path) -> None:
    listener = Listener(ModelServer())
    listener.port = free_port()
    here = f"127.0.0.1:{listener.port}"
    already = f"you are on {here} already, as ada, and nothing had to be done"
    screen = Waiting(
        [*f"/connect chat://{here}/dev", "enter"],
        [*"/join #dev", "enter", *f"/connect chat://{here}/dev", "enter"],
        waits=["● ada", f"{already}; /join #dev goes into the room", already],
        size=(200, 40),
    )
    shown = run(screen, settings(tmp_path), listener)
    assert f"{already};" not in shown[-1]
    assert listener.accepted == 1


def test_by_another_name_of_this_machine_one_is_where_one_is(tmp_path: Path) -> None:
    listener = Listener(ModelServer())
    listener.port = free_port()
    said = f"you are on 127.0.0.1:{listener.port} already, as ada"
    run(
        Waiting([*f"/connect localhost:{listener.port}", "enter"], waits=["● ada", said], size=(200, 40)),
        settings(tmp_path),
        listener,
    )
    unnamed = settings(tmp_path, name=None)._replace(host="localhost")
    run(Waiting(waits=["● ada"]), unnamed, listener)


def test_the_server_that_one_is_on_stands_where_there_is_room_for_it(tmp_path: Path) -> None:
    listener = Listener(ModelServer())
    listener.port = free_port()
    for cols, shown in [(80, f"── ● ada on 127.0.0.1:{listener.port} "), (30, "── ● ada  ")]:
        run(Waiting(waits=[shown], size=(cols, 24)), settings(tmp_path), listener)


def test_a_server_that_never_answered_is_none_that_one_was_on(tmp_path: Path) -> None:
    """What leads elsewhere is told at once, and the mistyped one is not among those that one can go to afterwards."""
    listener = Listener(ModelServer())
    screen = Waiting(
        [*"/connect", "enter"],
        [*"/connect 127.0.0.1:1", "enter"],
        [*"/connect 127.0.0.1:2", "enter"],
        [*"half a line"],
        waits=[
            "/connect SERVER goes to another one",
            "has not answered yet",
            "is being tried already",
            "still trying 127.0.0.1:1",
        ],
        size=(300, 40),
    )
    shown = run(screen, settings(tmp_path))
    assert "you are" not in shown[-1]
    assert "127.0.0.1:1" in (tmp_path / "memory.json").read_text(), "what was being written is kept"
    shown = run(Waiting([*"/connect", "enter"], waits=["● ada", "you are on"]), settings(tmp_path), listener)
    assert "127.0.0.1:1 as" not in shown[1]


def test_by_another_name_one_is_who_one_was(tmp_path: Path) -> None:
    """What is on the way, what is being written and what is on the screen goes along; nobody is said to have left."""
    model = ModelServer()
    model.say("bob", "ada", "a word in private")
    screen = Waiting(
        [*"/join #dev", "enter", *"/msg bob hello", "enter", *"half a line", "meta 3", *"/nick eve", "enter"],
        [*"as eve", "enter"],
        ["meta 4"],
        ["meta 3", *"/nick ada", "enter"],
        waits=["● ada", "● eve", "eve as eve", "half a line", "● ada"],
    )
    shown = run(screen, settings(tmp_path), Listener(model))
    assert "you are eve now, and were ada" in shown[2]
    assert "ada left" not in "".join(shown)
    assert "ada hello" in shown[3]
    assert prompt(shown[3]) == "> half a line"
    assert "you are ada now, and were eve" in shown[4]
    own = [entry for entry in model.entries if entry.sender != "bob"]
    assert [(entry.sender, entry.identity, entry.text) for entry in own] == [
        ("ada", "idada", "hello"),
        ("eve", "idada", "as eve"),
    ]


def test_what_was_written_to_a_server_that_never_answered_is_kept(tmp_path: Path) -> None:
    run(Waiting([*"important", "enter"], waits=["trying again", "ada important"]), settings(tmp_path))
    (shown,) = run(Waiting(waits=["trying again"]), settings(tmp_path))
    assert prompt(shown) == "> important"
    run(Waiting(["ctrl u", *"changed"], waits=["trying again", "changed"]), settings(tmp_path))
    (shown,) = run(Waiting(waits=["trying again"]), settings(tmp_path))
    assert prompt(shown) == "> changed"


def test_a_server_that_never_answered_is_forgotten_where_nothing_was_written(tmp_path: Path) -> None:
    run(Waiting([*"/join #dev", "enter"], waits=["trying again", "#dev"]), settings(tmp_path))
    assert not (tmp_path / "memory.json").exists()


def test_without_a_connection_there_is_no_other_name(tmp_path: Path) -> None:
    shown = run(Waiting([*"/nick eve", "enter"], waits=["trying again"]), settings(tmp_path))
    assert "you are not connected; ask for another name" in shown[1]


@pytest.mark.parametrize("leaving", ["/quit", "/exit", "/quit bye"])
def test_one_can_leave_instead_of_naming_oneself(tmp_path: Path, leaving: str) -> None:
    run(Waiting([*"half", "ctrl c"], waits=["Your name:", "never"]), settings(tmp_path, name=None))
    run(Waiting([*leaving, "enter"], waits=["Your name:", "never"]), settings(tmp_path, name=None))


def test_the_first_start_asks_for_a_name_and_a_server_and_the_next_for_nothing(tmp_path: Path) -> None:
    listener, unsaid = Listener(ModelServer()), settings(tmp_path, name=None)._replace(server_given=False)
    screen = Waiting(
        [*"ada", "enter"],
        ["enter"],
        [*"/join #dev", "enter"],
        [*"a draft", "ctrl p"],
        [*"/quit", "enter"],
        waits=["Ctrl+C leaves", "Which server?", "● ada", "#dev  1 person", "#lobby  ", "never"],
    )
    shown = run(screen, unsaid, listener)
    assert prompt(shown[0]) == "Your name:"
    assert prompt(shown[1]) == f"Server: 127.0.0.1:{listener.port}"
    again = Waiting(["meta 3"], [*"x"], waits=["● ada", "#dev  1 person"])
    shown = run(again, unsaid, listener)
    assert prompt(shown[1]) == "> a draft"


def test_one_begins_where_one_was(tmp_path: Path) -> None:
    listener = Listener(ModelServer())
    run(
        Waiting([*"/join #dev", "enter"], [*"half a line"], waits=["● ada", "#dev  1 person", "half a line"]),
        settings(tmp_path),
        listener,
    )
    (shown,) = run(Waiting(waits=["● ada"]), settings(tmp_path), listener)
    assert prompt(shown) == "> half a line"


def test_what_is_being_written_is_on_the_disk_a_moment_after_the_last_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only now and then: the machine may be switched off."""
    monkeypatch.setattr(app, "_WRITTEN_SECONDS", 0.05)
    monkeypatch.setattr(typists, "EXPIRES_MS", 500)  # what is waited for here is another drawing
    kept: list[str] = []

    class Looks(Waiting):
        def draw_screen(self, size: tuple[int, int], canvas: urwid.Canvas) -> None:
            super().draw_screen(size, canvas)
            kept.append((tmp_path / "memory.json").read_text() if (tmp_path / "memory.json").exists() else "")

    screen = Looks([*"half a line"], [], waits=["bob is typing", "!is typing"])
    run(screen, settings(tmp_path), TellsOfTyping(ModelServer()))
    assert "half a line" not in kept[0]
    assert "half a line" in kept[-1]


class TellsOfTyping(Listener):
    """Says a moment after the beginning that somebody is typing."""

    async def open(self) -> None:
        await super().open()
        asyncio.get_running_loop().call_later(0.3, self.tell)

    def tell(self) -> None:
        for connection in self.model.connections:
            connection.reply(m.IsTyping(m.LOBBY, "bob", {"conv": m.LOBBY, "from": "idbob"}))
        self.deliver()


def test_a_draft_that_could_not_be_kept_is_told_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "memory.lock").mkdir()
    run(Waiting([*"half a line"], waits=["#lobby", "half a line"]), settings(tmp_path))
    assert "memory.lock: Is a directory; as long as that is so, rooms, drafts" in capsys.readouterr().err


def test_who_is_not_heard_of_any_more_is_shown_typing_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typists, "EXPIRES_MS", 200)
    began = time.monotonic()
    shown = run(Waiting(["f8"], [], waits=["bob is typing", "!is typing"]), settings(tmp_path), TellsOfTyping(ModelServer()))
    assert time.monotonic() - began < seconds(5), "not only with the next thing that happens"
    assert "bob is typing" in shown[0]
    assert "is typing" not in shown[1]


def test_drafts_belong_to_their_conversations(tmp_path: Path) -> None:
    screen = Waiting([*"for the lobby"], ["ctrl n"], [*"nothing", "meta 2"], ["meta 1"])
    shown = run(screen, settings(tmp_path))
    assert [prompt(text) for text in shown] == [">", "> for the lobby", ">", "> for the lobby", "> nothing"]


def test_keys_that_come_at_once_reach_what_the_first_of_them_opened(tmp_path: Path) -> None:
    shown = run(Waiting([*"one", "ctrl n", *"two", "ctrl p", *"three"], ["ctrl n"]), settings(tmp_path))
    assert [prompt(text) for text in shown] == [">", "> onethree", "> two"]


@pytest.mark.parametrize("command", ["", "/me "])
def test_what_is_too_long_stays_in_the_line(tmp_path: Path, command: str) -> None:
    model, text = ModelServer(), command + "x" * 15_999
    screen = Waiting(
        ["begin paste", *text, *"yyy", "end paste"],
        ["enter"],
        ["backspace", "backspace", "backspace", *["backspace"] * len(command), "enter"],
        [],
        waits=["● ada", "yyy", "parts", "!yyy"],
    )
    shown = run(screen, settings(tmp_path), Listener(model))
    assert ("2 bytes too long, the server takes 16,000" in shown[1]) == (not command)
    assert "yyy" in shown[2]
    assert [entry.text for entry in model.entries] == [text[: len(text) - len(command)]]


def test_a_paste_is_written_and_not_done(tmp_path: Path) -> None:
    screen = Waiting(["begin paste", *"/quit", "enter", "tab", "f1", "ctrl c", "ü"], ["end paste"], ["enter"])
    shown = run(screen, settings(tmp_path))
    assert shown[1].splitlines()[-1] == ">"
    assert "2 lines were pasted: /quit …" in shown[2]
    assert shown[3].splitlines()[-2:] == ["> /quit", "    ü"]


def test_ctrl_c_clears_and_then_offers_to_leave(tmp_path: Path) -> None:
    shown = run(Waiting([*"half", "ctrl c"], ["ctrl c"], ["x"], ["ctrl c", "ctrl y"]), settings(tmp_path))
    assert [prompt(text) for text in shown] == [">", ">", "> /quit", "> x", "> x"]
    assert "Ctrl+C again or Enter leaves" in shown[2]
    assert "again or" not in shown[3]


def test_ctrl_c_twice_leaves(tmp_path: Path) -> None:
    listener = Listener(ModelServer())
    run(Waiting(["ctrl c", "ctrl c"], waits=["● ada", "never"]), settings(tmp_path), listener)
    assert listener.goodbyes == 1


def test_a_paste_waits_in_its_conversation_and_one_can_write_on(tmp_path: Path) -> None:
    pasted = ["begin paste", *"one", "enter", *"two", "enter", "end paste"]
    screen = Waiting([*pasted], [*"three", "ctrl n"], ["ctrl p"], ["enter"])
    shown = run(screen, settings(tmp_path))
    assert ["2 lines were pasted" in text for text in shown] == [False, True, False, True, False]
    assert [prompt(text) for text in shown[2:4]] == [">", "> three"]
    assert shown[4].splitlines()[-2:] == ["two", "three"]


def test_what_is_told_of_keys_is_what_is_bound(tmp_path: Path) -> None:
    likes = {"keys.help": ["f2"], "keys.find": ["ctrl g"], "keys.undo": ["ctrl g"], "keys.close": ["f3"]}
    shown = run(Waiting([*"ada", "enter"], ["ctrl g"], waits=["F2 help"]), settings(tmp_path, name=None), likes=likes)
    assert "and F2 helps" in shown[0]
    assert "Ctrl+G is bound to keys.find and to" in shown[1]
    assert "F3 ends" in shown[2]


def test_escape_closes_the_help_and_nothing_else(tmp_path: Path) -> None:
    shown = run(Waiting([*"draft", "f1"], ["esc"], ["esc"]), settings(tmp_path))
    assert ["Commands" in text for text in shown] == [False, True, False, False]
    assert [prompt(text) for text in shown[1:]] == ["> draft"] * 3


def test_what_is_sent_can_be_seen_also_where_the_help_stood(tmp_path: Path) -> None:
    shown = run(Waiting(["f1"], [*"/who", "enter"], waits=["#lobby", "Esc closes this", "no command /who"]), settings(tmp_path))
    assert "Esc closes this" not in shown[2]


def test_the_help_scrolls_and_the_messages_do_not(tmp_path: Path) -> None:
    shown = run(Waiting(["f1"], ["page down"], ["page up"], ["f1"]), settings(tmp_path))
    assert ["Esc closes this" in text for text in shown] == [False, True, False, True, False]


def test_what_was_written_before_comes_back(tmp_path: Path) -> None:
    script = Waiting([*"one", "enter", *"two", "enter", *"new"], ["up"], ["up"], ["up", "down", "down"])
    shown = run(script, settings(tmp_path))
    assert [prompt(text) for text in shown] == [">", "> new", "> two", "> one", "> new"]


def test_within_a_message_of_several_lines_the_arrows_move(tmp_path: Path) -> None:
    shown = run(Waiting([*"one", "meta enter", *"two"], ["up", "X"]), settings(tmp_path))
    assert shown[2].splitlines()[-2:] == ["> oneX", "two"]


def test_the_lists_at_the_sides_can_be_hidden(tmp_path: Path) -> None:
    shown = run(Waiting(["f7"], ["f7"]), settings(tmp_path))
    assert ["1 server" in text for text in shown] == [True, False, True]


def test_the_wheel_scrolls_and_a_click_opens_a_conversation(tmp_path: Path) -> None:
    model = ModelServer()
    for number in range(60):
        model.say("bob", "#lobby", f"message {number:02}")
    screen = Waiting(
        [("mouse press", 4, 40, 10)] * 9,
        [("mouse press", 5, 40, 10), ("mouse release", 0, 40, 10)],
        [("mouse press", 1, 3, 1), ("mouse release", 0, 3, 1)],
        waits=["message 59"],
    )
    shown = run(screen, settings(tmp_path), Listener(model))
    assert ["message 32" in text for text in shown] == [False, True, True, False]
    assert ["message 12" in text for text in shown] == [False, True, False, False]
    assert "server  not encrypted (on this machine), connected to 127.0.0.1:" in shown[3]


def test_wrong_input_is_explained(tmp_path: Path) -> None:
    shown = run(Waiting([*"/lsit", "enter"]), settings(tmp_path))
    assert "did you mean /list?" in shown[1]
    assert prompt(shown[1]) == ">"


def test_a_room_from_the_command_line_is_opened(tmp_path: Path) -> None:
    (shown,) = run(Waiting(waits=["#dev  1 person"]), settings(tmp_path, room="#dev"), Listener(ModelServer()))
    assert "3 #dev" in shown


def test_that_the_server_does_not_know_one_any_more_is_told(tmp_path: Path) -> None:
    listener = Listener(ModelServer())
    run(Waiting(waits=["● ada"]), settings(tmp_path), listener)
    listener.model = ModelServer("log-2", realm="@two")
    (shown,) = run(Waiting(waits=["you go on as somebody new"], size=(300, 40)), settings(tmp_path), listener)
    assert "does not know who you were" in shown


def test_tokens_that_cannot_be_used_end_it(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text("{")
    with pytest.raises(TokensUnusable, match="damaged"):
        run(Waiting(waits=["never"]), settings(tmp_path))


def test_no_server_is_told_with_the_seconds_to_the_next_attempt(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    (shown,) = run(Waiting(waits=["trying again in"]), settings(tmp_path, port=port))
    assert "s: connection refused" in shown
