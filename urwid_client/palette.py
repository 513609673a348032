"""The themes: the colours of the styles that `rendering` speaks of. Each is readable on its background; a test computes it.

`auto` leaves background and ordinary text to the terminal. Its other colours are of middle brightness: each has a contrast of at
least 4.5:1 both to black and to white, so there is nothing to choose; there are no more than these among the 256 colours. `dark`,
`light` and `contrast` bring their own background, with at least 4.5:1 (`contrast`: 7:1). `16` has named colours only, which the
terminal's own theme makes fit. `none`, and a terminal without colours or with NO_COLOR, make do with bold and underline.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Entry: TypeAlias = tuple[str | None, str, str, str, str, str]
"""As Urwid takes it: style; foreground and background of 16 colours; without colours; foreground and background of 256."""

_BASIC_NAMES = (("dark green", "dark magenta", "dark cyan", "brown", "dark blue") * 3)[:12]
"""Red is for what matters."""


class _Theme(NamedTuple):
    """The colours of a theme, for 256 colours; where there are 16, those with names are taken."""

    background: str
    text: str
    grey: str
    red: str
    accent: str
    green: str
    names: tuple[str, ...]
    basic: tuple[str, str] = ("default", "default")
    """Text and background for 16 colours."""


_AUTO = _Theme(
    background="default",
    text="default",
    grey="g46",
    red="#d0a",
    accent="#66f",
    green="#086",
    names=(("#a66", "#086", "#86d", "#66f", "default") * 3)[:12],
)
_DARK = _Theme(
    background="g11",
    text="g85",
    grey="g58",
    red="#f66",
    accent="#6af",
    green="#6d6",
    names=("#fa8", "#8d8", "#d8f", "#8df", "#fd6", "#8af", "#f88", "#ad6", "#fad", "#6dd", "#da8", "#aaf"),
    basic=("light gray", "black"),
)
_LIGHT = _Theme(
    background="g93",
    text="g15",
    grey="g38",
    red="#a00",
    accent="#06a",
    green="#060",
    names=("#860", "#060", "#608", "#068", "#a06", "#00a", "#800", "#066", "#80a", "#660", "#06a", "#600"),
    basic=("black", "light gray"),
)
_CONTRAST = _Theme(
    background="#000",
    text="#fff",
    grey="g85",
    red="#f88",
    accent="#8df",
    green="#8f8",
    names=("#fd6", "#8f8", "#f8f", "#8ff", "#fa8", "#aaf", "#ff8", "#8fd", "#faf", "#ddd", "#daf", "#afa"),
    basic=("white", "black"),
)
THEMES = ("auto", "dark", "light", "contrast", "16", "none")


def palette(theme: str) -> tuple[Entry, ...]:
    """The styles in a theme's colours. The one without a name is that of everything between the others."""
    if theme == "none":
        return tuple((style, plain, "default", plain, plain, "default") for style, _, _, plain, *_ in palette("auto"))
    if theme == "16":
        return tuple((style, basic, behind, plain, basic, behind) for style, basic, behind, plain, *_ in palette("auto"))
    return _entries({"auto": _AUTO, "dark": _DARK, "light": _LIGHT, "contrast": _CONTRAST}[theme])


def _entries(theme: _Theme) -> tuple[Entry, ...]:
    text, behind = theme.basic
    faint = f"{text},faint" if text == "default" else text

    def style(name: str | None, basic: str, plain: str, high: str) -> Entry:
        return (name, basic, behind, plain, high, theme.background)

    return (
        style(None, text, "default", theme.text),
        style("text", text, "default", theme.text),
        *(style(name, faint, "default", theme.grey) for name in _QUIET),
        *(style(name, "dark red", "bold", theme.red) for name in ("unread rule", "important", "failed", "bad")),
        *(style(name, "dark red,bold", "bold,underline", f"{theme.red},bold") for name in ("mention", "mentions")),
        *(style(name, f"{text},bold", "bold", f"{theme.text},bold") for name in ("title", "strong")),
        style("found", f"{text},standout", "standout", f"{theme.text},standout"),
        style("hit", f"{text},bold,underline,standout", "bold,underline,standout", f"{theme.text},bold,underline,standout"),
        style("active", f"{text},bold", "bold,underline", f"{theme.text},bold"),
        style("waiting", text, "default", theme.text),
        style("unread", "dark cyan", "default", theme.accent),
        style("prompt", "dark cyan", "bold", theme.accent),
        style("good", "dark green", "default", theme.green),
        style("emphasis", f"{text},italics", "italics", f"{theme.text},italics"),
        style("code", "dark green", "default", theme.green),
        style("code block", "dark green", "default", theme.green),
        *(
            style(f"name{number}", f"{basic},bold", "bold", f"{high},bold")
            for number, (basic, high) in enumerate(zip(_BASIC_NAMES, theme.names, strict=True))
        ),
        *(
            style(f"person{number}", basic, "default", high)
            for number, (basic, high) in enumerate(zip(_BASIC_NAMES, theme.names, strict=True))
        ),
    )


_QUIET = ("time", "faint", "note", "traffic", "rule", "border", "pending", "quiet", "away")
"""Styles of what is not to draw the eye."""
