"""Names of people and rooms: which are valid, which count as the same, and which look alike.

Valid is what PRECIS' profile UsernameCaseMapped takes (RFC 8265, section 3.3), and of that less, see `_shaped`. The same are
names with equal folded forms. That is full case folding and not the profile's lower case: it makes no fewer names the same, and
any language can do it. Names look alike that have a look in common, see `looks`.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping

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


_ASCII_PROTOTYPES = {ord("m"): "rn", ord("I"): "l", ord("1"): "l", ord("|"): "l", ord("0"): "O", ord("`"): "'"}
"""What ASCII has in the table of `common.confusables`, which most who use names need not load."""


@functools.cache
def _prototypes() -> dict[int, str]:
    """What each character looks like that does not stand for itself, for `str.translate`."""
    from common.confusables import PROTOTYPES  # see there

    table = dict(_ASCII_PROTOTYPES)
    for line in PROTOTYPES.strip().replace("\n ", " ").split("\n"):
        target, _, sources = line.partition(":")
        shown = "".join(chr(int(code, 16)) for code in target.split())
        table |= {int(source, 16): shown for source in sources.split()}
    return table


def _skeleton(text: str, prototypes: Mapping[int, str]) -> str:
    """The skeleton of UTS #39, section 4: what has the same looks the same."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).translate(prototypes))


def looks(name: str) -> frozenset[str]:
    """What a name looks like, one or two ways: as it is written, and in its folded form.

    It takes both: a Greek capital beta looks like B, and its small form like nothing else; a Cyrillic capital I looks like l, and
    its small form like i.
    """
    prototypes = _ASCII_PROTOTYPES if name.isascii() else _prototypes()
    written = _skeleton(unicodedata.normalize("NFKC", name), prototypes)
    return frozenset((_skeleton(fold(name), prototypes), _skeleton(fold(written), prototypes)))


def differ_enough(one: str, other: str) -> bool:
    """Whether two names that have a look in common may stand side by side all the same: both are ASCII.

    Whoever reads Latin letters tells `mike` and `rnike`, or `Ilse` and `lise`, from each other, if only on a second look; to
    refuse them would refuse many who mean no harm. What nobody can tell is a letter of another script.
    """
    return one.isascii() and other.isascii()


def check_name(name: str) -> str:
    """The name, if a person may have it. Raises `Refused` with `bad_name`, `reserved_name` or `name_confusable`."""
    if len(name) > NAME_CHARS:
        raise Refused(Code.BAD_NAME, f"a name has at most {NAME_CHARS} characters")
    if not _well_formed(name):
        raise Refused(
            Code.BAD_NAME,
            "a name is letters, digits or _ - . [ ] { } ^ | `, without spaces, and begins with a letter or a digit",
        )
    if fold(name) in RESERVED:
        raise Refused(Code.RESERVED_NAME, f"the name {name} is reserved, pick another")
    if not name.isascii() and (reserved := sorted(_reserved_looks() & looks(name))):
        raise Refused(Code.NAME_CONFUSABLE, f"the name looks like {reserved[0]}, which is reserved: pick another one")
    return name


@functools.cache
def _reserved_looks() -> frozenset[str]:
    return frozenset(look for name in RESERVED for look in looks(name))


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
    if name.isascii():
        return _shaped(name)
    folded = fold(name)
    return unicodedata.is_normalized("NFC", name) and all(_shaped(form) and _is_precis(form) for form in (name, folded))


@functools.lru_cache(maxsize=4096)
def _is_precis(name: str) -> bool:
    """Whether it is a user name as RFC 8265 has it: no compatibility forms, nothing unassigned, one direction of writing."""
    from precis_i18n import get_profile  # most names are ASCII

    try:
        get_profile("UsernameCaseMapped").enforce(name)
    except UnicodeEncodeError:
        return False
    return True


def _shaped(name: str) -> bool:
    """Letters, digits and marks of any script, and a few signs: no spaces, nothing that commands use."""
    return (
        (name[:1].isalnum() or name[:1] == "_")
        and all(char.isalnum() or char in _SIGNS or unicodedata.category(char) in ("Mn", "Mc") for char in name)
        and not _INVISIBLE.search(name)
    )
