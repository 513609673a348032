"""What the user likes: the values that `/set` shows and changes, and the file that keeps them. `app` does what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.names import fold
from common.settings import ANY, Setting, find
from common.spelling import meant
from common.text import clean_line
from urwid_client import settings_file
from urwid_client.completion import Suggestion
from urwid_client.errors import WrongInput
from urwid_client.keys import ACTIONS, Action, KeyMap, called
from urwid_client.settings import CHANGEABLE

_RESET = "default"
"""The word that brings a setting back to what it is without being set."""


class Preferences:
    """The values at the moment, and the file that they are kept in."""

    def __init__(self, values: Mapping[str, Any], file: Path | None = None, wrong: Sequence[str] = ()) -> None:
        """`values` are those of `common.settings.load`. Without a `file` nothing is kept; `wrong` tells what is wrong in it."""
        self._wrong = wrong
        defaults = {key: setting.default for key, setting in CHANGEABLE.items() if setting.name != ANY}
        self._values = defaults | {key: value for key, value in values.items() if find(key, CHANGEABLE)}
        self._file = file

    @property
    def theme(self) -> str:
        return str(self._values["theme"])

    @property
    def full_emoji(self) -> bool:
        return bool(self._values["emoji"] == "full")

    @property
    def mouse(self) -> bool:
        return bool(self._values["mouse"])

    @property
    def bell(self) -> bool:
        return bool(self._values["bell"])

    @property
    def desktop(self) -> str:
        return str(self._values["desktop"])

    @property
    def typing(self) -> bool:
        return bool(self._values["typing"])

    def alert(self, title: str) -> str:
        """What one is alerted of in the conversation of this title: `mentions`, `all` or `none`."""
        rooms = ((key, value) for key, value in self._values.items() if key.startswith("alerts."))
        own = (value for key, value in rooms if fold(key) == fold(f"alerts.{title}"))
        return str(next(own, self._values["alert"]))

    def keymap(self) -> KeyMap:
        """The keys, with those that are bound anew."""
        anew = {key.partition(".")[2]: value for key, value in self._values.items() if _is_of_keys(key) and value is not None}
        return KeyMap(anew)

    def problems(self) -> list[str]:
        """What whoever wrote the file did wrong, a line for each: values that are none, and keys that two actions have."""
        return [f"{wrong} (until that is mended, it is as usual)" for wrong in self._wrong] + [
            f"{called(key)} is bound to keys.{winner.value} and to keys.{loser.value}: it does the first;"
            f" /set keys.{loser.value} gives the other another key"
            for key, winner, loser in self.keymap().conflicts
        ]

    def change(self, key: str, text: str) -> str:
        """Sets a value, here and in the file; what to tell the user. Raises `WrongInput` and `settings_file.SettingsNotKept`."""
        setting, key = self._find(key)
        before, keymap = dict(self._values), self.keymap()
        value = None if text == _RESET else self._understand(setting, key, text)
        if value is None and setting.name == ANY:
            self._values.pop(key, None)
        else:
            self._values[key] = setting.default if value is None else value
        try:
            lost = self._check_keys(key, keymap) if _is_of_keys(key) else ""
        except WrongInput:
            self._values = before
            raise
        if self._file is not None:
            settings_file.change(self._file, key, [*map(called, value)] if isinstance(value, list) else value)
        return f"{key} is {self._said(key)} now{lost}"

    def _check_keys(self, key: str, before: KeyMap) -> str:
        """What other actions have lost to this one. Raises `WrongInput` where nobody could want that."""
        now, own = self.keymap(), Action(key.partition(".")[2])
        for taken in now.conflicts:
            if taken not in before.conflicts:
                other = taken.winner if taken.loser is own else taken.loser
                raise WrongInput(
                    f"{called(taken.key)} is bound to keys.{other.value} already; bind that to another key first,"
                    f" or /set keys.{other.value} {_RESET}"
                )
        if Action.SEND not in now.actions.values():
            raise WrongInput("no key would send anything then; give keys.send another one first")
        losers = [action for action in ACTIONS if action is not own and {*before.keys(action)} - {*now.keys(action)}]
        return "".join(f"; keys.{action.value} has {_listed(now.keys(action))} left" for action in losers)

    def _understand(self, setting: Setting, key: str, text: str) -> Any:
        try:
            return setting.kind.from_text(text)
        except ValueError:
            raise WrongInput(f"{key} must be {setting.kind.wants}, or {_RESET}") from None

    def show(self, key: str | None) -> str:
        """What one setting is and may be, or those of a section are; without a `key`, all of them. Raises `WrongInput`."""
        of_section = [known for known in self._values if known.startswith(f"{key}.")]
        if key is not None and not of_section:
            setting, key = self._find(key)
            return f"{key} is {self._said(key)}: {setting.help} ({setting.kind.wants}, or {_RESET})"
        shown = of_section or [known for known, value in self._values.items() if not _is_of_keys(known) or value is not None]
        lines = [f"{known} = {self._said(known)}" for known in shown]
        return "\n".join(
            [*lines, f"/set SETTING tells more, /set keys lists the keys; /set SETTING VALUE changes it{self._kept_in()}"]
        )

    def suggestions(self) -> list[Suggestion]:
        """The keys with their help, for completion."""
        return [Suggestion(key, setting.help) for key, setting in CHANGEABLE.items() if setting.name != ANY]

    def words(self, key: str) -> Sequence[str]:
        """What a setting may be, for completion; nothing where that is more than a few words, or there is no such setting."""
        setting = find(key, CHANGEABLE)
        return (*setting.kind.words, _RESET) if setting is not None and setting.kind.words else ()

    def _kept_in(self) -> str:
        return f", and keeps it in {self._file}" if self._file is not None else ""

    def _find(self, key: str) -> tuple[Setting, str]:
        """The setting, and its key as it is spelled so far: a room's name can be written in several ways. Raises `WrongInput`."""
        setting = find(key, CHANGEABLE) if not key.endswith((".", ANY)) else None
        if setting is None:
            close = _meant(key)
            instead = f", did you mean {close}?" if close else "; /set lists what there is"
            raise WrongInput(f"there is no setting {clean_line(key)[:40]}{instead}")
        return setting, next((known for known in self._values if fold(known) == fold(key)), key)

    def _said(self, key: str) -> str:
        if _is_of_keys(key):
            return _listed(self.keymap().keys(Action(key.partition(".")[2])))
        value = self._values.get(key)
        if isinstance(value, bool):
            return "on" if value else "off"
        return str(value) if value is not None else _RESET


def _meant(key: str) -> str | None:
    """The setting that was meant: of a section that was mistyped the same one, of a section alone its first."""
    settings = [setting for setting in CHANGEABLE.values() if setting.name != ANY]
    sections = {setting.section: setting.key for setting in reversed(settings) if setting.section}
    section, _, name = key.partition(".")
    near = meant(section, ["alerts", *sections]) if name else None
    if near and find(f"{near}.{name}", CHANGEABLE):
        return f"{near}.{clean_line(name)[:40]}"
    return sections.get(key) or meant(key, [setting.key for setting in settings])


def _is_of_keys(key: str) -> bool:
    return key.startswith("keys.")


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(map(called, keys)) or "no key"
