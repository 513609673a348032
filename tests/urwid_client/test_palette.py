"""Every theme is readable on its background: computed, not judged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import urwid
from urwid.testing import resolve_attr

from urwid_client import rendering
from urwid_client.palette import THEMES, palette

AUTO = palette("auto")
STYLES = [entry[0] for entry in AUTO if entry[0] is not None]
MARKED = ("mention", "mentions", "title", "strong", "active", "prompt", "unread rule", "important", "failed", "bad", "hit")
"""What is bold where there are no colours, beside the names of who speaks."""
OWN_BACKGROUND = {"dark": 4.5, "light": 4.5, "contrast": 7.0}
"""The least contrast of the themes that bring a background."""
SOURCES = Path(rendering.__file__).parent


def luminance(red: int, green: int, blue: int) -> float:
    """Relative luminance as WCAG defines it."""
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in (red / 255, green / 255, blue / 255)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("style", STYLES)
def test_colours_can_be_read_on_black_and_on_white(style: str) -> None:
    spec = resolve_attr(style, AUTO, colors=256)
    assert spec.background == "default"
    if spec.foreground.split(",")[0] != "default":
        red, green, blue = (part or 0 for part in spec.get_rgb_values()[:3])
        brightness = luminance(red, green, blue)
        assert (brightness + 0.05) / 0.05 >= 4.5
        assert 1.05 / (brightness + 0.05) >= 4.5


@pytest.mark.parametrize(("theme", "least"), OWN_BACKGROUND.items())
def test_themes_with_a_background_can_be_read_on_it(theme: str, least: float) -> None:
    for style in STYLES:
        red, green, blue, *behind = (part or 0 for part in resolve_attr(style, palette(theme), colors=256).get_rgb_values())
        brighter, darker = sorted((luminance(red, green, blue), luminance(*behind)), reverse=True)
        assert (brighter + 0.05) / (darker + 0.05) >= least, style


@pytest.mark.parametrize("theme", ["auto", "16"])
def test_no_name_looks_like_what_matters(theme: str) -> None:
    colours = {style: resolve_attr(style, palette(theme), colors=256).foreground.split(",")[0] for style in STYLES}
    names = {colour for style, colour in colours.items() if style.startswith(("name", "person"))}
    assert len(names) == 5
    assert not names & {colours[style] for style in ("bad", "failed", "important", "mention", "mentions", "unread rule")}


def test_each_theme_has_every_style() -> None:
    for theme in THEMES:
        assert [entry[0] for entry in palette(theme)] == [entry[0] for entry in AUTO]


def test_sixteen_colours_are_named_and_none_are_none() -> None:
    assert not [entry for entry in palette("16") if "#" in entry[4] or "g4" in entry[4]]
    for _, basic, _, plain, high, _ in palette("none"):
        assert {colour.split(",")[0] for colour in (basic, plain, high)} <= {
            "default",
            "bold",
            "underline",
            "italics",
            "standout",
        }


def test_without_colours_there_is_bold_and_underline() -> None:
    title, mention = (resolve_attr(style, palette("none"), colors=256) for style in ("title", "mention"))
    assert (title.bold, title.underline, mention.bold, mention.underline) == (True, False, True, True)


@pytest.mark.parametrize("style", STYLES)
def test_who_wants_no_colours_still_sees_what_matters(style: str) -> None:
    """By the bold and the underlines of a terminal that has no colours."""
    wanted = resolve_attr(style, palette("none"), colors=256)
    assert wanted.foreground == resolve_attr(style, AUTO, colors=1).foreground
    assert wanted.bold == (style in MARKED or style.startswith("name"))


@pytest.mark.parametrize("style", STYLES)
def test_without_colours_there_are_none(style: str) -> None:
    spec = resolve_attr(style, AUTO, colors=1)
    assert (spec.foreground.split(",")[0], spec.background) == ("default", "default")


@pytest.mark.parametrize("colors", [1, 16, 88, 256, 2**24])
def test_every_style_is_possible_everywhere(colors: int) -> None:
    for style in STYLES:
        assert isinstance(resolve_attr(style, AUTO, colors=colors), urwid.AttrSpec)


def test_all_styles_that_are_used_exist_and_all_that_exist_are_used() -> None:
    used = {"strong", "emphasis", "code"}  # the names of groups in a regular expression
    used |= {f"{kind}{number}" for kind in ("name", "person") for number in range(rendering.NAME_COLOURS)}
    for source in [SOURCES / "rendering.py", SOURCES / "face.py", SOURCES / "markup.py", *(SOURCES / "widgets").glob("*.py")]:
        used |= {word for word in re.findall(r'"([a-z ]+)"', source.read_text()) if word in STYLES}
        spans = re.findall(r'(?<!\w)\(\s*"([a-z ]+)", f?"', source.read_text())
        assert set(spans) <= set(STYLES), source
    assert used == set(STYLES)
