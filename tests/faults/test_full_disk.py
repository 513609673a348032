"""A full disk: whoever sends is told, all else goes on, nothing acknowledged is lost; with room again, sending works again."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from common import messages as m
from common.errors import Code
from common.log_file import FILE_NAME
from tests.faults.broken import broken
from tests.faults.disk import texts
from tests.support.groups import rounds
from tests.support.server import SCRIPTS, Server, running_server
from tests.support.timeouts import seconds, wait_until
from tests.support.tools import need, skip_without
from tests.support.wire import Wire

DISK_KIB = rounds(4, 64) * 1024
LEFT_KIB = 400
TEXT_KIB = 12


def test_a_full_disk_is_told_and_heals(tmp_path: Path) -> None:
    full_disk(tmp_path, rounds(2, 50))


def test_something_is_lost_where_a_failed_commit_is_taken_for_done(tmp_path: Path) -> None:
    with broken("takes_failed_commits_for_done"), pytest.raises(AssertionError, match="storage_full is told"):
        full_disk(tmp_path, 1)


def test_it_shows_when_nobody_is_let_in_meanwhile(tmp_path: Path) -> None:
    with broken("lets_nobody_in_without_a_disk"), pytest.raises(AssertionError, match="storage_full"):
        full_disk(tmp_path, 1)


def test_it_shows_when_it_does_not_heal(tmp_path: Path) -> None:
    with broken("never_heals"), pytest.raises(AssertionError, match="once there is room, but storage_full"):
        full_disk(tmp_path, 1, patience=1)


def test_it_is_told_for_as_long_as_it_is_full(tmp_path: Path) -> None:
    """Also after whoever wrote has given up: what is stored of people still fits in, and says nothing about messages."""
    with small_disk(tmp_path / "data") as data, running_server(data) as server:
        with Wire(server.host, server.port) as ada:
            ada.hello("ada", rooms=["#dev"])
            filler = fill(data)
            assert until_refused(ada, [], 0) is not None
        with Wire(server.host, server.port) as bob:
            bob.hello("bob", rooms=["#dev"])
            time.sleep(seconds(3))
            assert "messages are refused: the disk with the log" in server.log.read_text()
            assert "messages are taken again" not in server.log.read_text()
            assert server.status()["trouble"].endswith("is full: make room")
            filler.unlink()
            wait_until(lambda: "messages are taken again" in server.log.read_text(), "it is said that messages are taken again")
            assert server.status()["trouble"] is None
            assert again(bob, m.Send(m.make_ref(1, 1), "#dev", "there we are", {})) is None
        assert server.log.read_text().count("messages are refused") == 1


def full_disk(scratch: Path, times: int, patience: float = 3) -> None:
    """Fills the disk under a server, so many times, and makes room again."""
    with small_disk(scratch / "data") as data:
        with ExitStack() as stack:
            server = stack.enter_context(running_server(data))
            ada, bob = (stack.enter_context(Wire(server.host, server.port)) for _ in range(2))
            ada.hello("ada", rooms=["#dev"])
            bob.hello("bob", rooms=["#dev"])
            said: list[str] = []
            for time_ in range(times):
                fill_up(server, ada, bob, said, time_, patience)
        assert texts(data / FILE_NAME) == said
        subprocess.run(
            [SCRIPTS / "chat-broker", "check", "--data-dir", data], check=True, stdout=subprocess.DEVNULL, timeout=seconds(10)
        )


@contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    path.mkdir()
    mount = [need("mount"), "-t", "tmpfs", "-o", f"size={DISK_KIB}k,mode=700", "tmpfs", str(path)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        skip_without("tmpfs", done.stderr.strip())
    try:
        yield path
    finally:
        subprocess.run([need("umount"), "--lazy", str(path)], check=True)


def fill_up(server: Server, ada: Wire, bob: Wire, said: list[str], time_: int, patience: float) -> None:
    filler = fill(server.data_dir)
    refused = until_refused(ada, said, time_)
    assert refused is not None, "storage_full is told before more is taken than the disk holds"
    assert len(refused.text) > 1000
    others_go_on(server, bob, time_)
    topic = until_topic_refused(ada, bob, said, time_)
    ada.send(refused)
    assert answer(ada, refused.ref) == Code.STORAGE_FULL
    filler.unlink()
    began = time.monotonic()
    while isinstance(said_now := again(ada, refused), str):
        assert time.monotonic() - began < seconds(patience), f"sending works again once there is room, but {said_now}"
    assert again(ada, topic) is None
    said += refused.text, topic.text
    assert bob_hears_all(bob, topic.ref)
    assert topic_told(bob) == topic.text


def fill(data_dir: Path) -> Path:
    """Leaves little room on the disk; the file that takes the rest."""
    filler = data_dir / "filler"
    with filler.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(64 * 1024)):
                pass
        file.truncate(file.tell() - LEFT_KIB * 1024)
    return filler


def until_topic_refused(ada: Wire, bob: Wire, said: list[str], time_: int) -> m.Send:
    """The same with topics, which are short. What was refused is not told to be the topic."""
    topic = next((text for text in reversed(said) if text.startswith("topic")), None)
    for number in itertools.count(1):
        send = m.Send(m.make_ref(1000 + time_, number), "#dev", f"topic {time_} {number} ".ljust(900, "x"), {"topic": True})
        if (told := again(ada, send)) is not None:
            assert told == Code.STORAGE_FULL
            assert topic_told(bob) == topic
            return send
        topic = send.text
        said.append(topic)
    raise AssertionError


def topic_told(bob: Wire) -> str | None:
    """What the room is about, as who joins it is told."""
    bob.send(m.Join(3, "#dev", {}))
    topic: str | None = bob.expect(m.Joined).options.get("topic")
    return topic


def until_refused(ada: Wire, said: list[str], time_: int) -> m.Send | None:
    """Says long things until the disk is full: the one that was refused."""
    for number in range(DISK_KIB // TEXT_KIB):
        send = m.Send(m.make_ref(1 + time_, 1 + number), "#dev", f"{time_} {number} ".ljust(TEXT_KIB * 1024, "x"), {})
        ada.send(send)
        if (told := answer(ada, send.ref)) is not None:
            assert told == Code.STORAGE_FULL
            return send
        said.append(send.text)
    return None


def answer(wire: Wire, ref: int) -> str | None:
    """None if it was acknowledged, otherwise the error's code."""
    while True:
        match wire.receive():
            case m.Msg(ref=heard) if heard == ref:
                return None
            case m.Error(ref=heard, code=code) if heard == ref:
                return code
            case None:
                raise AssertionError("the server closed")


def again(wire: Wire, send: m.Send) -> str | None:
    wire.send(send)
    return answer(wire, send.ref)


def others_go_on(server: Server, bob: Wire, time_: int) -> None:
    """Names and rooms need no disk, and neither does reading."""
    room = f"#room{time_}"
    with Wire(server.host, server.port) as eve:
        eve.hello(f"eve{time_}", rooms=[room])
        bob.send(m.Join(1, room, {}))
        while bob.expect(m.Joined).room != room:
            pass
        bob.send(m.History(2, "#dev", {"limit": 5}))
        assert len(bob.expect(m.Page).rows) == 5
        stranger = m.Hello(1, m.VERSION, f"eve{time_}", {})
        with Wire(server.host, server.port) as other:
            other.send(stranger)
            assert answer(other, 1) == Code.NAME_TAKEN


def bob_hears_all(bob: Wire, ref: int) -> bool:
    while bob.expect(m.Msg).ref != ref:
        pass
    return True
