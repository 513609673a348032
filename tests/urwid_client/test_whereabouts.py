from __future__ import annotations

import fcntl
import threading
import time
from pathlib import Path

import pytest

from common.invitations import Invitation
from tests.support.timeouts import seconds
from tests.urwid_client.talk import Talk, talk
from urwid_client import table_file
from urwid_client.completion import Words
from urwid_client.composer import Composer
from urwid_client.editing import Draft
from urwid_client.memory import FILE, Memory
from urwid_client.settings import ClientSettings
from urwid_client.trust import Wishes
from urwid_client.whereabouts import Whereabouts


def here(directory: Path, name: str | None = None, server: str | None = None) -> Whereabouts:
    host, _, port = (server or "127.0.0.1:65432").partition(":")
    settings = ClientSettings(host, int(port), name, None, directory, server_given=server is not None)
    return Whereabouts(settings, told.append)


told: list[str] = []


def remembered(directory: Path, name: str, server: str, talk: Talk | None = None) -> None:
    where = here(directory, name, server)
    where.remember((talk or globals()["talk"](name)).chat, Composer(Words))


def test_at_the_first_start_both_are_asked(tmp_path: Path) -> None:
    question = here(tmp_path).question()
    assert question is not None
    assert question.asks_server
    where = here(tmp_path, server="host:1")
    question = where.question()
    assert question is not None
    assert not question.asks_server
    question.name = "ada"
    where.answer(question)
    assert (where.settings.name, where.settings.server) == ("ada", "host:1")


def test_later_it_is_as_it_was(tmp_path: Path) -> None:
    remembered(tmp_path, "eve", "one:1")
    remembered(tmp_path, "ada", "two:2")
    for where, name, server in (
        (here(tmp_path), "ada", "two:2"),
        (here(tmp_path, "bob"), "bob", "two:2"),
        (here(tmp_path, server="one:1"), "eve", "one:1"),
    ):
        assert where.question() is None
        assert (where.settings.name, where.settings.server) == (name, server)
    assert here(tmp_path, server="three:3").question() is not None


def test_elsewhere_one_has_the_name_that_one_had_there_or_has_here(tmp_path: Path) -> None:
    remembered(tmp_path, "bob", "three:3")
    where = here(tmp_path, "ada", "one:1")
    where.remember(talk().chat, Composer(Words))
    there = where.elsewhere(Invitation("two", 2))
    assert (there.name, there.server) == ("ada", "two:2")
    there = where.elsewhere(Invitation("three", 3))
    assert (there.name, there.server) == ("bob", "three:3")
    where.go_by("eve")
    assert where.elsewhere(Invitation("two", 2)).name == "eve"


def test_a_server_is_the_same_however_it_is_spelled(tmp_path: Path) -> None:
    remembered(tmp_path, "ada", "LocalHost:1")
    assert here(tmp_path, server="LOCALHOST:1").settings.name == "ada"
    assert here(tmp_path, server="127.0.0.1:1").settings.name == "ada"
    assert here(tmp_path, "ada", "localhost:1").elsewhere(Invitation("LOCALHOST", 1)).server == "localhost:1"
    remembered(tmp_path, "bob", "two:2")
    assert here(tmp_path).elsewhere(Invitation("127.0.0.1", 1)).name == "ada"


def test_the_room_of_the_command_line_is_gone_into_once(tmp_path: Path) -> None:
    """Where a server demands to be spoken to encrypted one goes on where one is, and not where one began."""
    where = Whereabouts(ClientSettings("127.0.0.1", 1, "ada", "#ops", tmp_path), told.append)
    rooms = []
    for chat in (Talk().chat, talk().chat):
        where.remember(chat, Composer(Words))
        encrypted = where.encrypted()
        assert encrypted is not None
        rooms.append(encrypted.room)
    assert rooms == ["#ops", None]


KEY = "SHA256:" + "A" * 43


def test_what_was_wished_of_the_encryption_holds_for_the_server_that_the_run_begins_with(tmp_path: Path) -> None:
    insecure = ClientSettings("127.0.0.1", 1, "ada", "#ops", tmp_path, Wishes(tls=False))
    where = Whereabouts(insecure, told.append)
    assert where.elsewhere(Invitation("two", 2)).wishes == Wishes()
    there = where.elsewhere(Invitation("two", 2, "#dev", KEY))
    assert (there.room, there.wishes) == ("#dev", Wishes(fingerprint=KEY))


