from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from broker.core.looks import Looks
from common.names import differ_enough, fold, looks

NAMES = ["mike", "rnike", "mіke", "Mіke", "bob", "Bob", "Βob", "ада", "aдa", "l", "I", "1", "І"]
names = st.sampled_from(NAMES)


class Index(RuleBasedStateMachine):
    """Against looking at each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = Looks()
        self.held: dict[str, str] = {}

    @rule(name=names)
    def put(self, name: str) -> None:
        self.looks.put(fold(name), name)
        self.held[fold(name)] = name

    @rule(name=names)
    def drop(self, name: str) -> None:
        self.looks.drop(fold(name))
        self.held.pop(fold(name), None)

    @invariant()
    def those_that_look_alike_are_found(self) -> None:
        for name in NAMES:
            alike = {
                key
                for key, other in self.held.items()
                if key != fold(name) and looks(name) & looks(other) and not differ_enough(name, other)
            }
            assert set(self.looks.like(fold(name), name)) == alike

    def teardown(self) -> None:
        for key in [*self.held]:
            self.looks.drop(key)
        assert not self.looks._keys


TestIndex = Index.TestCase
