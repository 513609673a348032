"""The shape of the tree: who has a test module, what is pure, and what must not stand anywhere."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = ("broker", "common", "urwid_client", "workers")

WITHOUT_TESTS = {
    "broker.core.sessions": "data without behaviour",
    "broker.core.steps": "data without behaviour",
    "common.client_events": "data without behaviour",
    "common.confusables": "a table; tests/common/test_names.py tests what is made of it",
    "common.routing": "what worker and broker tell each other, in words; the tests of both, and the simulation, hold them to it",
    "urwid_client.errors": "two exceptions without code",
}
"""Modules that have no test module of their own, each with the reason."""


def modules(*folders: str) -> Iterator[Path]:
    """All modules below these folders, as paths from the root; packages' own files are not among them."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name != "__init__.py":
                yield path.relative_to(ROOT)


def dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def test_every_module_has_a_test_module_of_its_own() -> None:
    missing = [dotted(path) for path in modules(*PROGRAMS) if not (ROOT / "tests" / path.parent / f"test_{path.name}").exists()]
    assert missing == sorted(WITHOUT_TESTS)


def test_every_test_module_has_its_module() -> None:
    strangers = []
    for path in modules(*(f"tests/{program}" for program in PROGRAMS)):
        tested = path.parent.relative_to("tests") / path.name.removeprefix("test_")
        if path.name.startswith("test_") and not (ROOT / tested).exists():
            strangers.append(str(path))
    assert not strangers


def test_every_folder_of_tests_is_a_package() -> None:
    """Otherwise tests/common would stand in for common."""
    folders = {path.parent for path in modules("tests")}
    assert not [folder for folder in folders if not (ROOT / folder / "__init__.py").exists()]


@pytest.mark.parametrize(
    "path", [*modules(*PROGRAMS, "tests/support"), *(Path(name, "__init__.py") for name in PROGRAMS)], ids=str
)
def test_every_module_says_what_lives_there(path: Path) -> None:
    assert ast.get_docstring(ast.parse((ROOT / path).read_text()))


# --- what decides does nothing -------------------------------------------------------------------------------------------


def contract() -> dict[str, Any]:
    """The wall around the pure modules, as import-linter has it."""
    contracts: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return contracts[-1]


def imports(path: Path) -> set[str]:
    """The dotted names that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_module_that_does_nothing_is_behind_the_wall() -> None:
    """Whatever imports nothing that acts, not by way of another module either, is listed; so a new module is pure, or acts."""
    acting = set(contract()["forbidden_modules"])
    sources = {dotted(path): imports(path) for path in modules(*PROGRAMS)}
    while reached := {name for name, imported in sources.items() if name not in acting and imported & acting}:
        acting |= reached
    listed = contract()["source_modules"]
    pure = {name for name in sources if name not in acting}
    assert not {name for name in pure if not any(f"{name}.".startswith(f"{entry}.") for entry in listed)}


# --- words -----------------------------------------------------------------------------------------------------------------

# One letter of each word is in brackets, or this line would find itself.
UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X]|NotImplementedErro[r])\b")


def texts() -> Iterator[Path]:
    """Everything in the tree that people read."""
    yield from (path for path in ROOT.iterdir() if path.suffix in (".md", ".toml", ".ini") or path.name == "LICENSE")
    for folder in (*PROGRAMS, "tests", "docs", "bench", ".ci"):
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix not in (".pyc", ".svg"))


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not found
