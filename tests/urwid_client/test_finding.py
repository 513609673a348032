from __future__ import annotations

import pytest

from urwid_client.finding import Finder, found_in, parted
from urwid_client.keys import Action, KeyMap


class Shelf:
    """Messages by number, of which so many are loaded; pages of ten come when they are asked for."""

    def __init__(self, *texts: str, loaded: int) -> None:
        self.texts = texts
        self.first = len(texts) - loaded
        self.at = len(texts)
        self.asked = 0
        self.marked = ""
        self.connected = True
        self.finder = Finder(self, self.load, lambda: self.first > 0)

    def load(self) -> bool:
        self.asked += self.first > 0
        return self.connected and self.first > 0

    def page_comes(self) -> None:
        self.first = max(self.first - 10, 0)
        self.finder.go_on()

    def mark(self, query: str) -> None:
        self.marked = query

    def has(self, query: str) -> bool:
        return any(query in text for text in self.texts[self.first :])

    def seek(self, query: str, by: int) -> bool:
        places = range(self.at + 1, len(self.texts)) if by > 0 else range(self.at + by, self.first - 1, -1)
        found = next((at for at in places if at < len(self.texts) and query in self.texts[at]), None)
        self.at = self.at if found is None else found
        return found is not None


def searching(query: str, *texts: str, loaded: int | None = None) -> Shelf:
    shelf = Shelf(*texts, loaded=len(texts) if loaded is None else loaded)
    shelf.finder.begin()
    for character in query:
        shelf.finder.write(character)
    return shelf


def test_it_goes_to_the_newest_first_and_stays_while_more_is_typed() -> None:
    shelf = searching("a", "ab", "ac", "x")
    assert (shelf.at, shelf.marked) == (1, "a")
    shelf.finder.write("c")
    assert shelf.at == 1
    shelf.finder.do(Action.DELETE_BACK)
    shelf.finder.write("b")
    assert (shelf.at, shelf.marked, shelf.finder.query) == (0, "ab", "ab")


@pytest.mark.parametrize("older", [Action.FIND, Action.SEND, Action.OLDER_INPUT])
def test_keys_lead_to_earlier_and_later_ones(older: Action) -> None:
    shelf = searching("a", "a0", "a1", "a2")
    places = []
    for action in (older, older, older, Action.NEWER_INPUT, Action.NEWER_INPUT, Action.NEWER_INPUT):
        assert shelf.finder.do(action)
        places.append((shelf.at, shelf.finder.outcome != ""))
    assert places == [(1, False), (0, False), (0, True), (1, False), (2, False), (2, True)]


def test_what_is_nowhere_is_told_as_such() -> None:
    shelf = searching("needle", "hay", "hay")
    assert shelf.finder.outcome == "there is none here at all"
    for action in (Action.SEND, Action.NEWER_INPUT):
        shelf.finder.do(action)
        assert shelf.finder.outcome == "there is none here at all"
    shelf = searching("hay", "hay")
    for action, which in ((Action.SEND, "earlier"), (Action.NEWER_INPUT, "later")):
        shelf.finder.do(action)
        assert shelf.finder.outcome == f"there is no {which} one here"


def test_where_there_is_none_it_is_looked_further_back() -> None:
    shelf = searching("needle", *(["needle"] + ["hay"] * 45), loaded=10)
    while shelf.finder.waits:
        assert "further back" in shelf.finder.outcome
        shelf.page_comes()
    assert (shelf.at, shelf.first, shelf.finder.outcome) == (0, 0, "")
    shelf.finder.do(Action.SEND)
    assert not shelf.finder.waits
    assert shelf.finder.outcome == "there is no earlier one here"
    assert KeyMap({}).told(*shelf.finder.help) == "Esc ends"


def test_one_key_does_not_look_through_all_that_was_ever_said() -> None:
    shelf = searching("needle", *(["hay"] * 10_000), loaded=10)
    while shelf.finder.waits:
        shelf.page_comes()
    assert shelf.asked < 30
    assert shelf.finder.outcome == "none so far"
    assert KeyMap({}).told(*shelf.finder.help) == "Enter goes on, Esc ends"
    shelf.finder.do(Action.SEND)
    assert shelf.finder.waits


@pytest.mark.parametrize(
    ("action", "its", "ends"),
    [
        (Action.CLOSE, True, True),
        (Action.INTERRUPT, True, True),
        (Action.LEFT, True, False),
        (Action.KILL_TO_END, True, False),
        (Action.UNDO, True, False),
        (Action.NEXT_BUFFER, False, True),
        (Action.PAGE_UP, False, False),
        (Action.TO_END, False, False),
    ],
)
def test_what_ends_it_and_what_belongs_to_others(action: Action, its: bool, ends: bool) -> None:
    shelf = searching("a", "a0", "a1")
    assert shelf.finder.do(action) == its
    assert shelf.finder.active is not ends
    assert shelf.marked == ("" if ends else "a")


def test_what_is_looked_for_can_be_cut() -> None:
    shelf = searching("one two ", "one two ", "one")
    assert shelf.finder.do(Action.KILL_WORD_BACK)
    assert (shelf.finder.query, shelf.at) == ("one", 0)
    assert shelf.finder.do(Action.KILL_TO_START)
    assert (shelf.finder.query, shelf.finder.active) == ("", True)


def test_a_search_begins_anew_whatever_was_gone_to_before() -> None:
    shelf = Shelf("a0", loaded=1)
    shelf.marked = "another"
    shelf.finder.begin()
    assert shelf.marked == ""


def test_without_words_nothing_is_found() -> None:
    shelf = searching("", "a0")
    shelf.finder.do(Action.SEND)
    assert (shelf.at, shelf.finder.outcome) == (1, "")
    shelf.finder.do(Action.DELETE_BACK)
    assert shelf.finder.query == ""


def test_words_are_found_however_they_are_written() -> None:
    assert found_in("Die GRÜNE", "grüne")
    assert found_in("what a (good) day", "(GOOD)")
    assert not found_in("what a good day", "g..d")
    assert parted("one Two one", "ONE") == ["", "one", " Two ", "one", ""]


def test_without_a_connection_only_what_is_loaded_is_searched() -> None:
    shelf = Shelf("needle", "hay", "more hay", loaded=2)
    shelf.connected = False
    shelf.finder.begin()
    shelf.finder.write("n")
    assert shelf.finder.outcome == "there is none in what is loaded; you are not connected, so earlier ones cannot be"
    assert not shelf.finder.waits
    shelf.connected = True
    shelf.finder.do(Action.FIND)
    shelf.page_comes()
    assert shelf.at == 0
