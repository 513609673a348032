"""What somebody meant who wrote a word that there is not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

_ALIKE = 0.7
"""How much of two words must be the same. With less, what is proposed is any word, and leads astray."""


def meant(word: str, known: Sequence[str]) -> str | None:
    """The known word that this one is nearly the same as, if there is one."""
    import difflib  # only for those who mistype

    beginning = _beginning(known)
    if not word.startswith(beginning):
        beginning = ""
    words = [one.removeprefix(beginning) for one in known]
    close = difflib.get_close_matches(word.removeprefix(beginning), words, n=1, cutoff=_ALIKE)
    return f"{beginning}{close[0]}" if close else None


def _beginning(words: Sequence[str]) -> str:
    """What all of them begin with: that a word begins so as well makes it like none of them."""
    alike = takewhile(lambda letters: len({*letters}) == 1, zip(*words, strict=False))
    return "".join(letters[0] for letters in alike)
