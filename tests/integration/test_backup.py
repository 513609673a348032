"""Copies of a log are logs: of a server that runs, by SQLite's own means, as `docs/operating.md` tells."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from pathlib import Path

from common import messages as m
from common.log_file import FILE_NAME
from tests.support.server import SCRIPTS, running_server
from tests.support.timeouts import seconds
from tests.support.wire import Wire


def test_a_copy_that_was_made_while_the_server_ran(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    with running_server(tmp_path / "data") as server, Wire(server.host, server.port) as ada:
        ada.hello("ada")
        for counter in range(1, 20):
            ada.say(m.make_ref(1, counter), m.LOBBY, f"line {counter}")
        with (
            contextlib.closing(sqlite3.connect(tmp_path / "data" / FILE_NAME)) as log,
            contextlib.closing(sqlite3.connect(copy / FILE_NAME)) as into,
        ):
            log.backup(into)
        ada.say(m.make_ref(1, 99), m.LOBBY, "later")
    check: list[str | Path] = [SCRIPTS / "chat-broker", "check", "--data-dir", copy]
    assert subprocess.run(check, capture_output=True, timeout=seconds(10), check=False).returncode == 0
    with running_server(copy) as server, Wire(server.host, server.port) as bob:
        bob.hello("bob")
        bob.send(m.History(1, m.LOBBY, {}))
        assert [row[5] for row in bob.expect(m.Page).rows] == [f"line {counter}" for counter in range(1, 20)]
