"""The clock jumps, by an hour or by decades: ids rise, nobody is cut off, and what lasts a while lasts as long as it should."""

from __future__ import annotations

import math
import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest

from common import messages as m
from common.errors import Code
from tests.faults.broken import broken
from tests.faults.load import Load
from tests.support.groups import rounds
from tests.support.seeds import seeded
from tests.support.server import Server, running_server
from tests.support.timeouts import seconds, wait_until
from tests.support.verdict import entries_of, verify
from tests.support.wire import Wire

GRACE_SECONDS = math.ceil(seconds(1))
"""For which a name is kept."""
HOUR = 3600
Y1970 = -int(time.time()) + 5
Y2106 = 2**32 + 5 - int(time.time())


def test_the_clock_may_jump(tmp_path: Path) -> None:
    clock_jumps(tmp_path, rounds(1, 50))


def test_it_may_not_where_silence_is_measured_by_it(tmp_path: Path) -> None:
    with broken("times_by_the_wall_clock"), pytest.raises(AssertionError, match="connections ended"):
        clock_jumps(tmp_path, 1)


def test_it_may_not_where_names_are_kept_by_it(tmp_path: Path) -> None:
    with broken("keeps_names_by_the_wall_clock"), pytest.raises(AssertionError, match="is kept"):
        clock_jumps(tmp_path, 1)


def clock_jumps(scratch: Path, times: int) -> None:
    chance = seeded()
    clock = scratch / "clock"
    clock.write_text("0")
    with ExitStack() as stack:
        environ = {"CHAT_BROKER_TEST_CLOCK": str(clock), "CHAT_BROKER_LIMITS_NAME_GRACE_SECONDS": str(GRACE_SECONDS)}
        stack.enter_context(mock.patch.dict(os.environ, environ))
        stack.enter_context(broken("has_a_clock_that_jumps"))
        data = scratch / "data"
        server = stack.enter_context(running_server(data))
        with Load(server.port, chance, clients=20, rate=200) as load:
            load.start()
            for number in range(times):
                jumps = [HOUR, -HOUR, Y1970, Y2106, 0]
                if number:
                    chance.shuffle(jumps)
                guests = [one_jump(server, load, chance, clock, jump) for jump in jumps]
                for guest in guests:
                    is_free_again(server, load, guest)
            the_broker_is_killed(server, load, clock)
            load.settle()
        server.stop()
        entries = entries_of(data)
        verify(load.talkers, [entry for entry in entries if entry.sender.startswith("user")])
    ids = [entry.id for entry in entries]
    assert ids == sorted(set(ids))
    years = {time.gmtime(entry.time_ms / 1000).tm_year for entry in entries}
    assert {1970, 2106} < years, "the jumps were felt"


def set_clock(clock: Path, ahead: int) -> None:
    """At once, as a reader sees it."""
    new = clock.with_suffix(".new")
    new.write_text(str(ahead))
    new.rename(clock)


def one_jump(server: Server, load: Load, chance: random.Random, clock: Path, ahead: int) -> str:
    """The name of somebody who left just before it: it is kept."""
    cuts = load.cuts
    name = f"guest{chance.getrandbits(40):x}"
    with Wire(server.host, server.port) as guest:
        guest.hello(name, rooms=["#guests"])
    load.run(0.1)
    set_clock(clock, ahead)
    load.run(0.2)
    assert claim(server, name) == Code.NAME_TAKEN, f"{name} is kept for who just left"
    assert load.cuts == cuts, f"{load.cuts - cuts} connections ended"
    newcomer_is_known_again(server, f"new{name}")
    return name


def is_free_again(server: Server, load: Load, name: str) -> None:
    load.run_until(lambda: claim(server, name) is None, f"the name {name} is free again", limit=GRACE_SECONDS + 2)


def claim(server: Server, name: str) -> str | None:
    """A stranger would have the name: None if it is given to them."""
    with Wire(server.host, server.port) as stranger:
        stranger.send(m.Hello(1, m.VERSION, name, {}))
        match stranger.receive():
            case m.Error(code=code):
                return code
            case reply:
                assert isinstance(reply, m.Welcome), reply
                return None


def newcomer_is_known_again(server: Server, name: str) -> None:
    """Whoever comes while the clock is wrong is who they are for as long as it is."""
    with Wire(server.host, server.port) as first:
        came = first.hello(name).options
    with Wire(server.host, server.port) as second:
        assert second.hello(name, token=came["token"]).options["from"] == came["from"]


def the_broker_is_killed(server: Server, load: Load, clock: Path) -> None:
    """Whose leaving was written down by a clock far ahead does not keep the name for so long."""
    set_clock(clock, Y2106)
    with Wire(server.host, server.port) as ahead:
        ahead.hello("ahead", rooms=["#ahead"])
    load.run(0.2)
    set_clock(clock, 0)
    before = server.children()["broker"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: server.children().get("broker", before) != before, "the broker is back")
    load.everybody_is_served()
    is_free_again(server, load, "ahead")
