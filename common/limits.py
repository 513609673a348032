"""How much of everything: the numbers that both sides know, and the server's settings under `[limits]`."""

from __future__ import annotations

import dataclasses
from typing import Any

DEFAULT_PORT = 65432
"""Where a server is that says nothing else."""
FRAME_BYTES = 64 * 1024
"""The longest frame body of the protocol, in either direction (bytes)."""
PAGE_MESSAGES = 200
"""The most messages of one `page` (and what fits a frame)."""
MEMBERS_SHOWN = 200
"""The most members in one `joined` or `members` frame."""
ROOMS_SHOWN = 100
"""The most rooms in one `rooms` frame."""
NAME_CHARS = 32
"""The longest name, in code points."""
ROOM_CHARS = 50
"""The longest room name with its `#`, in code points."""


def _limit(default: int, meaning: str, most: int = 1_000_000) -> Any:
    return dataclasses.field(default=default, metadata={"help": meaning, "most": most})


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The server's limits, each a key of `[limits]` in its configuration; from 1 to the field's `most`."""

    text_bytes: int = _limit(16_000, "longest message text, in bytes of UTF-8", most=60_000)
    away_bytes: int = _limit(300, "longest text that says why somebody is away, in bytes of UTF-8", most=4_000)
    topic_bytes: int = _limit(1_000, "longest topic of a room, in bytes of UTF-8", most=4_000)
    connections: int = _limit(20_000, "connections in all")
    connections_per_address: int = _limit(
        100, "connections from one address (of IPv6: one /64); this machine's own are not counted"
    )
    new_connections_per_minute: int = _limit(
        200, "new connections from one address in a minute, also all at once; this machine's own are not counted"
    )
    hellos_refused: int = _limit(100, "refused hellos after which a connection is closed")
    messages_per_second: int = _limit(200, "messages that one connection may send, in the long run")
    user_messages_per_second: int = _limit(400, "messages that all connections of one person may send, in the long run")
    burst_seconds: int = _limit(25, "after so long a silence, what might have been sent in it may be sent at once", most=3_600)
    rooms_per_user: int = _limit(100, "rooms that one person may be in, with all their connections")
    members_per_room: int = _limit(10_000, "people in one room; the lobby has room for all")
    requests_pending: int = _limit(256, "unanswered requests of a connection before the server stops reading from it")
    backlog_bytes: int = _limit(
        65_536, "unsent bytes of a connection before it is served from the log instead", most=1_000_000_000
    )
    send_buffer_bytes: int = _limit(65_536, "size of the kernel's send buffer of a connection (SO_SNDBUF)", most=1_000_000_000)
    handshake_seconds: int = _limit(10, "time for the TLS handshake of a new connection", most=3_600)
    login_seconds: int = _limit(10, "time for a new connection, or one that was refused, to say hello")
    idle_seconds: int = _limit(60, "silence after which a connection is asked for a sign of life; after twice that it ends")
    name_grace_seconds: int = _limit(60, "time for which a name is kept after its owner's last connection")
    token_days: int = _limit(90, "time for which a guest's token is valid after its last use", most=36_500)
