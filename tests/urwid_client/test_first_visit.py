"""urwid_client.first_visit with a real server beside it; the answers come from a file in the place of the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Made, make
from tests.urwid_client.tls_listener import Recorder, recording
from urwid_client.errors import Failed
from urwid_client.first_visit import introduce
from urwid_client.pins import Pins
from urwid_client.settings import ClientSettings
from urwid_client.trust import Unsafe, Wishes

MADE = make()
TLS = Wishes(tls=True)


@contextlib.contextmanager
def beside(made: Made) -> Iterator[Recorder]:
    """A server in a thread of its own."""
    recorder = Recorder(made)
    ready, done = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with recording(recorder):
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield recorder
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def visit(port: int, directory: Path, answer: str, monkeypatch: pytest.MonkeyPatch, wishes: Wishes = TLS) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    introduce(ClientSettings("127.0.0.1", port, "ada", None, directory, wishes))


@pytest.mark.parametrize("answer", ["yes\n", " Yes \n", "y", f"{MADE.fingerprint}\n"])
def test_a_server_that_is_believed_is_not_asked_about_again(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with beside(MADE) as server:
        visit(server.port, tmp_path, answer, monkeypatch)
        assert f"\n  {MADE.fingerprint}\n" in capsys.readouterr().out
        assert Pins(tmp_path).find(f"127.0.0.1:{server.port}") == MADE.fingerprint
        visit(server.port, tmp_path, "", monkeypatch)
        assert capsys.readouterr().out == ""
        assert server.heard == b""


@pytest.mark.parametrize("answer", ["", "\n", "no\n", "SHA256:" + "A" * 43 + "\n"])
def test_anything_else_is_a_no(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with beside(MADE) as server:
        with pytest.raises(Failed, match=r"^127.0.0.1:\d+ was not visited, since its key may be another's$"):
            visit(server.port, tmp_path, answer, monkeypatch)
        assert Pins(tmp_path).find(f"127.0.0.1:{server.port}") is None
        assert server.heard == b""


@pytest.mark.parametrize(
    "wishes", [Wishes(), Wishes(tls=False), Wishes(tls=True, accept_new=True), Wishes(fingerprint=MADE.fingerprint)]
)
def test_nothing_is_asked_where_the_answer_is_known(wishes: Wishes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is not even a server."""
    visit(1, tmp_path, "", monkeypatch, wishes)


def test_a_server_that_is_not_there_is_the_screen_s_business(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visit(1, tmp_path, "", monkeypatch)


def test_one_that_must_not_be_used_is_told_before_the_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "servers.json").write_text("damaged")
    with pytest.raises(Unsafe, match="is damaged"):
        visit(1, tmp_path, "", monkeypatch)
