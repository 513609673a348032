"""What the tests of a worker's decisions begin with."""

from __future__ import annotations

import pytest

from tests.support.desk import ADA, Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def ada(desk: Desk) -> Desk:
    """Ada is here, as session 1."""
    desk.welcome(1, ADA, "ada")
    return desk
