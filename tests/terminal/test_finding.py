"""Searching in the messages of a conversation, on a real terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server
from tests.support.terminal import Terminal
from tests.terminal.conftest import Open
from tests.terminal.test_chatting import say


def cells(window: Terminal, word: str) -> list[Any]:
    """The first sign of a word, wherever it is on the screen above the last two lines."""
    lines = [(y, line) for y, line in enumerate(window.lines[:-2]) if word in line]
    return [window.buffer[y][line.index(word)] for y, line in lines]


@pytest.mark.parametrize("theme", ["auto", "none"])
def test_messages_are_found_back_to_the_first_and_what_was_written_stays(
    open_client: Open, server: Server, tmp_path: Path, theme: str
) -> None:
    room = f"#find{theme}"
    hay = [f"hay {number}" for number in range(260)]
    say(server, tmp_path / "bob", f"bob75{theme}", room, "the first Needle", *hay[:240], "a needle in the hay", *hay[240:])
    ada = open_client(f"ada75{theme}", "--theme", theme)
    ada.enter(f"/join {room}")
    ada.wait_for("hay 259")
    ada.type("half a thought")
    ada.press("ctrl f")
    ada.wait_for("find:", "Esc ends")
    ada.type("NEEDLE")
    ada.wait_until(lambda: [cell.reverse for cell in cells(ada, "needle")] == [True], "the newest is found and marked")
    assert not cells(ada, "a needle")[0].reverse, "and nothing beside it"
    ada.press("enter")
    ada.wait_until(lambda: [cell.reverse for cell in cells(ada, "Needle")] == [True], "the first is loaded, found and marked")
    ada.press("up")
    ada.wait_for("there is no earlier one")
    ada.press("down")
    ada.wait_until(lambda: [cell.reverse for cell in cells(ada, "needle")] == [True], "the later one")
    ada.press("esc")
    ada.wait_for("> half a thought")
    ada.wait_until(lambda: [cell.reverse for cell in cells(ada, "needle")] == [False], "nothing is marked any more")
