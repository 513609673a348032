from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.timeouts import wait_until
from urwid_client import opening


def test_the_desktop_is_given_the_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opener, opened = tmp_path / "opener", tmp_path / "opened"
    opener.write_text(f'#!/bin/sh\necho noise\necho "$1" >{opened}.new && mv {opened}.new {opened}\n')
    opener.chmod(0o700)
    monkeypatch.setattr(opening, "_COMMAND", str(opener))
    assert opening.open_link("https://example.org/a?b=$(c)")
    wait_until(opened.exists, "it was opened")
    assert opened.read_text() == "https://example.org/a?b=$(c)\n"


def test_without_a_desktop_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(opening, "_COMMAND", str(tmp_path / "nothing"))
    assert not opening.open_link("https://example.org")
