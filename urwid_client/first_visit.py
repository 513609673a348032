"""The first visit to a server for which nobody vouches: its key is shown, and somebody has to say whether it is the right one.

Asked before the screen is drawn, in the plain terminal.
"""

from __future__ import annotations

import asyncio

from common.text import clean_line
from urwid_client.dialing import Dialer, dialer_for
from urwid_client.errors import Failed
from urwid_client.output import say
from urwid_client.settings import ClientSettings
from urwid_client.trust import UnknownKey

_LOOK_SECONDS = 5.0
"""A server that is not there by then is the screen's to tell of."""


def introduce(settings: ClientSettings) -> None:
    """Looks at the server if it is a new one, and asks whether to believe it. Raises `Failed` if not."""
    dialer = dialer_for(settings)
    if not dialer.is_new():
        return
    try:
        asyncio.run(_look(dialer))
    except UnknownKey as unknown:
        if not _is_right(dialer.server, unknown.fingerprint):
            raise Failed(f"{dialer.server} was not visited, since its key may be another's") from None
        dialer.believe(unknown.fingerprint)
    except (OSError, ValueError):
        pass  # the screen tells, and tries again


async def _look(dialer: Dialer) -> None:
    async with asyncio.timeout(_LOOK_SECONDS):
        _, writer = await dialer.dial()
    writer.transport.abort()


def _is_right(server: str, fingerprint: str) -> bool:
    say(f"{clean_line(server)} is not known here yet. The fingerprint of its key is\n\n  {fingerprint}\n")
    try:
        answer = input("Does its operator say the same? Write yes, or what you were told: ")
    except (EOFError, OSError):
        say("")
        return False
    return answer.strip().lower() in ("yes", "y") or answer.strip().rstrip("=") == fingerprint
