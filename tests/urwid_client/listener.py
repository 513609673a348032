"""The model server on a real socket, for tests of what moves the bytes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from common import messages as m
from tests.support.model_server import ModelConnection, ModelServer


class Listener:
    """Serves a model; a test can cut its clients off, and let it be silent."""

    def __init__(self, model: ModelServer) -> None:
        self.model = model
        self.port = 0
        self.silent = False
        """Whether it takes everything in and says nothing."""
        self.accepted = 0
        self.goodbyes = 0
        """How many clients said goodbye; they are let go then, as by the real server."""
        self._clients: dict[asyncio.StreamWriter, ModelConnection] = {}
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listens, on the same port as the last time if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listens no more, and cuts everybody off."""
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        for writer in list(self._clients):
            writer.transport.abort()

    def deliver(self) -> None:
        """Sends what the model has for its clients."""
        for writer, connection in self._clients.items():
            data, connection.out = bytes(connection.out), bytearray()
            if data and not self.silent:
                writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        connection = self._clients[writer] = self.model.connect()
        try:
            while data := await reader.read(65536):
                connection.receive(data)
                self.deliver()
                if connection.requests and isinstance(connection.requests[-1], m.Bye):
                    self.goodbyes += 1
                    break
        except OSError:
            pass
        finally:
            connection.close()
            del self._clients[writer]
            writer.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def listening(model: ModelServer, kind: type[Listener] = Listener) -> AsyncIterator[Listener]:
    listener = kind(model)
    await listener.open()
    try:
        yield listener
    finally:
        await listener.close()
