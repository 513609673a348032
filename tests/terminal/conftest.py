"""One real server for the tests that leave it alone, and the client in a terminal of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.support.server import SCRIPTS, Server, running_server
from tests.support.terminal import Terminal, terminal

Open: TypeAlias = Callable[..., Terminal]
"""Opens a window with a client: `open_client("ada", cols=…, rows=…, options=…, env=…)`."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With two workers, for all tests: each uses names and rooms of its own."""
    with running_server(tmp_path_factory.mktemp("server") / "data", workers=2) as running:
        yield running


@pytest.fixture
def windows() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def client_command(server: Server, data_dir: Path, *options: str | Path) -> list[str | Path]:
    return [SCRIPTS / "chat-client", "--port", str(server.port), "--data-dir", data_dir, *options]


@pytest.fixture
def open_client(server: Server, windows: ExitStack, tmp_path: Path) -> Open:
    """A client of the common server; with a name it is waited for until it is connected."""

    def open_one(name: str | None = None, *options: str, cols: int = 80, rows: int = 24, **env: str) -> Terminal:
        named = ["--name", name] if name else []
        command = client_command(server, tmp_path / (name or "nameless"), *named, *options)
        window = windows.enter_context(terminal(command, cols, rows, env))
        if name and cols >= 40 and rows >= 3:
            window.wait_for(f"● {name}")
        return window

    return open_one
