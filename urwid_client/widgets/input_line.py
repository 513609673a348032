"""The line of input: shows what an `Editor` holds, with the cursor, on as many rows as it needs."""

from __future__ import annotations

import urwid

from common.text import clean
from urwid_client import emoji
from urwid_client.editing import Draft
from urwid_client.rendering import Span


class InputLine:
    """`show` says what stands in it. It grows up to a number of rows, and then shows those around the cursor."""

    def __init__(self) -> None:
        self.full_emoji = False
        self._edit = urwid.Edit(multiline=True, wrap="any")

    def show(self, prompt: Span, draft: Draft) -> None:
        self._edit.set_caption(prompt)
        self._edit.set_edit_text(self._visible(draft.text))
        self._edit.set_edit_pos(len(self._visible(draft.text[: draft.cursor])))

    def draw(self, cols: int, most_rows: int) -> urwid.Canvas:
        whole = self._edit.render((cols,), True)
        rows = min(whole.rows(), most_rows)
        _, cursor_row = whole.cursor or (0, 0)
        canvas = urwid.CompositeCanvas(whole)
        canvas.trim(min(max(cursor_row - rows + 1, 0), whole.rows() - rows), rows)
        return canvas

    def _visible(self, text: str) -> str:
        """What was typed or pasted, without anything that could act on the terminal."""
        text = clean(text).replace("\t", "    ")
        return text if self.full_emoji else emoji.plain(text)
