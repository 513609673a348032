"""How people write emphasis into plain text: `*bold*`, `_italic_`, code in backticks, links, `/me`. Finds it; changes no text.

The marks stay where they are, so that what is shown is what was sent, and can be copied; code fences are the exception, which are
lines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

ACTION = "/me "
"""What a text begins with that says what its sender does. A convention between clients; the server knows nothing of it."""
AWAY = "away"
"""What is said of why one is away where no reason is given. A convention, too."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
    "\u3005\u3040-\u309f\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Hiragana, Chinese characters
    "\uac00-\ud7a3"  # Hangul
)
"""Where words, or what belongs to a name, stand without spaces between them. Words in Katakana stand between others of these."""
_SPACED = rf"[^\W{_UNSPACED}]"


class Piece(NamedTuple):
    """A part of a text that looks the same."""

    style: str
    text: str
    link: str = ""
    """Where it leads."""


_FENCE = re.compile(r"(?:^|\n)```[^\n`]*\n(.*?)(?:\n```[ \t]*(?=\n|$)|$)\n?", re.DOTALL)
_INLINE = re.compile(
    r"(?P<code>`[^`\n]+`)"
    r"|(?P<link>https?://[^\s<>\"'`]+)"
    r"|(?<![\w*])(?P<strong>\*(?=[^\s*])[^*\n]*(?<=[^\s*])\*)(?![\w*])"
    r"|(?<![\w_])(?P<emphasis>_(?=[^\s_])[^_\n]*(?<=[^\s_])_)(?![\w_])"
)
_LINK_END = re.compile(r"[.,:;!?]+$")
_LINK_CHARS = 2_000
"""No longer address is a link: terminals refuse them."""


def pieces(text: str) -> Iterator[Piece]:
    """The text in parts; together they are the text, but for the lines of code fences."""
    at = 0
    for fence in _FENCE.finditer(text):
        yield from _inline(text[at : fence.start()])
        before = "\n" if fence.start() > 0 else ""
        after = "\n" if fence.end() < len(text) else ""
        yield Piece("code block", f"{before}{fence[1]}{after}")
        at = fence.end()
    yield from _inline(text[at:])


def links(text: str) -> list[str]:
    """The links of a text, in order."""
    return [piece.link for piece in pieces(text) if piece.link]


def _inline(text: str) -> Iterator[Piece]:
    at = 0
    for found in _INLINE.finditer(text):
        style, shown = str(found.lastgroup), found[0]
        if style == "link":
            shown = _without_punctuation(shown)
        if found.start() > at:
            yield Piece("text", text[at : found.start()])
        is_link = style == "link" and shown.isascii() and len(shown) <= _LINK_CHARS
        yield Piece(style, shown, shown if is_link else "")
        at = found.start() + len(shown)
    if at < len(text):
        yield Piece("text", text[at:])


def _without_punctuation(link: str) -> str:
    """What ends the sentence, or a bracket that was opened before the link, does not belong to it."""
    link = _LINK_END.sub("", link)
    while link.endswith(")") and link.count("(") < link.count(")"):
        link = _LINK_END.sub("", link[:-1])
    return link


def topic_change(topic: str, done: bool = True) -> str:
    """What is said of who sets a topic, or clears it; the topic itself follows."""
    return f"change{'d' if done else 's'} the topic to: " if topic else f"clear{'ed' if done else 's'} the topic"


def because(away: str) -> str:
    """What is said behind "is away": the reason, if there is one."""
    return "" if away.lower() == AWAY else f": {away}"


def mention(name: str) -> re.Pattern[str]:
    """Finds a name, as its one group, where it stands as a word of its own, as far as the script tells where a word ends."""
    before = "" if re.match(f"[{_UNSPACED}]", name) else f"(?<!{_SPACED})"
    behind = "" if re.search(f"[{_UNSPACED}]$", name) else f"(?!{_SPACED})"
    return re.compile(f"{before}({re.escape(name)}){behind}", re.IGNORECASE)
