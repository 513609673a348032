"""What the tests of the broker's decisions begin with."""

from __future__ import annotations

import pytest

from tests.support.office import ADA, BOB, Office


@pytest.fixture
def office() -> Office:
    return Office(workers=2).open()


@pytest.fixture
def ada_and_bob(office: Office) -> Office:
    """Ada at worker 1, session 1; Bob at worker 2, session 1; both in #dev."""
    office.hello(1, 1, ADA, "ada", "#dev")
    office.hello(2, 1, BOB, "bob", "#dev")
    return office