def test_that_all_is_to_be_encrypted_holds_wherever_one_goes(tmp_path: Path) -> None:
    """Who refused a server's key is asked for another server, and may name the same one."""
    careful = ClientSettings("127.0.0.1", 1, "ada", None, tmp_path, Wishes(tls=True, fingerprint=KEY, accept_new=True))
    where = Whereabouts(careful, told.append)
    assert where.elsewhere(Invitation("127.0.0.1", 1)).wishes == Wishes(tls=True)
    assert where.elsewhere(Invitation("two", 2, "#dev", KEY)).wishes == Wishes(tls=True, fingerprint=KEY)


@pytest.mark.parametrize(
    ("place", "room", "wishes"),
    [
        (Invitation("two", 2), "#ops", Wishes(tls=False)),
        (Invitation("two", 2, "#dev", KEY), "#dev", Wishes(fingerprint=KEY)),
    ],
)
def test_the_answer_may_be_an_invitation(tmp_path: Path, place: Invitation, room: str, wishes: Wishes) -> None:
    """The key that it names is the one that the server must have: plain text would show none."""
    where = Whereabouts(ClientSettings("127.0.0.1", 1, None, "#ops", tmp_path, Wishes(tls=False), False), told.append)
    question = where.question()
    assert question is not None
    question.name, question.place = "ada", place
    where.answer(question)
    assert where.settings == ClientSettings("two", 2, "ada", room, tmp_path, wishes)


def test_an_address_of_ipv6_is_remembered_as_well(tmp_path: Path) -> None:
    where = Whereabouts(ClientSettings("::1", 7, "ada", None, tmp_path), told.append)
    where.remember(talk().chat, Composer(Words))
    again = here(tmp_path).settings
    assert (again.host, again.port, again.name) == ("::1", 7, "ada")


def test_what_cannot_be_written_now_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails once may be another client that has the file for a moment; nobody waits for it, but at the end."""
    monkeypatch.setattr(table_file, "_LOCK_SECONDS", seconds(10))
    told.clear()
    where, ada, composer = here(tmp_path, "ada", "one:1"), talk(), Composer(Words)
    where.enter(ada.chat, composer)
    with (tmp_path / "memory.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ada.chat.active.draft = Draft("a draft")
        began = time.monotonic()
        where.remember(ada.chat, composer)
        assert time.monotonic() - began < table_file._LOCK_SECONDS / 2
        assert (told, "in use by another client" in where.problem) == ([], True)
        for _ in range(2):
            where.remember(ada.chat, composer)
        assert len(told) == 1
    where.remember(ada.chat, composer)
    assert where.problem == ""
    assert "a draft" in (tmp_path / FILE).read_text()
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    ada.chat.active.draft = Draft("another")
    for _ in range(3):
        where.remember(ada.chat, composer)
    assert len(told) == 2, "it could be written in between"


def test_what_could_not_be_read_at_the_start_is_not_overwritten(tmp_path: Path) -> None:
    ada = talk()
    ada.chat.active.draft = Draft("a draft")
    remembered(tmp_path, "ada", "one:1", ada)
    kept = (tmp_path / FILE).read_text()
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    told.clear()
    where, offline = here(tmp_path, "ada", "one:1"), Talk()
    where.enter(offline.chat, Composer(Words))
    assert len(told) == 1
    (tmp_path / FILE).rmdir()
    (tmp_path / FILE).write_text(kept)
    bob = offline.chat.direct("bob")
    bob.draft = Draft("another")
    where.remember(offline.chat, Composer(Words))
    place = Memory(tmp_path).find("one:1", "ada")
    assert {told["title"]: told["draft"] for told in place["conversations"]} == {"#lobby": "a draft", "bob": "another"}
    assert (place["identity"], place["cursor"]) == ("idada", ada.chat.protocol.cursor)


def test_the_last_time_another_client_is_waited_for(tmp_path: Path) -> None:
    where, ada = here(tmp_path, "ada", "one:1"), talk()
    with (tmp_path / "memory.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        threading.Timer(0.1, lambda: fcntl.flock(held, fcntl.LOCK_UN)).start()
        where.remember(ada.chat, Composer(Words), last=True)
    assert where.problem == ""
    assert (tmp_path / FILE).exists()


def test_without_memory_one_goes_on_and_is_told_once(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    told.clear()
    where = here(tmp_path, "ada", "one:1")
    where.enter(talk().chat, Composer(Words))
    for _ in range(3):
        where.remember(talk().chat, Composer(Words))
    assert len(told) == 1
    assert "damaged" in told[0]
    assert (tmp_path / FILE).read_text() == "{"
