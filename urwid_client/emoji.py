"""Emoji: the short names that they are written with (`:tada:`), and the form in which every terminal draws them equally wide.

A name is one of the few in the table, or what Unicode calls the character, with `_` for spaces (`:hot_pepper:`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

SHORT_NAMES: dict[str, str] = {
    "+1": "👍", "-1": "👎", "100": "💯", "angry": "😠", "bear": "🐻", "beer": "🍺", "beers": "🍻", "blush": "😊",
    "boom": "💥", "bug": "🐛", "bulb": "💡", "cake": "🍰", "cat": "🐱", "check": "✅", "clap": "👏",
    "coffee": "☕", "computer": "💻", "confused": "😕", "cool": "😎", "cry": "😢", "dog": "🐶", "eyes": "👀",
    "fingers_crossed": "🤞", "fire": "🔥", "flushed": "😳", "ghost": "👻", "gift": "🎁", "grin": "😁",
    "grinning": "😀", "handshake": "🤝", "heart": "💜", "heart_eyes": "😍", "hourglass": "⏳", "hug": "🤗",
    "hush": "🤫", "joy": "😂", "key": "🔑", "kiss": "😘", "laughing": "😆", "lock": "🔒", "mail": "📧",
    "memo": "📝", "mind_blown": "🤯", "moon": "🌙", "muscle": "💪", "neutral": "😐", "no_entry": "⛔",
    "ok_hand": "👌", "open_mouth": "😮", "party": "🥳", "pizza": "🍕", "point_down": "👇", "point_left": "👈",
    "point_right": "👉", "point_up": "👆", "poop": "💩", "pray": "🙏", "question": "❓", "rainbow": "🌈",
    "raised_hands": "🙌", "robot": "🤖", "rocket": "🚀", "rofl": "🤣", "rose": "🌹", "sad": "😞", "scream": "😱",
    "seedling": "🌱", "shrug": "🤷", "skull": "💀", "sleeping": "😴", "smile": "😄", "smiley": "😃",
    "smirk": "😏", "sob": "😭", "sparkles": "✨", "star": "⭐", "sunglasses": "😎", "sweat": "😓",
    "sweat_smile": "😅", "tada": "🎉", "tea": "🍵", "thinking": "🤔", "thumbsdown": "👎", "thumbsup": "👍",
    "tongue": "😛", "trophy": "🏆", "unicorn": "🦄", "upside_down": "🙃", "warn": "🚧", "wave": "👋",
    "whale": "🐳", "wink": "😉", "wrench": "🔧", "x": "❌", "yum": "😋", "zap": "⚡", "zzz": "💤",
}  # fmt: skip

_SHORTCODE = re.compile(r"(?<![\w:]):([a-z0-9_+-]{1,60}):(?![\w:])")
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
"""Within code a shortcode stays what it is."""

_BEGINNING = "\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff"
"""What an emoji can begin with."""
_JOINED = re.compile(f"(?<=[{_BEGINNING}\ufe0f\u200d])\u200d(?=[{_BEGINNING}])")
_SHADES = re.compile(r"(?<=\S)[\U0001f3fb-\U0001f3ff]|\ufe0f")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]")


def find(name: str) -> str | None:
    """The emoji of a short name, or of Unicode's name for it."""
    if name in SHORT_NAMES:
        return SHORT_NAMES[name]
    try:
        character = unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return None
    return character if re.fullmatch("[\u2600-\u27bf\U0001f300-\U0001f64f\U0001f680-\U0001faff]", character) else None


def replace(text: str) -> str:
    """The text with each shortcode that means an emoji replaced by it."""
    pieces = _CODE.split(text)
    pieces[::2] = [_SHORTCODE.sub(lambda match: find(match[1]) or match[0], piece) for piece in pieces[::2]]
    return "".join(pieces)


def names_beginning(beginning: str) -> Sequence[str]:
    """The short names that begin so."""
    return [name for name in SHORT_NAMES if name.startswith(beginning)]


def plain(text: str) -> str:
    """The text with emoji whose width all terminals agree about: without skin colours and variants, joined ones side by side.

    Terminals that know what such a sequence means draw one sign of two columns, others draw its parts; what stands to the
    right of it would be out of line on one or the other.
    """
    if text.isascii():
        return text
    return _FLAG.sub(_letter, _SHADES.sub("", _JOINED.sub("", text)))


def _letter(flag: re.Match[str]) -> str:
    """A flag is two regional indicators, about which terminals agree least; in plain letters it says the country at least."""
    return chr(ord(flag[0]) - 0x1F1E6 + ord("A"))
