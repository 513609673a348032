"""Which part of a long list is in view. Counts rows; knows nothing of what is in them.

The list is one of blocks, each some rows high. The view is told by its lower edge: a block, and how many of its rows are below
the edge. So blocks that come above or below it move nothing, and another width keeps the same block at the edge.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias

Key: TypeAlias = tuple[int, int]
"""A block's place in the list, for good: what it is compared by."""


class Blocks(Protocol):
    """The list as it is now."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> Key: ...

    def find(self, key: Key) -> int:
        """The index of the last block whose key is not greater; -1 if there is none."""

    def height(self, index: int) -> int:
        """In rows; at least 1."""


class Part(NamedTuple):
    """Some rows of one block."""

    block: int
    """Its index."""
    skipped: int
    """Rows of the block above those shown."""
    rows: int


class Viewport:
    """The state of one view."""

    def __init__(self) -> None:
        self._edge: Key | None = None
        """The block at the lower edge; None follows the end."""
        self._hidden = 0

    @property
    def follows(self) -> bool:
        """Whether the end is in view, and stays so when something is added."""
        return self._edge is None

    def to_end(self) -> None:
        self._edge, self._hidden = None, 0

    def to_start(self, blocks: Blocks, rows: int) -> None:
        if len(blocks):
            self._rest(blocks, rows, 0, blocks.height(0) - 1)

    def bring(self, blocks: Blocks, rows: int, index: int, above: int) -> None:
        """Puts a block into view, with so many rows above it."""
        self._edge, self._hidden = blocks.key(index), blocks.height(index) - 1
        self.scroll(blocks, rows, above + 1 - rows)

    def scroll(self, blocks: Blocks, rows: int, by: int) -> None:
        """Moves the view `by` rows towards the start, or towards the end if it is negative."""
        if not len(blocks):
            return
        index, hidden = self._lower_edge(blocks)
        hidden += by
        while index > 0 and hidden >= blocks.height(index):
            hidden -= blocks.height(index)
            index -= 1
        self._rest(blocks, rows, index, min(hidden, blocks.height(index) - 1))

    def parts(self, blocks: Blocks, rows: int) -> list[Part]:
        """What is in view, from above to below; fewer rows than `rows` only if there are no more."""
        if not len(blocks):
            return []
        index, hidden = self._lower_edge(blocks)
        found: list[Part] = []
        while rows > 0 and index >= 0:
            height = blocks.height(index) - hidden
            shown = min(height, rows)
            found.append(Part(index, height - shown, shown))
            rows -= shown
            index, hidden = index - 1, 0
        found.reverse()
        return found

    def newer(self, blocks: Blocks) -> int:
        """The index of the first block that lies wholly below the view."""
        return len(blocks) if self._edge is None else blocks.find(self._edge) + 1

    def _lower_edge(self, blocks: Blocks) -> tuple[int, int]:
        """The block at the lower edge, and how many of its rows are below it."""
        if self._edge is None:
            return len(blocks) - 1, 0
        index = blocks.find(self._edge)
        if index < 0:
            return 0, 0
        return index, min(self._hidden, blocks.height(index) - 1)

    def _rest(self, blocks: Blocks, rows: int, index: int, hidden: int) -> None:
        """Puts the lower edge there, or as far above the end and below the start as there is something to show."""
        above, at = blocks.height(index) - hidden, index
        while above < rows and at > 0:
            at -= 1
            above += blocks.height(at)
        hidden -= max(rows - above, 0)
        while hidden < 0 and index + 1 < len(blocks):
            index += 1
            hidden += blocks.height(index)
        if hidden <= 0 and index == len(blocks) - 1:
            self.to_end()
        else:
            self._edge, self._hidden = blocks.key(index), hidden
