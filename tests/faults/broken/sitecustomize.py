"""Every interpreter that has this folder in its PYTHONPATH runs this at its start: it breaks what CHAT_BROKER_BROKEN names.

The module in question is loaded as it is, and changed right after, before anybody uses it.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class _Breaking(MetaPathFinder):
    """Finds one module as it is found usually, and has it changed once it is loaded."""

    def __init__(self, name: str, changes: Sequence[Callable[[Any], None]]) -> None:
        self._name = name
        self._changes = changes

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            raise ImportError(f"{name}, which was to be broken, is not there")
        load = spec.loader.exec_module

        def load_and_break(module: ModuleType) -> None:
            load(module)
            for change in self._changes:
                change(module)

        spec.loader.exec_module = load_and_break  # type: ignore[method-assign]
        return spec


if names := os.environ.get("CHAT_BROKER_BROKEN"):
    from builds import BUILDS  # type: ignore[import-not-found]  # it lies beside this file; its package is slow to import

    changes: defaultdict[str, list[Callable[[Any], None]]] = defaultdict(list)
    for name in names.split(","):
        module, change = BUILDS[name]
        changes[module].append(change)
    sys.meta_path[:0] = [_Breaking(*item) for item in changes.items()]
