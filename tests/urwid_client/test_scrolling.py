from __future__ import annotations

from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from urwid_client.scrolling import Key, Viewport


class Heights:
    """Blocks with the ids 10, 20, … and the given heights."""

    def __init__(self, *heights: int, first: int = 10) -> None:
        self.heights = list(heights)
        self.keys = [(first + 10 * index, 0) for index in range(len(heights))]

    def __len__(self) -> int:
        return len(self.heights)

    def key(self, index: int) -> Key:
        return self.keys[index]

    def find(self, key: Key) -> int:
        return bisect_right(self.keys, key) - 1

    def height(self, index: int) -> int:
        return self.heights[index]

    def rows(self) -> list[tuple[Key, int]]:
        """Every row: the block's key, and which of its rows it is."""
        return [(key, row) for key, height in zip(self.keys, self.heights, strict=True) for row in range(height)]


def seen(view: Viewport, blocks: Heights, rows: int) -> list[tuple[Key, int]]:
    """The rows in view."""
    return [(blocks.key(part.block), part.skipped + row) for part in view.parts(blocks, rows) for row in range(part.rows)]


def test_the_end_is_in_view_at_first() -> None:
    blocks = Heights(1, 2, 3)
    assert seen(Viewport(), blocks, 4) == blocks.rows()[-4:]


def test_what_is_shorter_than_the_view_is_shown_whole() -> None:
    blocks = Heights(1, 2)
    assert seen(Viewport(), blocks, 10) == blocks.rows()


def test_nothing_is_in_view_of_nothing() -> None:
    view = Viewport()
    view.scroll(Heights(), 5, 1)
    view.to_start(Heights(), 5)
    assert seen(view, Heights(), 5) == []
    assert view.newer(Heights()) == 0


def test_scrolling_moves_by_rows_and_stops_at_the_first() -> None:
    blocks, view = Heights(3, 3, 3), Viewport()
    view.scroll(blocks, 4, 2)
    assert seen(view, blocks, 4) == blocks.rows()[3:7]
    assert not view.follows
    view.scroll(blocks, 4, 100)
    assert seen(view, blocks, 4) == blocks.rows()[:4]


def test_scrolling_down_to_the_end_follows_again() -> None:
    blocks, view = Heights(3, 3, 3), Viewport()
    view.to_start(blocks, 4)
    assert seen(view, blocks, 4) == blocks.rows()[:4]
    view.scroll(blocks, 4, -3)
    assert seen(view, blocks, 4) == blocks.rows()[3:7]
    view.scroll(blocks, 4, -3)
    assert view.follows


def test_new_blocks_do_not_pull_the_view_down() -> None:
    blocks, view = Heights(2, 2, 2, 2), Viewport()
    view.scroll(blocks, 3, 2)
    before = seen(view, blocks, 3)
    assert seen(view, Heights(2, 2, 2, 2, 5, 5), 3) == before
    assert view.newer(Heights(2, 2, 2, 2, 5, 5)) == 3


def test_older_blocks_do_not_move_the_view() -> None:
    blocks, view = Heights(2, 2, 2, first=100), Viewport()
    view.scroll(blocks, 3, 100)
    before = seen(view, blocks, 3)
    assert seen(view, Heights(*[4] * 9, 2, 2, 2, first=10), 3) == before


def test_blocks_that_went_away_leave_the_view_at_the_nearest() -> None:
    view = Viewport()
    view.scroll(Heights(1, 1, 1, 1, 1, 1), 2, 3)
    rest = Heights(1, 1, first=500)
    assert seen(view, rest, 2) == rest.rows()[:1]


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=12),
    st.integers(1, 10),
    st.lists(st.integers(-15, 15), max_size=12),
)
def test_the_view_is_always_whole_rows_in_order_and_full(heights: list[int], rows: int, moves: list[int]) -> None:
    blocks, view = Heights(*heights), Viewport()
    everything = blocks.rows()
    full = min(rows, len(everything))
    lower = len(everything)
    for move in moves:
        view.scroll(blocks, rows, move)
        lower = min(max(lower - move, full), len(everything))
        assert seen(view, blocks, rows) == everything[lower - full : lower]
        assert view.follows == (lower == len(everything))


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=8),
    st.integers(1, 6),
    st.integers(1, 9),
    st.lists(st.integers(1, 9), max_size=8),
)
def test_other_heights_keep_the_block_at_the_edge(heights: list[int], rows: int, up: int, others: list[int]) -> None:
    """As after a change of the window's width."""
    blocks, view = Heights(*heights), Viewport()
    view.scroll(blocks, rows, up)
    edge = view.parts(blocks, rows)[-1].block
    blocks.heights = [*others, *heights][: len(heights)]
    assert view.parts(blocks, rows)[-1].block == edge
