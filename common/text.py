"""Cleaning text that comes from elsewhere: nothing of it may act on a terminal, a log or the layout of a screen."""

from __future__ import annotations

import re
import unicodedata

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_HARMFUL = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    "\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # invisible, and what reorders a line
    "\ud800-\udfff\ufff9-\ufffb"  # lone surrogates, interlinear marks
    "\U000e0000-\U000e007f"  # tags
    "]"
)
_ACTS = 0
_ASCII = bytes(_ACTS if (byte < 32 and byte not in b"\t\n") or byte >= 127 else 1 for byte in range(256))
"""What to put in the place of each byte of an ASCII text: `_ACTS` for one that acts, so that one search finds any."""
_SPACES = re.compile(r"\s+")
BLANKS = "\u115f\u1160\u2800\u3164\uffa0\U00013441\U00013442\U0001d159"
"""Letters and symbols by their category, but drawn as blank space: fillers of Hangul and hieroglyphs, Braille without dots, a
note without a head."""
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Mc", "Me", "Mn", "Zl", "Zp", "Zs"))


def clean(text: str) -> str:
    """The text without anything that could act: line ends become line feeds, controls and invisible marks go.

    Tabs and line feeds stay, and so do the joiner (U+200D) and the variation selectors that emoji are made of.
    The result is the same when it is cleaned again.
    """
    if text.isascii() and _ACTS not in text.encode().translate(_ASCII):  # quick to tell, and nearly always so
        return text
    if not _HARMFUL.search(text):
        return text
    return _HARMFUL.sub("", _LINE_ENDS.sub("\n", text))


def clean_line(text: str) -> str:
    """The same on one line: every run of white space becomes one space, none at the ends."""
    if text.isascii() and text.isprintable() and "  " not in text:  # quick to tell, and nearly always so
        return text.strip(" ")
    return _SPACES.sub(" ", clean(text)).strip()


def is_blank(text: str) -> bool:
    """Whether nothing is seen of the text: it has only white space, controls, marks that stand on nothing, and `BLANKS`.

    What Unicode has not assigned (yet) counts as seen: it may be the next emoji.
    """
    if text.isascii():
        return not text or text.isspace()
    return all(char in BLANKS or unicodedata.category(char) in _UNSEEN for char in text)
