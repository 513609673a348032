"""What several experiments share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.oracle import Oracle
from tests.support.server import Server


@pytest.fixture(scope="module")
def oracle(server: Server) -> Iterator[Oracle]:
    with Oracle(server) as oracle:
        oracle.check()
        yield oracle
