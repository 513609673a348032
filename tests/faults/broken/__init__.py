"""Servers that are broken on purpose: an experiment that cannot fail shows nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from tests.support.groups import TESTS

VARIABLE = "CHAT_BROKER_BROKEN"


@contextlib.contextmanager
def broken(*names: str) -> Iterator[None]:
    """Servers that are started in here are these of `builds` at once; and those of a block around this one."""
    names = (*filter(None, [os.environ.get(VARIABLE)]), *names)
    path = os.pathsep.join([str(Path(__file__).parent), str(TESTS.parent)])
    with mock.patch.dict(os.environ, {"PYTHONPATH": path, VARIABLE: ",".join(names)}):
        yield
