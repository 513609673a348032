"""A damaged log is found by `chat-broker check`, is never started on where it matters, and is never changed.

How each kind of damage is told is in tests/broker/storage; here it is the commands as people run them, on what servers left.
"""

from __future__ import annotations

import random
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from broker.storage.wal import frames
from common import messages as m
from common.log_file import FILE_NAME
from tests.faults.broken import broken
from tests.faults.disk import texts
from tests.support.groups import rounds
from tests.support.logs import contents, copy
from tests.support.seeds import seeded
from tests.support.server import SCRIPTS, running_server
from tests.support.timeouts import seconds
from tests.support.wire import Wire

WAL = f"{FILE_NAME}-wal"
SEAL = f"{FILE_NAME}.seal"
SAID = 320
IN_THE_FILE = 240
"""So many of the messages stood in the file when the server was killed, the others in the write-ahead log."""

AT_ONCE = 5
"""The messages of one transaction, at most."""
LAST_TRANSACTIONS = 12 * 4120
"""More bytes of the write-ahead log than the last of them has: damage there looks like a crash."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a server that was stopped in good order."""
    data = tmp_path_factory.mktemp("stopped") / "data"
    with running_server(data) as server:
        talk(server.host, server.port, 1, SAID)
    return data


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a server that was killed, with much in its write-ahead log;"""
    data = tmp_path_factory.mktemp("killed") / "data"
    with running_server(data) as server:
        talk(server.host, server.port, 1, IN_THE_FILE)
    with broken("never_tidies_up"), running_server(data) as server:
        talk(server.host, server.port, IN_THE_FILE + 1, SAID)
        server.kill()
    (data / "status.sock").unlink()
    return data


def talk(host: str, port: int, first: int, last: int) -> None:
    """Says these messages, one after the other in the log, a few in each transaction."""
    with Wire(host, port) as wire:
        wire.hello(f"ada{first}")
        for start in range(first, last + 1, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, last + 1))
            wire.send(*(m.Send(m.make_ref(1, number), m.LOBBY, f"message {number} of {SAID}", {}) for number in numbers))
            for _ in numbers:
                wire.expect(m.Msg)


# --- finding it --------------------------------------------------------------------------------------------------------


def test_every_damaged_file_is_found(stopped: Path, killed: Path, tmp_path: Path) -> None:
    chance = seeded()
    assert check(stopped) == check(killed) == []
    for number in range(rounds(4, 100)):
        everywhere(stopped, tmp_path / f"stopped{number}", chance)
        in_what_was_said(killed, tmp_path / f"killed{number}", chance, chance.choice([FILE_NAME, WAL]))


def test_what_was_said_is_not_safe_where_the_chain_is_not_followed(killed: Path, tmp_path: Path) -> None:
    chance = seeded()
    with broken("does_not_follow_the_chain"), pytest.raises(AssertionError, match="is not found"):
        in_what_was_said(killed, tmp_path / "damaged", chance, FILE_NAME)


def everywhere(source: Path, target: Path, chance: random.Random) -> None:
    """One bit anywhere, or a cut anywhere."""
    path = copy(source, target) / FILE_NAME
    data = path.read_bytes()
    at = chance.randrange(len(data))
    path.write_bytes(flipped(data, at, chance) if chance.random() < 0.7 else data[:at])
    assert check(target), f"damage at {at} is not found"


def in_what_was_said(source: Path, target: Path, chance: random.Random, file_name: str) -> None:
    """One bit in a message: nothing of the structure, which SQLite itself looks at."""
    path = copy(source, target) / file_name
    data = path.read_bytes()
    if file_name == WAL:
        places = [found.start() for found in re.finditer(rb"message \d+ of %d" % SAID, data[:-LAST_TRANSACTIONS])]
    else:  # the first of them are on a page that has no newer version in the write-ahead log
        places = [found.start() for found in re.finditer(rb"message \d of %d" % SAID, data)]
    at = chance.choice(places)
    path.write_bytes(flipped(data, at + chance.randrange(7), chance))
    assert check(target), f"damage of {path.name} at {at} is not found"


def flipped(data: bytes, at: int, chance: random.Random) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def check(data: Path) -> list[str]:
    """What `chat-broker check` says of it, and that it changes nothing."""
    before = contents(data)
    done = subprocess.run(
        [SCRIPTS / "chat-broker", "check", "--data-dir", data], capture_output=True, text=True, timeout=seconds(20), check=False
    )
    assert contents(data) == before
    assert "Traceback" not in done.stderr
    told = (done.stdout + done.stderr).splitlines()
    assert told
    assert done.returncode in (0, 1)
    return told if done.returncode else []


# --- starting on it ----------------------------------------------------------------------------------------------------


def start_on_damage(stopped: Path, tmp_path: Path, where: str) -> None:
    chance = seeded()
    for number in range(rounds(1, 50)):
        path = copy(stopped, tmp_path / str(number)) / FILE_NAME
        data = path.read_bytes()
        wanted = rb"CREATE TABLE \w+" if where == "schema" else rb"message %d of" % chance.randint(SAID - 50, SAID)
        places = [found.start() for found in re.finditer(wanted, data)]
        path.write_bytes(flipped(data, chance.choice(places) + 8, chance))
        before = contents(path.parent)
        said = rf"ended with 1:\nchat-broker: the log \S+{FILE_NAME} is damaged \(.*\): put"
        with pytest.raises(AssertionError, match=said), running_server(path.parent):
            pass
        assert contents(path.parent) == before


@pytest.mark.parametrize("where", ["schema", "newest"])
def test_a_server_does_not_start_on_it(stopped: Path, tmp_path: Path, where: str) -> None:
    start_on_damage(stopped, tmp_path, where)


def test_it_shows_when_it_does(stopped: Path, tmp_path: Path) -> None:
    with broken("starts_on_damage"), pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        start_on_damage(stopped, tmp_path, "newest")


def test_a_write_ahead_log_cut_at_its_tail_is_a_crash_before_the_commit(killed: Path, tmp_path: Path) -> None:
    """That cannot be told apart, and so it is neither found nor refused: what was complete before the cut is there."""
    chance = seeded()
    whole = (killed / WAL).read_bytes()
    for number in range(rounds(2, 50)):
        data = copy(killed, tmp_path / str(number))
        cut = whole[: len(whole) - chance.randrange(1, len(whole) // 2)]
        (data / WAL).write_bytes(cut)
        complete = sum(frame.commits for frame in frames(cut))
        lost = sum(frame.commits for frame in frames(whole)) - complete
        assert check(data) == []
        with running_server(data) as server:
            talk(server.host, server.port, SAID + 1, SAID + 1)
        *before, new = texts(data / FILE_NAME)
        assert SAID - AT_ONCE * lost <= len(before) <= SAID, "all that was complete is there"
        assert [*before, new] == [f"message {number} of {SAID}" for number in (*range(1, len(before) + 1), SAID + 1)]


def test_who_comes_back_reads_over_what_is_no_text(stopped: Path, tmp_path: Path) -> None:
    """Somebody has written into the file while the server runs: at its start it would have refused that, where it is new."""
    data = copy(stopped, tmp_path / "data")
    with running_server(data) as server, Wire(server.host, server.port) as wire:
        with closing(sqlite3.connect(data / FILE_NAME)) as db, db:
            ((last, together),) = db.execute("SELECT last, texts FROM runs WHERE texts LIKE '%message 7 of%'")
            damaged = together.encode().replace(b"message 7", b"m\xffssage 7")
            db.execute("UPDATE runs SET texts = CAST(? AS TEXT) WHERE last = ?", (damaged, last))
        wire.hello("bob", after=0)
        said = [wire.expect(m.Msg).text for _ in range(SAID)]
        assert said[6] == f"m\ufffdssage 7 of {SAID}"
        assert wire.expect(m.Resumed).id == SAID
        assert server.log.read_text().count(f"the messages up to {last} hold what is no text: run chat-broker check") == 1
    assert any("the text of message 7 is" in told for told in check(data))


def test_a_name_that_is_no_text_is_a_reason_not_to_start(stopped: Path, tmp_path: Path) -> None:
    data = copy(stopped, tmp_path / "data")
    with closing(sqlite3.connect(data / FILE_NAME)) as db, db:
        db.execute("UPDATE people SET name = CAST(? AS TEXT), kept_until_ms = NULL", (b"ada\xff" + b"x" * 10_000,))
        ((person,),) = db.execute("SELECT person FROM people")
    said = (
        rf"ended with 1:\nchat-broker: the log \S+ is damaged \(person {person} is not .* chat-broker check .*\): put [^\n]*\n$"
    )
    with pytest.raises(AssertionError, match=said), running_server(data):
        pass
    told = check(data)
    assert f"person {person} is not as it was written" in told
    assert all(len(line) < 200 for line in told)
