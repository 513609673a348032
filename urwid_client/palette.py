"""The colours of the styles that `rendering` speaks of. Few, and readable on dark and on light backgrounds.

The background and the ordinary text are the terminal's own. With 256 colours, the others are of middle brightness: each has a
contrast of at least 3.5:1 both to black and to white (a test computes it), so there is nothing to choose for dark or light. With
16 colours they are named ones, which the terminal's theme makes fit. Without colours (NO_COLOR) bold and underline must do.
"""

from __future__ import annotations

from typing import TypeAlias

Entry: TypeAlias = tuple[str, str, str, str, str, str]
"""As Urwid takes it: style; foreground and background of 16 colours; without colours; foreground and background of 256."""

GREY = "g46"
RED = "#d00"
ACCENT = "#08d"

NAMES: tuple[tuple[str, str], ...] = (
    ("dark red", "#d60"),
    ("dark green", "#080"),
    ("dark magenta", "#a6d"),
    ("dark cyan", "#088"),
    ("brown", "#a60"),
    ("dark blue", "#08d"),
    ("dark red", "#d66"),
    ("dark green", "#680"),
    ("dark magenta", "#d0a"),
    ("dark cyan", "#68a"),
    ("brown", "#a68"),
    ("dark blue", "#66f"),
)
"""The colours of names, for 16 and for 256 colours."""


def _style(name: str, basic: str, plain: str, high: str) -> Entry:
    return (name, basic, "default", plain, high, "default")


PALETTE: tuple[Entry, ...] = (
    _style("text", "default", "default", "default"),
    _style("time", "default,faint", "default", GREY),
    _style("faint", "default,faint", "default", GREY),
    _style("note", "default,faint", "default", GREY),
    _style("traffic", "default,faint", "default", GREY),
    _style("rule", "default,faint", "default", GREY),
    _style("border", "default,faint", "default", GREY),
    _style("pending", "default,faint", "default", GREY),
    _style("unread rule", "dark red", "bold", RED),
    _style("important", "dark red", "bold", RED),
    _style("failed", "dark red", "bold", RED),
    _style("mention", "dark red,bold", "bold,underline", f"{RED},bold"),
    _style("title", "default,bold", "bold", "default,bold"),
    _style("active", "default,bold", "bold,underline", "default,bold"),
    _style("waiting", "default", "default", "default"),
    _style("quiet", "default,faint", "default", GREY),
    _style("unread", "dark cyan", "default", ACCENT),
    _style("mentions", "dark red,bold", "bold", f"{RED},bold"),
    _style("prompt", "dark cyan", "bold", ACCENT),
    _style("good", "dark green", "default", "#080"),
    _style("bad", "dark red", "bold", RED),
    *(_style(f"name{number}", f"{basic},bold", "bold", f"{high},bold") for number, (basic, high) in enumerate(NAMES)),
    *(_style(f"person{number}", basic, "default", high) for number, (basic, high) in enumerate(NAMES)),
)
