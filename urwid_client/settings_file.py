"""The file of settings, as `/set` changes it: one value at a time, everything else in it stays as it was written."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from urwid_client.errors import Failed


class SettingsNotKept(Failed):
    """The file cannot be changed; what was set holds for this run of the program."""


def change(path: Path, key: str, value: Any) -> None:
    """Writes a value into the file, which need not exist; None takes it out. Raises `SettingsNotKept`."""
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = changed(before, key, value)
        there = path.resolve()  # people keep such files elsewhere, and put a link here
        there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = there.with_name(there.name + ".new")
        beside.write_text(after, encoding="utf-8")
        beside.replace(there)
    except OSError as problem:
        raise SettingsNotKept(f"{path} could not be written ({problem.strerror}), so this holds until you leave") from None
    except ValueError:
        raise SettingsNotKept(f"{path} cannot be changed from here, so this holds until you leave; edit it yourself") from None


def changed(text: str, key: str, value: Any) -> str:
    """The TOML with one key (`theme`, `keys.send`) set anew, or taken out. Raises `ValueError` where that cannot be done."""
    import tomllib  # most runs change nothing

    section, name = key.split(".", 1) if "." in key else ("", key)
    lines = text.splitlines()
    start, end = _section(lines, section)
    written = [] if value is None else [f"{_name(name)} = {_literal(value)}"]
    assignment = re.compile(rf"""\s*(?:{re.escape(name)}|"{re.escape(name)}"|'{re.escape(name)}')\s*=""")
    at = next((index for index in range(start, end) if assignment.match(lines[index])), None)
    if at is not None:
        lines[at : at + 1] = written
    elif written and section and start == end == len(lines) and f"[{section}]" not in (line.strip() for line in lines):
        lines += [*([""] if lines else []), f"[{section}]", *written]
    elif written:
        while end > start and not lines[end - 1].strip():
            end -= 1
        lines[end:end] = written
    after = "\n".join(lines) + "\n"
    if tomllib.loads(after) != _set(tomllib.loads(text), section, name, value):
        raise ValueError(key)
    return after


def _section(lines: list[str], section: str) -> tuple[int, int]:
    """From which line to which the keys of a table stand; both are the end of the file if there is no such table."""
    headers = [index for index, line in enumerate(lines) if line.lstrip().startswith("[")]
    if not section:
        return 0, headers[0] if headers else len(lines)
    for header, following in itertools.pairwise([*headers, len(lines)]):
        if re.fullmatch(rf"\s*\[\s*{section}\s*\]\s*(#.*)?", lines[header]):
            return header + 1, following
    return len(lines), len(lines)


def _set(table: Mapping[str, Any], section: str, name: str, value: Any) -> dict[str, Any]:
    """What the file is to say afterwards."""
    if section:
        inner = _set(table.get(section, {}), "", name, value)
        return {**table, section: inner} if inner or section in table else {**table}
    others = {key: other for key, other in table.items() if key != name}
    return others if value is None else {**others, name: value}


def _name(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _literal(name)


def _literal(value: Any) -> str:
    """As TOML writes it: of what settings are, JSON writes the same."""
    return json.dumps(value, ensure_ascii=False)
