"""A server with a certificate that remembers all that it was told, for tests of whom the client believes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Coroutine

from common.tls import server_context
from tests.support.certificates import Made


class Recorder:
    """Answers nothing. What comes is decrypted, if it is encrypted."""

    def __init__(self, made: Made | None = None, *, cut: bool = False, chain: bytes = b"") -> None:
        """`cut`: connections are closed as soon as they begin."""
        self.context: ssl.SSLContext | None = made and server_context(made.pem + chain + made.key_pem())
        self.cut = cut
        self.heard = b""
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while not self.cut and (data := await reader.read(65536)):
                self.heard += data
        writer.transport.abort()


@contextlib.asynccontextmanager
async def recording(recorder: Recorder, port: int = 0) -> AsyncIterator[Recorder]:
    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Coroutine[None, None, None]:
        recorder.writers.append(writer)
        return recorder.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=recorder.context)
    recorder.port = server.sockets[0].getsockname()[1]
    try:
        yield recorder
    finally:
        server.close()
        for writer in recorder.writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)
