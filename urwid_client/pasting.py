"""A paste: the keys that come between the marks with which a terminal surrounds it are a text. Knows no line and no screen."""

from __future__ import annotations

from common.text import clean

_BEGIN, _END = "begin paste", "end paste"
PASTE_KEYS = (_BEGIN, _END)
"""What stands around the keys of a paste."""
_END_IN_PIECES = "\x1b[201~"
"""The mark of the end where its bytes came so far apart (on a slow network) that they are keys of their own."""
_TYPED = {"enter": "\n", "tab": "\t", "esc": "\x1b", "meta [": "\x1b["}
"""The characters of keys that have other names."""


class Paste:
    """What is being pasted."""

    def __init__(self) -> None:
        self._typed: list[str] | None = None

    @property
    def active(self) -> bool:
        """Whether the keys that come belong to it."""
        return self._typed is not None

    def take(self, key: str) -> str | None:
        """Takes a key while `active`, or one that begins or ends it; the text once it has ended."""
        if key == _END:
            return self._end()
        if self._typed is None:
            self._typed = [] if key == _BEGIN else None
            return None
        self._typed.append(_TYPED.get(key, key if len(key) == 1 else ""))
        return self._end() if "".join(self._typed[-len(_END_IN_PIECES) :]).endswith(_END_IN_PIECES) else None

    def _end(self) -> str:
        text, self._typed = "".join(self._typed or ()), None
        return clean(text.removesuffix(_END_IN_PIECES))
