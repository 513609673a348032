"""Settings: one table of a program's settings, read from the command line, the environment, a TOML file, or defaults.

The first of these that has a value decides. What is wrong in any of them is a `UsageError`: one line that names the
place.
Which settings there are is the programs' business, and so is what becomes of them.
"""

from __future__ import annotations

import abc
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from common.files import without_waiting
from common.spelling import meant

_FILE_BYTES = 1024 * 1024
_SHOWN_CHARS = 60


class UsageError(Exception):
    """The program was called in a way that it does not understand. One line; the exit status is 2."""


# --- kinds of values --------------------------------------------------------------------------------------------------


class Kind(abc.ABC):
    """Which values a setting takes. `wants` completes "… must be"; `metavar` stands for the value in the help."""

    wants = ""
    metavar = ""
    words: Sequence[str] = ()
    """All the values that there are, where they are few."""

    def shown(self, value: Any) -> str:
        """A value as people write it."""
        return str(value)

    def from_text(self, text: str) -> Any:
        """The value that the command line or the environment means. Raises `ValueError`."""
        return self.from_toml(text)

    @abc.abstractmethod
    def from_toml(self, value: Any) -> Any:
        """The value that a TOML file means. Raises `ValueError`."""


class Number(Kind):
    """A whole number in ASCII digits, from `least` to `most`."""

    metavar = "N"

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self.wants = f"a whole number from {least} to {most}"

    def from_text(self, text: str) -> int:
        if not re.fullmatch("[0-9]{1,18}", text):
            raise ValueError
        return self.from_toml(int(text))

    def from_toml(self, value: Any) -> int:
        if type(value) is not int or not self._least <= value <= self._most:
            raise ValueError
        return value


class Text(Kind):
    """A text of at least one character, all of them visible."""

    wants = "a text, not empty, without control characters"

    def __init__(self, metavar: str) -> None:
        self.metavar = metavar

    def from_toml(self, value: Any) -> str:
        if not isinstance(value, str) or not value or not value.isprintable():
            raise ValueError
        return value


class Choice(Kind):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.metavar = "|".join(words)
        self.wants = "one of " + ", ".join(words)

    def from_toml(self, value: Any) -> str:
        if value not in self.words:
            raise ValueError
        return str(value)


class Location(Kind):
    """A path of the file system."""

    wants = "a path"

    def __init__(self, metavar: str) -> None:
        self.metavar = metavar

    def from_toml(self, value: Any) -> Path:
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError
        return Path(value).expanduser()


class Flag(Kind):
    """Yes or no; on the command line its mere presence is a yes."""

    wants = "true or false"

    def from_text(self, text: str) -> bool:
        return self.from_toml({"true": True, "1": True, "false": False, "0": False}.get(text.lower()))

    def from_toml(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value


class Switch(Kind):
    """On or off. Unlike a `Flag` it takes a value everywhere, so that what is on by default can be turned off."""

    metavar = "on|off"
    wants = "on or off"
    words = ("on", "off")

    def shown(self, value: Any) -> str:
        return "on" if value else "off"

    def from_text(self, text: str) -> bool:
        return self.from_toml(text.lower())

    def from_toml(self, value: Any) -> bool:
        words = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}
        if not isinstance(value, bool) and value not in words:
            raise ValueError
        return value if isinstance(value, bool) else words[value]


# --- the table --------------------------------------------------------------------------------------------------------


