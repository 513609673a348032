"""workers.placement: the rules, against a plain account of what each worker has."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from workers.placement import SLOW_SECONDS, UNCONFIRMED_MOST, Placement

numbers = st.integers(1, 5)


class Account:
    """What one worker has: connections on their way to it, and open ones."""

    def __init__(self) -> None:
        self.on_the_way = 0
        self.taken = 0
        self.open = 0
        self.waited_for_since = 0.0


class Placing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.placement = Placement()
        self.accounts: dict[int, Account] = {}
        self.order: list[int] = []
        """Workers by the time of their last connection, the newest last."""
        self.now = 0.0

    @rule(seconds=st.sampled_from([0.1, SLOW_SECONDS, 2 * SLOW_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(number=numbers)
    def a_worker_comes(self, number: int) -> None:
        self.placement.add(number)
        self.accounts[number] = Account()
        if number in self.order:
            self.order.remove(number)

    @rule(number=numbers)
    def a_worker_goes(self, number: int) -> None:
        self.placement.remove(number)
        self.accounts.pop(number, None)

    @rule(count=st.integers(1, 40))
    def connections_come(self, count: int) -> None:
        for _ in range(count):
            number = self.placement.pick(self.now)
            assert self.placement.any_takes_more(self.now) == (number is not None)
            if number is None:
                return
            self.placement.give(number, self.now)
            account = self.accounts[number]
            account.waited_for_since = account.waited_for_since if account.on_the_way else self.now
            account.on_the_way += 1
            if number in self.order:
                self.order.remove(number)
            self.order.append(number)

    @precondition(lambda self: self.accounts)
    @rule(data=st.data())
    def a_worker_takes_and_confirms(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.accounts)))
        account = self.accounts[number]
        taken = data.draw(st.integers(0, account.on_the_way))
        account.on_the_way -= taken
        account.taken += taken
        account.open = data.draw(st.integers(0, account.open + taken))
        account.waited_for_since = self.now
        self.placement.confirm(number, account.taken, account.open, self.now)

    @invariant()
    def never_more_than_so_many_on_the_way(self) -> None:
        assert all(account.on_the_way <= UNCONFIRMED_MOST for account in self.accounts.values())

    @invariant()
    def the_least_burdened_that_has_room_is_picked(self) -> None:
        def burden(number: int) -> tuple[int, int]:
            account = self.accounts[number]
            waited = self.order.index(number) if number in self.order else -1
            return account.open + account.on_the_way, waited

        def has_room(account: Account) -> bool:
            answers = not account.on_the_way or self.now - account.waited_for_since <= SLOW_SECONDS
            return account.on_the_way < UNCONFIRMED_MOST and answers

        room = [number for number, account in self.accounts.items() if has_room(account)]
        picked = self.placement.pick(self.now)
        if not room:
            assert picked is None
        else:
            assert picked in room
            assert burden(picked) == min(map(burden, room))


TestPlacing = Placing.TestCase


def test_equal_workers_take_turns() -> None:
    placement = Placement()
    for number in (1, 2, 3):
        placement.add(number)
    picked = []
    for _ in range(6):
        picked.append(placement.pick(0.0))
        placement.give(picked[-1] or 0, 0.0)
    assert picked == [1, 2, 3, 1, 2, 3]


def test_nobody_is_picked_when_there_is_nobody() -> None:
    placement = Placement()
    assert placement.pick(0.0) is None
    placement.add(1)
    placement.remove(1)
    placement.remove(1)
    assert placement.pick(0.0) is None
