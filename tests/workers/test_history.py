"""Pages of older messages: who is served when, and what fits."""

from __future__ import annotations

from common import messages as m
from common.codec import size
from common.limits import FRAME_BYTES
from common.log import Entry
from workers.history import PAGES_PER_TURN, PagesWanted, PageWanted
from workers.session import Session


def wanted(session: Session, ref: int) -> PageWanted:
    return PageWanted(session, ref, "#dev", "#dev", None, 200)


def sessions(count: int) -> list[Session]:
    return [Session(sid, "peer", 0.0) for sid in range(1, count + 1)]


def entries(count: int, text: str) -> list[Entry]:
    return [Entry(id, 1, "#dev", "#dev", "ada", "g" + "a" * 16, id, text) for id in range(1, count + 1)]


def test_one_who_asks_for_many_waits_behind_the_others() -> None:
    pages, (greedy, modest) = PagesWanted(), sessions(2)
    for ref in range(3):
        pages.add(wanted(greedy, ref))
    pages.add(wanted(modest, 9))
    assert [(page.session, page.ref) for page in pages.take()] == [(greedy, 0), (modest, 9)]
    assert [page.ref for page in pages.take()] == [1]
    assert [page.ref for page in pages.take()] == [2]
    assert not pages.any_due


def test_a_turn_reads_only_so_many() -> None:
    pages = PagesWanted()
    for session in sessions(PAGES_PER_TURN + 2):
        pages.add(wanted(session, 1))
    assert len(pages.take()) == PAGES_PER_TURN
    assert len(pages.take()) == 2


def test_who_does_not_read_gets_no_further_page() -> None:
    pages, (blocked,) = PagesWanted(), sessions(1)
    pages.add(wanted(blocked, 1))
    blocked.blocked = True
    assert not pages.any_due
    assert not pages.take()
    blocked.blocked = False
    assert [page.ref for page in pages.take()] == [1]


def test_what_a_closed_connection_wanted_is_forgotten() -> None:
    pages, (gone,) = PagesWanted(), sessions(1)
    pages.add(wanted(gone, 1))
    pages.forget(gone.sid)
    assert not pages.any_due
    assert not pages.take()


def test_a_page_that_fits_is_whole() -> None:
    page = wanted(sessions(1)[0], 7).filled(entries(5, "hi"), more=False)
    assert (page.ref, page.to, [row[0] for row in page.rows]) == (7, "#dev", [1, 2, 3, 4, 5])
    assert page.options == {"more": False, "conv": "#dev"}


def test_of_too_much_the_newest_stay_and_there_is_more() -> None:
    page = wanted(sessions(1)[0], 7).filled(entries(10, "x" * 15_000), more=False)
    assert [row[0] for row in page.rows] == [7, 8, 9, 10]
    assert page.options["more"] is True
    assert len(m.encode(page)) <= FRAME_BYTES < len(m.encode(page)) + size([*entries(1, "x" * 15_000)[0]])
