"""The event loop of the client: asyncio's, but for looking up names."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any


class Loop(asyncio.SelectorEventLoop):
    """Names are looked up in threads that nobody waits for at the end of the program.

    Nothing cuts a look-up short, and it takes half a minute where no name server answers. Python waits for the threads of
    asyncio's executor, so that the shell would have to.
    """

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        answer: asyncio.Future[list[Any]] = self.create_future()

        def look_up() -> None:
            try:
                found = socket.getaddrinfo(host, port, family, type, proto, flags)
            except Exception as problem:
                self._tell(answer, answer.set_exception, problem)
            else:
                self._tell(answer, answer.set_result, found)

        try:
            threading.Thread(target=look_up, daemon=True).start()
        except RuntimeError:
            raise OSError("no further thread can be had, raise the limit of processes") from None
        return await answer

    def _tell(self, answer: asyncio.Future[list[Any]], settle: Callable[[Any], None], what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            self.call_soon_threadsafe(lambda: None if answer.done() else settle(what))
