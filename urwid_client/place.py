"""One's place on a server: what is remembered of a `Chat`, and how one begins there again. Knows no files.

What is remembered is one map that JSON can say: the cursor and the log that it belongs to, who one is there, the rooms; for each
conversation what is unread, what was being written, and whether it was on the screen; what was sent; who is ignored.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

from common.messages import ID_MAX
from common.names import fold
from urwid_client import commands
from urwid_client.buffers import Buffer, Kind
from urwid_client.editing import Draft
from urwid_client.state import Chat

Place: TypeAlias = dict[str, Any]

_SENT_KEPT = 200
_SENT_CHARS = 50_000
"""How much of what was sent is remembered: so many texts, with so many characters in all."""
_TEXTS = {"log", "identity"}
_LISTS_OF_TEXTS = {"rooms", "sent", "ignored"}


def remember(chat: Chat, sent: Sequence[str]) -> Place:
    """What to keep of a chat."""
    protocol = chat.protocol
    return {
        "log": protocol.log or "",
        "cursor": protocol.cursor,
        "identity": chat.identity or "",
        "rooms": list(protocol.rooms),
        "conversations": [told for buffer in chat.buffers if _is_worth_keeping(told := _conversation(buffer, chat.active))],
        "sent": newest(sent),
        "ignored": list(chat.ignored.values()),
        "ignored_as": dict(chat.ignored_as),
    }


def newest(sent: Sequence[str]) -> list[str]:
    """What to keep of the texts that were sent."""
    last = sent[-_SENT_KEPT:]
    fitting = sum(chars <= _SENT_CHARS for chars in itertools.accumulate(map(len, reversed(last))))
    return list(last[len(last) - fitting :])


def restore(chat: Chat, place: Place) -> None:
    """Begins a chat that has not been connected yet where `place` ended."""
    if not place:
        return
    chat.ignored = {fold(name): name for name in place["ignored"]}
    chat.ignored_as = {name: who for name, who in place.get("ignored_as", {}).items() if name in chat.ignored}
    chat.identity = place["identity"] or None
    for room in place["rooms"]:
        chat.protocol.join(room)
    for told in place["conversations"]:
        _restore(chat, told)
    for room in place["rooms"]:
        if chat.find_room(room) is None:
            chat.add(Buffer(Kind.ROOM, room))
    chat.active.unread = chat.active.mentions = 0  # it is before the user's eyes now
    if place["log"] and place["cursor"] is not None:
        chat.protocol.log, chat.protocol.cursor = place["log"], place["cursor"]
        chat.returning = True


def merge(mine: Place, before: Place, theirs: Place) -> Place:
    """What to keep where another client of the same person has kept `theirs` since this one was at `before`.

    What is being written, was sent or is ignored is as it is there, unless it was changed here; and what they opened stays open.
    """
    if not before or not theirs or (mine["identity"] and theirs["identity"] not in ("", mine["identity"])):
        return mine
    if not mine["identity"]:  # the server has not answered here
        mine = {**mine, **{key: theirs[key] for key in ("identity", "log", "cursor")}}
    was, here, there = ({_key(told): told for told in place["conversations"]} for place in (before, mine, theirs))
    for key in here.keys() & there.keys():
        if _written(here[key]) == _written(was.get(key, {})):
            here[key] = here[key] | _written(there[key])
    opened = [{**told, "shown": False} for key, told in there.items() if key not in was and key not in here]
    known_rooms = {*map(fold, before["rooms"]), *map(fold, mine["rooms"])}
    return {
        **mine,
        **{key: theirs[key] for key in ("sent", "ignored") if mine[key] == before[key]},
        "ignored_as": {**theirs.get("ignored_as", {}), **mine.get("ignored_as", {})},
        "rooms": [*mine["rooms"], *(room for room in theirs["rooms"] if fold(room) not in known_rooms)],
        "conversations": [*here.values(), *opened],
    }


def _key(told: dict[str, Any]) -> tuple[str, str]:
    """Which conversation it is, in the places of all clients."""
    direct = told["kind"] == Kind.DIRECT.value
    return told["kind"], (direct and told["conv"]) or fold(told["title"])


def has_drafts(place: Place) -> bool:
    """Whether something was written that is not sent."""
    return any(any(_written(told).values()) for told in place["conversations"])


def _written(told: dict[str, Any]) -> dict[str, str]:
    """What was being written in a conversation, and what was pasted there and waits."""
    return {key: told.get(key, "") for key in ("draft", "pasted")}


def is_place(place: object) -> bool:
    """Whether a value that came from a file is what `remember` gives."""
    return (
        isinstance(place, dict)
        and place.keys() - {"ignored_as"} == {"cursor", "conversations"} | _TEXTS | _LISTS_OF_TEXTS
        and isinstance(place.get("ignored_as", {}), dict)
        and all(isinstance(who, str) for who in place.get("ignored_as", {}).values())
        and all(isinstance(place[key], str) for key in _TEXTS)
        and all(isinstance(place[key], list) and all(isinstance(text, str) for text in place[key]) for key in _LISTS_OF_TEXTS)
        and (place["cursor"] is None or _is_number(place["cursor"]))
        and isinstance(place["conversations"], list)
        and all(map(_is_conversation, place["conversations"]))
    )


def _conversation(buffer: Buffer, active: Buffer) -> dict[str, Any]:
    return {
        "kind": buffer.kind.value,
        "title": buffer.title,
        "conv": buffer.conv or "",
        "peer": buffer.peer or "",
        "former": buffer.former,
        "unread": buffer.unread,
        "mentions": buffer.mentions,
        "read": buffer.unread_from[0] if buffer.unread and buffer.unread_from else 0,
        "draft": _to_write(buffer),
        "pasted": buffer.draft.pasted,
        "shown": buffer is active,
    }


def _is_worth_keeping(told: dict[str, Any]) -> bool:
    """Not what the program has to say, nor a conversation that was opened and never took place: nobody may go by that name."""
    if told["kind"] == Kind.DIRECT.value:
        return bool(told["conv"] or told["draft"] or told["pasted"])
    return bool(told["kind"] == Kind.ROOM.value)


def _to_write(buffer: Buffer) -> str:
    """What could not be sent yet is something to be written again: nobody knows whether the server has it.

    All that would be said becomes one text. What is a command (a topic, say) would be said with it, or be its beginning, and is
    left out there; for itself the last one stays.
    """
    pending = buffer.pending.values()
    texts = [*(message.text for message in pending if not message.topic), commands.said(buffer.draft.text)]
    if text := "\n".join(filter(None, texts)):
        return commands.saying(text)
    topics = [f"/topic {message.text or '-'}" for message in pending]
    return buffer.draft.text or next(reversed(topics), "")


def _restore(chat: Chat, told: dict[str, Any]) -> None:
    """What was unread and being written in a conversation. They are opened in the order in which they stood."""
    title = told["title"]
    if told["kind"] == Kind.ROOM.value:
        rooms = {fold(room): room for room in chat.protocol.rooms}
        buffer = chat.find_room(title)
        if buffer is None and fold(title) in rooms:
            buffer = chat.add(Buffer(Kind.ROOM, rooms[fold(title)]))
    else:
        buffer = chat.add(Buffer(Kind.DIRECT, title, told["conv"] or None))
        buffer.peer, buffer.former = told["peer"] or None, told.get("former", False)
    if buffer is None:  # a room that could not be joined any more
        return
    pasted, end = told.get("pasted", ""), len(told["draft"])
    buffer.draft = Draft(told["draft"], end, pasted, end if pasted else 0)
    buffer.unread, buffer.mentions = told["unread"], told["mentions"]
    buffer.unread_from = (told["read"], -1) if told["read"] else None
    if told.get("shown", False):
        chat.active = buffer


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= ID_MAX


def _is_conversation(told: object) -> bool:
    return (
        isinstance(told, dict)
        and told.keys() - {"former", "pasted", "shown"}
        == {"kind", "title", "conv", "peer", "unread", "mentions", "read", "draft"}
        and isinstance(told.get("former", False), bool)
        and isinstance(told.get("shown", False), bool)
        and isinstance(told.get("pasted", ""), str)
        and all(isinstance(told[key], str) for key in ("title", "conv", "peer", "draft"))
        and told["kind"] in (Kind.ROOM.value, Kind.DIRECT.value)
        and all(_is_number(told[key]) for key in ("unread", "mentions", "read"))
    )
