"""What is known here about a person: from what was seen, without asking the server."""

from __future__ import annotations

from common.names import fold
from common.text import clean_line
from urwid_client.buffers import Buffer, Kind, Said
from urwid_client.rendering import Zone, local
from urwid_client.state import Chat


def describe(chat: Chat, name: str, zone: Zone = local) -> str:
    """A line about whoever goes by this name."""
    folded = fold(clean_line(name))
    rooms = [buffer for buffer in chat.buffers if buffer.kind is Kind.ROOM and folded in buffer.people]
    shown = next((room.people[folded] for room in rooms), clean_line(name))
    known = [f"in {', '.join(room.title for room in rooms)}" if rooms else "not here, as far as one sees"]
    if folded == fold(chat.name):
        known.append("that is you")
    if last := _last_said(chat.buffers, folded):
        buffer, said = last
        where = buffer.title if buffer.kind is Kind.ROOM else "your conversation"
        known.append(f"said something last in {where}, {zone(said.time_ms):%-d %B at %H:%M}")
    if any(not buffer.former for buffer in chat.find_directs(name)):
        known.append("a conversation with them is open")
    if folded in chat.ignored:
        known.append("ignored by you")
    return f"{shown}: {'; '.join(known)}"


def _last_said(buffers: list[Buffer], folded: str) -> tuple[Buffer, Said] | None:
    found = [
        (buffer, said)
        for buffer in buffers
        if (said := next((e for e in reversed(buffer.entries) if isinstance(e, Said) and fold(e.sender) == folded), None))
    ]
    return max(found, key=lambda pair: pair[1].time_ms, default=None)