class Setting(NamedTuple):
    """One row of the table: `data_dir` is the file's key, `--data-dir` the option, PREFIX_DATA_DIR the variable."""

    name: str
    kind: Kind
    help: str
    default: Any = None
    default_text: str = ""
    """How the help calls the default, where the value would not say it."""
    section: str = ""
    """The file's table that the key stands in. One that stands in a table is no option of the command line."""
    option_only: bool = False
    """It makes sense on the command line alone."""

    @property
    def key(self) -> str:
        """The name with its section: unique in the table, and the key of the values."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def usually(self) -> str:
        """The default as people write it; empty where there is none to speak of."""
        if self.default_text or self.default is None or isinstance(self.kind, Flag):
            return self.default_text
        return self.kind.shown(self.default)

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    def variable(self, prefix: str) -> str:
        return f"{prefix}_{self.key}".replace(".", "_").upper()


ANY = "*"
"""The name of a setting whose keys the user chooses: every key of its section is one."""

CONFIG = Setting("config", Location("FILE"), "read settings from a TOML file")
HELP = Setting("help", Flag(), "show this help and exit", option_only=True)
VERSION = Setting("version", Flag(), "show the version and exit", option_only=True)


Forgive: TypeAlias = Callable[[str, UsageError], bool]
"""Takes a key of a file and what is wrong with it; whether one goes on without it."""


def load(
    settings: Sequence[Setting],
    given: Mapping[str, Any],
    environ: Mapping[str, str],
    prefix: str,
    others: Sequence[Setting] = (),
    forgive: Forgive | None = None,
) -> dict[str, Any]:
    """The value of every setting, by key. `given` is what `read_options` found, `prefix` begins the variables' names.

    Where `CONFIG` is one of the settings, the file that it names is read; it may also have `others`, which other forms of the
    program know. What is wrong there is passed over where `forgive` says so. Raises `UsageError`.
    """
    values = {**read_environment(settings, environ, prefix), **given}
    if config := values.get(CONFIG.name):
        known = {setting.key: setting for setting in settings}
        of_file = read_file((*settings, *others), config, forgive)
        values = {**{key: value for key, value in of_file.items() if find(key, known)}, **values}
    return {setting.key: setting.default for setting in settings if setting.name != ANY} | values


# --- the command line -------------------------------------------------------------------------------------------------


def read_options(settings: Iterable[Setting], arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The settings that the arguments give, by key, and the arguments that are no options. Raises `UsageError`.

    `--name VALUE` and `--name=VALUE` are the same. The last of several counts. Whatever follows `--` is no option.
    """
    options = {setting.option: setting for setting in settings if not setting.section}
    values: dict[str, Any] = {}
    others: list[str] = []
    left = list(reversed(arguments))
    while left:
        argument = left.pop()
        if argument == "--":
            others += reversed(left)
            break
        if argument == "-h":
            argument = "--help"
        if not argument.startswith("-") or argument == "-":
            others.append(argument)
            continue
        name, equals, value = argument.partition("=")
        if name not in options:
            raise UsageError(f"there is no option {_shown(name)}{_did_you_mean(name, options)}")
        setting = options[name]
        if isinstance(setting.kind, Flag):
            if equals:
                raise UsageError(f"{name} takes no value")
            values[setting.key] = True
            continue
        if not equals:
            if not left or left[-1].startswith("--"):
                raise UsageError(f"{name} needs a value: {setting.kind.wants}")
            value = left.pop()
        values[setting.key] = _understand(setting.kind.from_text, value, name, setting.kind)
    return values, others


def describe(settings: Iterable[Setting]) -> str:
    """The options with their help, a line each."""
    shown = [setting for setting in settings if not setting.section]
    options = [f"{setting.option} {setting.kind.metavar}".rstrip() for setting in shown]
    width = max(map(len, options))
    lines = []
    for option, setting in zip(options, shown, strict=True):
        default = f" (default: {setting.usually})" if setting.usually else ""
        lines.append(f"  {option:<{width}}  {setting.help}{default}")
    return "\n".join(lines)


# --- the environment --------------------------------------------------------------------------------------------------


