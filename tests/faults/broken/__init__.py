"""Servers that are broken on purpose: an experiment that cannot fail shows nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from tests.support.groups import TESTS


@contextlib.contextmanager
def broken(build: str) -> Iterator[None]:
    """Servers that are started in here are that one of `builds`."""
    path = os.pathsep.join([str(Path(__file__).parent), str(TESTS.parent)])
    with mock.patch.dict(os.environ, {"PYTHONPATH": path, "CHAT_BROKER_BROKEN": build}):
        yield
