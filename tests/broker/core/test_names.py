"""broker.core.names: one owner at a time, whatever the order in which people come and go."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.core.names import Names
from common.errors import Code, Refused
from common.names import fold

GRACE_MS = 60_000
NAMES = ["ada", "Ada", "ADA", "bob", "Straße", "STRASSE"]
KEYS = sorted({fold(name) for name in NAMES})
identities = st.sampled_from("abc")


class People(RuleBasedStateMachine):
    """Against a plain list of sessions, and of what was left behind."""

    def __init__(self) -> None:
        super().__init__()
        self.names = Names(GRACE_MS)
        self.now_ms = 1_000_000
        self.sessions: list[tuple[str, str, str]] = []
        """Key, identity, and the name as it was granted."""
        self.left: dict[str, tuple[str, str, int]] = {}
        """By key: who left it last, as it was written, and until when it is kept."""

    def owner(self, key: str) -> tuple[str, str] | None:
        """Identity and name."""
        for other, identity, name in self.sessions:
            if other == key:
                return identity, name
        identity, name, until = self.left.get(key, ("", "", 0))
        return (identity, name) if self.now_ms < until else None

    @rule(name=st.sampled_from(NAMES), identity=identities)
    def claim(self, name: str, identity: str) -> None:
        key = fold(name)
        owner = self.owner(key)
        if owner is not None and owner[0] != identity:
            with pytest.raises(Refused) as refused:
                self.names.claim(key, name, identity, self.now_ms)
            assert refused.value.code == Code.NAME_TAKEN
            return
        here = [written for other, _, written in self.sessions if other == key]
        granted = self.names.claim(key, name, identity, self.now_ms)
        assert granted == (here[0] if here else name)
        self.sessions.append((key, identity, granted))

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        self.sessions.remove(session)
        key, identity, name = session
        until = self.names.release(key, self.now_ms)
        if any(other == key for other, _, _ in self.sessions):
            assert until is None
        else:
            assert until == self.now_ms + GRACE_MS
            self.left[key] = (identity, name, until)

    @rule(ms=st.sampled_from([1, 1_000, GRACE_MS - 1, GRACE_MS, 10 * GRACE_MS]))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms

    @rule(by_ms=st.sampled_from([-GRACE_MS, -1, 5 * GRACE_MS]))
    def the_clock_is_set(self, by_ms: int) -> None:
        self.now_ms += by_ms
        self.names.clock_jumped(by_ms)
        self.left = {key: (identity, name, until + by_ms) for key, (identity, name, until) in self.left.items()}

    @rule()
    def what_is_kept_no_longer_is_forgotten(self) -> None:
        self.names.forget_expired(self.now_ms)

    @invariant()
    def everybody_has_what_is_theirs(self) -> None:
        for key in KEYS:
            owner = self.names.owner(key, self.now_ms)
            assert (None if owner is None else (owner.identity, owner.name)) == self.owner(key)


TestPeople = People.TestCase


def test_a_taken_name_is_told_as_it_is_written() -> None:
    names = Names(GRACE_MS)
    names.claim("ada", "Ada", "a", 0)
    with pytest.raises(Refused, match=r"^Ada is taken, pick another name$"):
        names.claim("ada", "ADA", "b", 0)


def test_the_name_that_was_left_last_is_known_as_long_as_it_is_kept() -> None:
    names = Names(GRACE_MS)
    for name in ("ada", "adele"):
        names.claim(name, name, "a", 0)
    names.told()
    assert names.former("adele") is None
    names.release("ada", 0)
    assert (names.former("adele"), names.former("ada"), names.former("bob")) == ("ada", None, None)
    names.forget_expired(GRACE_MS)
    assert names.former("adele") is None


def test_a_name_that_somebody_else_has_now_is_not_one_s_former_one() -> None:
    names = Names(GRACE_MS)
    names.claim("ada", "ada", "a", 0)
    names.claim("adele", "adele", "a", 0)
    names.told()
    names.release("ada", 0)
    names.claim("ada", "ada", "b", GRACE_MS)
    names.told()
    assert names.former("adele") is None
    names.release("ada", GRACE_MS)
    assert names.former("adele") is None


@pytest.mark.parametrize(("later_ms", "wait"), [(0, 60), (1, 60), (59_000, 1), (59_999, 1)])
def test_one_who_wants_a_kept_name_is_told_how_long_to_wait(later_ms: int, wait: int) -> None:
    names = Names(GRACE_MS)
    names.claim("ada", "Ada", "a", 0)
    names.release("ada", 0)
    with pytest.raises(Refused, match=rf"wait {wait} s$"):
        names.claim("ada", "ada", "b", later_ms)


def test_a_name_that_a_former_broker_kept_is_its_owners() -> None:
    names = Names(GRACE_MS)
    names.keep("ada", "Ada", "a", 5_000)
    with pytest.raises(Refused):
        names.claim("ada", "ada", "b", 4_999)
    assert names.claim("ada", "ADA", "a", 4_999) == "ADA"
    names.release("ada", 5_000)
    assert names.claim("ada", "ada", "b", 5_000 + GRACE_MS) == "ada"
    owner = names.owner("ada", 5_000 + GRACE_MS)
    assert owner is not None
    assert owner.identity == "b"


def test_a_name_that_is_free_is_not_held_in_memory() -> None:
    names = Names(GRACE_MS)
    for number in range(3):
        names.claim(f"n{number}", f"n{number}", "a", 0)
        names.release(f"n{number}", number)
    names.forget_expired(GRACE_MS + 1)
    assert sorted(names._owners) == ["n2"]


def test_a_name_that_looks_like_one_in_use_or_kept_is_refused_and_says_which() -> None:
    names = Names(GRACE_MS)
    names.claim("ada", "Ada", "a", 0)
    with pytest.raises(Refused, match=r"^аda looks like Ada, who is somebody else: pick another name$") as refused:
        names.claim(fold("аda"), "аda", "b", 0)
    assert refused.value.code == Code.NAME_CONFUSABLE
    names.release("ada", 0)
    with pytest.raises(Refused):
        names.claim(fold("аda"), "аda", "b", GRACE_MS - 1)
    assert names.claim(fold("аda"), "аda", "a", GRACE_MS - 1) == "аda", "one may look like oneself"
    names.release(fold("аda"), 0)
    names.forget_expired(GRACE_MS)
    assert names.claim(fold("аda"), "аda", "b", GRACE_MS) == "аda"


def test_names_that_a_new_broker_keeps_are_not_to_be_taken_for_others() -> None:
    names = Names(GRACE_MS)
    names.keep("ada", "ada", "a", GRACE_MS)
    with pytest.raises(Refused):
        names.claim(fold("аda"), "аda", "b", 0)


def test_names_of_ascii_alone_are_compared_by_case_alone() -> None:
    names = Names(GRACE_MS)
    for identity, name in enumerate(["mike", "rnike", "I", "l", "1"]):
        assert names.claim(fold(name), name, str(identity), 0) == name
    with pytest.raises(Refused, match="looks like mike"):
        names.claim(fold("mіke"), "mіke", "b", 0)