def read_environment(settings: Iterable[Setting], environ: Mapping[str, str], prefix: str) -> dict[str, Any]:
    """The settings that the environment gives, by key; an empty variable is none. Raises `UsageError`.

    What is not known is somebody else's, but for what looks like a setting of a section: a misspelled limit would not hold.
    """
    values = {}
    known = {setting.variable(prefix): setting for setting in settings if not setting.option_only and setting.name != ANY}
    for variable, setting in known.items():
        if text := environ.get(variable):
            values[setting.key] = _understand(setting.kind.from_text, text, variable, setting.kind)
    sections = tuple({f"{prefix}_{setting.section}_".upper() for setting in known.values() if setting.section})
    for variable in sorted(environ):
        if variable.startswith(sections) and variable not in known:
            raise UsageError(f"there is no variable {_shown(variable)}{_did_you_mean(variable, known)}")
    return values


# --- the file ---------------------------------------------------------------------------------------------------------


def read_file(settings: Iterable[Setting], path: Path, forgive: Forgive | None = None) -> dict[str, Any]:
    """The settings that a TOML file gives, by key. Raises `UsageError`."""
    text = _read_text(path)
    values = {}
    known = {setting.key: setting for setting in settings if not setting.option_only and setting != CONFIG}
    for key, value in _flat(_parse_toml(path, text), {setting.section for setting in known.values()}):
        try:
            values[key] = _value_in_file(known, key, value, f"{path}{_line_of(key, text)}")
        except UsageError as problem:
            if forgive is None or not forgive(key, problem):
                raise
    return values


def _value_in_file(known: Mapping[str, Setting], key: str, value: Any, place: str) -> Any:
    setting = find(key, known)
    if setting is None:
        raise UsageError(f"{place}: there is no setting {_shown(key)}{_did_you_mean(key, known)}")
    return _understand(setting.kind.from_toml, value, f"{place}: {key}", setting.kind)


def find(key: str, known: Mapping[str, Setting]) -> Setting | None:
    """The setting that a key stands for; `known` has them by their keys."""
    section, dot, _ = key.partition(".")
    return known.get(key) or known.get(f"{section}{dot}{ANY}")


def _read_text(path: Path) -> str:
    try:
        with open(path, "rb", opener=without_waiting) as file:
            if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{path} is a pipe, which cannot be read again when it is to be: give a file")
            data = file.read(_FILE_BYTES + 1) or b""
        if len(data) > _FILE_BYTES:
            raise UsageError(f"{path}: too large for a file of settings, give another one")
        return data.decode()
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise UsageError(f"{path}, line {line}: not UTF-8, save the file in that encoding") from None


def _parse_toml(path: Path, text: str) -> dict[str, Any]:
    import tomllib  # most starts have no file

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"{path} is not TOML: {problem}") from None


def _flat(tables: Mapping[str, Any], sections: Iterable[str]) -> Iterable[tuple[str, Any]]:
    for name, value in tables.items():
        if name in sections and isinstance(value, dict):
            yield from ((f"{name}.{inner}", of_inner) for inner, of_inner in value.items())
        else:
            yield name, value


def _line_of(key: str, text: str) -> str:
    """`, line 3`: where the file has that key or table; empty where it is written in another way than usual."""
    section, _, name = key.rpartition(".")
    current = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.match(r"\s*\[+\s*([^]\s]*)", line):
            current = header[1]
        if (header and current == key) or (current == section and re.match(rf"""\s*["']?{re.escape(name)}["']?\s*[=.]""", line)):
            return f", line {number}"
    return ""


# --- what is said about what is wrong ---------------------------------------------------------------------------------


def _understand(read: Callable[[Any], Any], value: Any, place: str, kind: Kind) -> Any:
    try:
        return read(value)
    except (ValueError, RuntimeError):  # RuntimeError: the home directory of nobody
        instead = f", not {_shown(value)}" if isinstance(value, str) else ""
        raise UsageError(f"{place} must be {kind.wants}{instead}") from None


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = meant(name[:_SHOWN_CHARS], [*known])
    return f", did you mean {close}?" if close else ", --help lists what there is"
