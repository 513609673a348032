"""Names of people and rooms: which are valid, and which count as the same."""

from __future__ import annotations

import re
import unicodedata

from common.errors import Code, Refused
from common.limits import NAME_CHARS, ROOM_CHARS
from common.text import BLANKS

_SIGNS = frozenset("_-.[]{}^|`")
_INVISIBLE = re.compile(f"[{BLANKS}\u034f\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Letters and marks that nothing is seen of: names that look the same would not be the same."""

RESERVED = frozenset(
    {"admin", "administrator", "broker", "everyone", "here", "me", "moderator", "operator", "root", "server", "system"}
)


def fold(name: str) -> str:
    """What two names have in common when they count as the same: compatibility forms and case are no difference."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def check_name(name: str) -> str:
    """The name, if a person may have it. Raises `Refused` with `bad_name` or `reserved_name`."""
    if len(name) > NAME_CHARS:
        raise Refused(Code.BAD_NAME, f"a name has at most {NAME_CHARS} characters")
    if not _well_formed(name):
        raise Refused(
            Code.BAD_NAME,
            "a name is letters, digits or _ - . [ ] { } ^ | `, without spaces, and begins with a letter or a digit",
        )
    if fold(name) in RESERVED:
        raise Refused(Code.RESERVED_NAME, f"the name {name} is reserved, pick another")
    return name


def check_room(room: str) -> str:
    """The room's name, if a room may have it. Raises `Refused` with `bad_room`."""
    if len(room) > ROOM_CHARS:
        raise Refused(Code.BAD_ROOM, f"a room's name has at most {ROOM_CHARS} characters")
    if not room.startswith("#") or not _well_formed(room[1:]):
        raise Refused(Code.BAD_ROOM, "a room's name is # and then letters, digits or _ - . [ ] { } ^ | `, without spaces")
    return room


def as_room(text: str) -> str:
    """The room that somebody means who may have left its # out, which shells take for a comment."""
    return text if text.startswith("#") else "#" + text


def _well_formed(name: str) -> bool:
    """Of the right shape, and still so in its folded form; in NFC, so that it looks the same everywhere."""
    return _shaped(name) and _shaped(fold(name)) and unicodedata.is_normalized("NFC", name)


def _shaped(name: str) -> bool:
    """Letters, digits and marks of any script, and a few signs: no spaces, nothing that commands use."""
    return (
        (name[:1].isalnum() or name[:1] == "_")
        and all(char.isalnum() or char in _SIGNS or unicodedata.category(char) in ("Mn", "Mc") for char in name)
        and not _INVISIBLE.search(name)
    )
