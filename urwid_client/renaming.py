"""Another name of the same person: it is asked for on a connection of its own, for the old one is kept until it can be had."""

from __future__ import annotations

import asyncio
import os

from common.client_events import NameRefused, Welcomed
from common.client_protocol import ClientProtocol
from urwid_client.connection import Connection, TokenNotKept, Told
from urwid_client.dialing import dialer_for
from urwid_client.errors import Failed
from urwid_client.settings import ClientSettings, find_data_dir
from urwid_client.tokens import Tokens


async def ask_for(name: str, settings: ClientSettings, token: str) -> NameRefused | None:
    """Why whoever has this token cannot have a name; None if it is kept for them from now on. Raises `Failed`.

    A name under which one was somebody else before stays that one's: their conversations hang on its token.
    """
    answer: asyncio.Future[NameRefused | None] = asyncio.get_running_loop().create_future()

    def take(event: Told) -> None:
        match event:
            case _ if answer.done():
                pass
            case Welcomed():
                answer.set_result(None)
            case NameRefused():
                answer.set_result(event)
            case TokenNotKept(text):
                answer.set_exception(Failed(text))

    protocol = ClientProtocol(name, instance=int.from_bytes(os.urandom(4)))
    tokens = Tokens(find_data_dir(settings))
    if (kept := tokens.find_all(settings.server, name)) and token not in kept:
        raise Failed(f"as {name} you were somebody else, whose conversations go on with chat-client --name {name}")
    connection = Connection(dialer_for(settings), protocol, tokens, take, lambda status: None, patience=0.0)
    connection.choose_name(name, token)
    running = asyncio.ensure_future(connection.run())
    try:
        await asyncio.wait((running, answer), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            running.result()
        await connection.leave()
        return answer.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
