"""Alerts: of which messages one is told, and what is written to the terminal for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from common.text import clean_line
from urwid_client.buffers import Buffer, Kind
from urwid_client.state import Arrival

_SHOWN_CHARS = 200
_ELSEWHERE_MS = 2 * 60 * 1000
"""How long after one's last word from another device that one is taken to be the one in use."""


def is_elsewhere(used: int, wrote_elsewhere: int, now: int) -> bool:
    """Whether the user sits at another device, which tells them already. Times in milliseconds.

    `used` is when this one was used last, `wrote_elsewhere` when they wrote from another one.
    """
    return wrote_elsewhere > used and 0 <= now - wrote_elsewhere < _ELSEWHERE_MS  # not below where the clock was set back


def wanted(arrived: Sequence[Arrival], level: Callable[[str], str], looking_at: Buffer | None) -> list[Arrival]:
    """Of which messages one is told.

    `level` gives what is wanted of a conversation, by its title: `mentions`, `all` or `none`. What is said in the one that one is
    `looking_at` is before one's eyes.
    """
    return [
        arrival for arrival in arrived if arrival.buffer is not looking_at and _is_wanted(arrival, level(arrival.buffer.title))
    ]


def _is_wanted(arrival: Arrival, level: str) -> bool:
    if level == "mentions":
        return bool(arrival.said.mentioned) or arrival.buffer.kind is Kind.DIRECT
    return level == "all"


def sequence(arrivals: Sequence[Arrival], bell: bool, desktop: str, environ: Mapping[str, str]) -> str:
    """What tells the terminal of some messages that came together: at most one sound, and one notification."""
    written = "\a" if bell else ""
    kind = _kind(desktop, environ)
    if kind != "off" and arrivals:
        written += _through(_notification(*_words(arrivals), kind), environ)
    return written


def _words(arrivals: Sequence[Arrival]) -> tuple[str, str]:
    """A title and a text, of printable characters only, and none that would end one of them, or begin another command."""
    buffer, said = arrivals[-1]
    sender = clean_line(said.sender)
    where = f"{sender} in {clean_line(buffer.title)}" if buffer.kind is Kind.ROOM else sender
    title = where if len(arrivals) == 1 else f"{len(arrivals):,} messages, the last from {where}"
    return _shown(title), _shown(clean_line(said.text))


def _shown(text: str) -> str:
    return text[:_SHOWN_CHARS].replace(";", ",")


def _kind(desktop: str, environ: Mapping[str, str]) -> str:
    if desktop != "auto":
        return desktop
    if environ.get("TERM") == "linux":  # the console has no desktop
        return "off"
    knows_777 = environ.get("VTE_VERSION") or environ.get("TERM", "").startswith(("foot", "rxvt"))
    return "osc777" if knows_777 else "osc9"


def _notification(title: str, text: str, kind: str) -> str:
    if kind == "osc777":
        return f"\x1b]777;notify;{title};{text}\x1b\\"
    return f"\x1b]9;{title}: {text}\x1b\\"


def _through(written: str, environ: Mapping[str, str]) -> str:
    """Through tmux to the terminal around it, where tmux was told to let such sequences through (`allow-passthrough`)."""
    if not environ.get("TMUX"):
        return written
    return "\x1bPtmux;" + written.replace("\x1b", "\x1b\x1b") + "\x1b\\"
