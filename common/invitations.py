"""Invitations: addresses like `chat://host:65432/dev?fp=SHA256:…`, which name a server, a room, and the server's key.

The room may be written without its sign, as `%23dev`, or as `#dev`. The last is what people write; since all behind a `#` is what
URLs call a fragment, the `?fp=…` is looked for there, too. Written out, an invitation has no `#`, which shells and programs
take for something else.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from common import addresses
from common.errors import Refused
from common.fingerprints import as_fingerprint
from common.limits import DEFAULT_PORT
from common.names import as_room, check_room

SCHEME = "chat"
_LONGEST = 2_000
"""No invitation has more characters."""


class NoInvitation(ValueError):
    """What was taken for one cannot be understood. One line that says why."""


class Invitation(NamedTuple):
    """Where to go."""

    host: str
    port: int = DEFAULT_PORT
    room: str | None = None
    fingerprint: str | None = None

    @property
    def server(self) -> str:
        return addresses.join(self.host, self.port)

    def __str__(self) -> str:
        room = quote((self.room or "").removeprefix("#"), safe="")
        fingerprint = f"?fp={quote(self.fingerprint, safe=':/')}" if self.fingerprint else ""
        return f"{SCHEME}://{self.server}/{room}{fingerprint}"


def is_invitation(text: str) -> bool:
    """Whether it is meant as one."""
    return text.lower().startswith(f"{SCHEME}://")


def understand(text: str) -> Invitation:
    """What somebody writes who wants to go somewhere: an invitation, or a server's address alone. Raises `NoInvitation`.

    An invitation may be the whole command that a server prints, with its quotes.
    """
    if is_invitation(text := text.strip().removeprefix("chat-client ").strip(" '")):
        return parse(text)
    try:
        return Invitation(*addresses.split(text))
    except ValueError:
        raise NoInvitation(
            "a server is a host name or an address, with a port if it is not the usual one: chat.example.org:65432"
        ) from None


def parse(text: str) -> Invitation:
    """What an invitation says. Fields that are not known are passed over. Raises `NoInvitation`."""
    if len(text) > _LONGEST or not text.isprintable():
        raise NoInvitation("an invitation is shorter, and has no control characters")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise NoInvitation("the invitation's server cannot be understood, it is written chat://HOST:PORT/ROOM") from None
    if not is_invitation(text) or not host or not addresses.is_host(host) or parts.username is not None:
        raise NoInvitation("an invitation is written chat://HOST:PORT/ROOM")
    if port == 0:
        raise NoInvitation("no server has port 0")
    room, query = _room_and_query(parts)
    return Invitation(host, port or DEFAULT_PORT, _checked_room(room), _fingerprint(query))


def _room_and_query(parts: SplitResult) -> tuple[str, str]:
    """The room as it was written, with or without its sign, and the fields behind the `?`."""
    path = parts.path.removeprefix("/")
    if not parts.fragment:
        return unquote(path), parts.query
    if path:
        raise NoInvitation("a room stands directly behind the slash, as in chat://HOST:PORT/#ROOM")
    room, _, behind = parts.fragment.partition("?")
    return unquote(room) and "#" + unquote(room), "&".join(filter(None, (parts.query, behind)))


def _checked_room(room: str) -> str | None:
    try:
        return check_room(as_room(room)) if room else None
    except Refused as refused:
        raise NoInvitation(f"the invitation's room is none: {refused.text}") from None


def _fingerprint(query: str) -> str | None:
    """A plus stands for itself: forms of web pages write spaces so, and no fingerprint has any."""
    found = [value for name, value in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True) if name == "fp"]
    if not found:
        return None
    try:
        (only,) = {as_fingerprint(value) for value in found}
    except ValueError:
        raise NoInvitation("the invitation's fp is no fingerprint like SHA256:…; it was cut off or changed on its way") from None
    return only
