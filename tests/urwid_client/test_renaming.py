from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer
from tests.urwid_client.listener import listening
from urwid_client.connection import Unreachable
from urwid_client.errors import Failed
from urwid_client.renaming import ask_for
from urwid_client.settings import ClientSettings
from urwid_client.tokens import Tokens

ADA = "token of idada"


def settings(directory: Path, port: int = 1) -> ClientSettings:
    return ClientSettings("127.0.0.1", port, "ada", None, directory)


def test_a_name_that_can_be_had_is_kept_and_nobody_stays(tmp_path: Path) -> None:
    async def ask() -> None:
        async with listening(ModelServer()) as listener:
            assert await ask_for("eve", settings(tmp_path, listener.port), ADA) is None
            assert Tokens(tmp_path).find(f"127.0.0.1:{listener.port}", "eve") == ADA
            assert listener.goodbyes == 1

    asyncio.run(ask())


def test_a_name_of_somebody_else_whom_one_was_stays_theirs(tmp_path: Path) -> None:
    async def ask() -> None:
        async with listening(ModelServer()) as listener:
            tokens, server = Tokens(tmp_path), f"127.0.0.1:{listener.port}"
            tokens.keep(server, "eve", "token of ideve")
            with pytest.raises(Failed, match=r"as eve you were somebody else, .* chat-client --name eve"):
                await ask_for("eve", settings(tmp_path, listener.port), ADA)
            assert tokens.find(server, "eve") == "token of ideve"

    asyncio.run(ask())


def test_a_name_that_one_also_had_on_another_server_here_is_one_s_own(tmp_path: Path) -> None:
    async def ask() -> None:
        async with listening(ModelServer()) as listener:
            tokens, server = Tokens(tmp_path), f"127.0.0.1:{listener.port}"
            tokens.keep(server, "eve", ADA)
            tokens.keep(server, "eve", "of another server")
            assert await ask_for("eve", settings(tmp_path, listener.port), ADA) is None
            assert tokens.find(server, "eve") == ADA

    asyncio.run(ask())


def test_why_a_name_cannot_be_had_is_said(tmp_path: Path) -> None:
    async def ask() -> None:
        model = ModelServer()
        model.taken.add("eve")
        async with listening(model) as listener:
            refused = await ask_for("eve", settings(tmp_path, listener.port), ADA)
            assert refused is not None
            assert (refused.name, refused.code) == ("eve", "name_taken")
            assert Tokens(tmp_path).find(f"127.0.0.1:{listener.port}", "eve") is None

    asyncio.run(ask())


def test_where_nobody_can_be_asked_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        asyncio.run(ask_for("eve", settings(tmp_path), ADA))


def test_a_name_that_could_not_be_kept_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").mkdir()

    async def ask() -> None:
        async with listening(ModelServer()) as listener:
            await ask_for("eve", settings(tmp_path, listener.port), ADA)

    with pytest.raises(Failed, match=r"tokens\.json"):
        asyncio.run(ask())
