from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Refused
from common.limits import Limits
from workers.pace import Pace
from workers.session import Session

NOW = 1_000.0


def session(pace: Pace, identity: str = "ada") -> Session:
    one = Session(1, "peer", NOW)
    one.identity = identity
    pace.add(one)
    return one


def sent(pace: Pace, session: Session, count: int) -> int:
    """How many of so many messages are taken."""
    taken = 0
    for _ in range(count):
        try:
            pace.spend(session)
            taken += 1
        except Refused:
            pass
    return taken


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 50)), max_size=30), st.integers(1, 20), st.integers(1, 5))
def test_never_more_than_the_rate_and_what_may_be_borrowed(tries: list[tuple[float, int]], rate: int, burst: int) -> None:
    pace = Pace(Limits(messages_per_second=rate, burst_seconds=burst))
    ada = session(pace)
    now, taken = NOW, 0
    for after, count in tries:
        now += after
        pace.set_time(now)
        taken += sent(pace, ada, count)
        assert taken <= (now - NOW + burst) * rate + 1.001


def test_the_wait_that_is_told_is_long_enough() -> None:
    pace = Pace(Limits(messages_per_second=1, burst_seconds=3))
    ada = session(pace)
    pace.set_time(NOW)
    assert sent(pace, ada, 10) == 4
    with pytest.raises(Refused, match=r"^too many messages at once, wait 1 s$") as refused:
        pace.spend(ada)
    assert refused.value.code == "rate_limited"
    pace.set_time(NOW + 1)
    pace.spend(ada)


def test_the_connections_of_one_person_share() -> None:
    pace = Pace(Limits(messages_per_second=10, user_messages_per_second=20, burst_seconds=1))
    pace.set_time(NOW)
    several = [session(pace) for _ in range(4)]
    assert [one.interval for one in several] == [0.2] * 4
    assert 20 <= sum(sent(pace, one, 100) for one in several) <= 24
    assert session(pace, "bob").interval == 0.1
    pace.remove(several.pop())
    pace.remove(several.pop())
    assert [one.interval for one in several] == [0.1] * 2


def test_those_at_other_workers_count_until_nothing_is_known_of_them() -> None:
    pace = Pace(Limits(messages_per_second=10, user_messages_per_second=20))
    here = [session(pace), session(pace)]
    other = session(pace, "bob")
    pace.set_elsewhere("ada", 4, 0)
    assert [one.interval for one in (*here, other)] == [0.3, 0.3, 0.1]
    pace.remove(here.pop())
    assert here[0].interval == 0.25
    pace.use_limits(Limits(messages_per_second=10, user_messages_per_second=10))
    assert here[0].interval == 0.5
    pace.set_elsewhere("ada", 2, 0)
    assert here[0].interval == 0.3
    pace.clear_elsewhere()
    assert here[0].interval == 0.1
    pace.set_elsewhere("ada", 4, 0)
    pace.remove(here.pop())
    pace.set_elsewhere("ada", 4, 0)
    assert session(pace).interval == 0.1, "what was said of somebody who is gone is forgotten"


def test_what_is_owed_is_owed_by_all_connections() -> None:
    pace = Pace(Limits(messages_per_second=10, burst_seconds=5))
    pace.set_time(NOW)
    one, another = session(pace), session(pace)
    assert pace.owed(one) == 0
    assert sent(pace, one, 30) == 30
    assert pace.owed(one) == pytest.approx(3)
    pace.set_elsewhere("ada", 0, 2)
    assert [round(pace.owed(each), 6) for each in (one, another)] == [3, 2]
    pace.set_time(NOW + 9)
    assert pace.owed(one) == 0


def test_another_connection_does_not_begin_anew() -> None:
    pace = Pace(Limits(messages_per_second=10, burst_seconds=1))
    pace.set_time(NOW)
    sent(pace, session(pace), 100)
    assert sent(pace, session(pace), 100) == 0


def test_who_is_gone_is_forgotten() -> None:
    pace = Pace(Limits())
    ada = session(pace)
    pace.remove(ada)
    pace.remove(ada)
    assert not pace._of_person
