"""The client's settings: one table for the command line, the environment, the configuration file, and `/set`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from common import addresses
from common.errors import Refused
from common.fingerprints import as_fingerprint
from common.invitations import Invitation
from common.limits import DEFAULT_PORT
from common.messages import ID_MAX, LOBBY
from common.names import as_room, check_name, check_room
from common.settings import ANY, CONFIG, HELP, VERSION, Choice, Flag, Kind, Location, Number, Setting, Switch, Text, UsageError
from urwid_client import keys
from urwid_client.palette import THEMES
from urwid_client.trust import Wishes

PREFIX = "CHAT_CLIENT"
"""How the environment's variables begin."""
DEFAULT_HOST = "127.0.0.1"
FILE = "settings.toml"
"""The file in the configuration directory that is read if none is named, and that `/set` writes to."""


class _Host(Text):
    """The server's name or address: what is remembered of it stands in a file under that."""

    wants = "the name or the address of a host"

    def from_toml(self, value: Any) -> str:
        host = super().from_toml(value)
        if not addresses.is_host(host):
            raise ValueError
        return host


class _Fingerprint(Kind):
    """The fingerprint of a server's key."""

    metavar = "SHA256:…"
    wants = "a fingerprint as the server prints it, SHA256: and 43 characters"

    def from_toml(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError
        return as_fingerprint(value)


class _Keys(Kind):
    """One key or several, as people call them."""

    metavar = "KEY"
    wants = "a key like Ctrl+X, Alt+PgUp or F5, or a list of them"

    def from_text(self, text: str) -> list[str]:
        return self.from_toml([part for part in text.split(",") if part.strip()])

    def from_toml(self, value: Any) -> list[str]:
        named = [value] if isinstance(value, str) else value
        if not isinstance(named, list) or not all(isinstance(key, str) for key in named):
            raise ValueError
        return [keys.understand(key) for key in named]


DATA_DIR = Setting("data_dir", Location("DIR"), "where your identity is kept", default_text="chat-client in your data directory")
NAME = Setting("name", Text("NAME"), "your name", default_text="you are asked; send and tail take your user name")

_DESKTOP = Choice("auto", "osc9", "osc777", "off")
"""How the terminal is asked for a notification: by one of two sequences that terminals know, chosen by what the terminal is."""
_ALERTS = Choice("mentions", "all", "none")
PREFERENCES = (
    Setting("theme", Choice(*THEMES), "the colours", "auto"),
    Setting("emoji", Choice("plain", "full"), "plain, or full if the terminal draws 👍🏽 as one sign", "plain"),
    Setting("mouse", Switch(), "the mouse scrolls and opens; Shift helps to select text", True),
    Setting("bell", Switch(), "ring the terminal's bell at an alert", True),
    Setting("desktop", _DESKTOP, "ask the terminal for a notification at an alert", "auto"),
    Setting("alert", _ALERTS, "which messages alert you", "mentions"),
    Setting("typing", Switch(), "tell others that you are typing, and show who is", True),
)
"""What can be changed while the client runs, and is no option of a form without a screen."""
_TABLES = (
    Setting(ANY, _ALERTS, "the same for one room or person", section="alerts"),
    *(
        Setting(binding.action.value, _Keys(), binding.help, section="keys")
        for bindings in keys.SECTIONS.values()
        for binding in bindings
    ),
)

TLS, INSECURE, FINGERPRINT, ACCEPT_NEW = ENCRYPTION = (
    Setting("tls", Flag(), "encrypt on this machine, too; connections to others always are encrypted", False),
    Setting("insecure", Flag(), "do not encrypt: others can read and change what is said", False),
    Setting("fingerprint", _Fingerprint(), "the fingerprint that the server's key must have"),
    Setting("accept_new", Flag(), "believe a server whose key has never been seen", False),
)

COMMON = (
    Setting("host", _Host("HOST"), "the server's name or address", default_text=DEFAULT_HOST),
    Setting("port", Number(1, 65535), "the server's port", default_text=str(DEFAULT_PORT)),
    NAME,
    Setting("room", Text("ROOM"), "a room to go into, too; tail prints that alone, send writes where --to says"),
    DATA_DIR,
    *ENCRYPTION,
    CONFIG,
    HELP,
    VERSION,
)
SCREEN = (*COMMON, *PREFERENCES, *_TABLES)
SEND = (
    *COMMON,
    Setting("to", Text("TO"), "the room or the person to write to", default_text="the invitation's room", option_only=True),
)
TAIL = (
    *COMMON,
    Setting("json", Flag(), "each message as one JSON object", False, option_only=True),
    Setting("after", Number(0, ID_MAX), "begin after the message with this id", option_only=True),
    Setting("history", Number(0, 1_000_000), "begin with so many earlier messages", option_only=True),
    Setting("count", Number(1, ID_MAX), "end after so many messages", option_only=True),
)
CHANGEABLE: dict[str, Setting] = {setting.key: setting for setting in (*PREFERENCES, *_TABLES)}
"""What `/set` knows, by key."""


def is_preference(key: str) -> bool:
    """Whether a key of the file, known or not, is for how the client looks and is used: nothing about whom one talks to."""
    return key.partition(".")[0] in {setting.section or setting.name for setting in CHANGEABLE.values()}


class ClientSettings(NamedTuple):
    """What every form of the command knows."""

    host: str
    port: int
    name: str | None
    room: str | None
    data_dir: Path | None
    """None stands for the user's own, which takes a moment to find out."""
    wishes: Wishes = Wishes()
    """Whether to encrypt, and whom to believe."""
    server_given: bool = True
    """Whether the server was named, so that nobody need be asked."""

    @property
    def server(self) -> str:
        return addresses.join(self.host, self.port)

    def at(self, place: Invitation) -> ClientSettings:
        """The same elsewhere. What was believed was believed of another server, and is not taken along; that all is to be
        encrypted holds there, too.
        """
        wishes = Wishes(tls=self.wishes.tls or None, fingerprint=place.fingerprint)
        return self._replace(host=place.host, port=place.port, room=place.room, wishes=wishes, server_given=True)


def client_settings(values: Mapping[str, Any]) -> ClientSettings:
    """What the values of the settings (see `common.settings.load`) ask for. Raises `UsageError`."""
    host, port, name, room = (values[key] for key in ("host", "port", "name", "room"))
    return ClientSettings(
        host=host or DEFAULT_HOST,
        port=port or DEFAULT_PORT,
        name=_valid(check_name, name, "--name") if name else None,
        room=_valid(check_room, as_room(room), "--room") if room else None,
        data_dir=values["data_dir"],
        wishes=_wishes(values),
        server_given=host is not None or port is not None,
    )


def _wishes(values: Mapping[str, Any]) -> Wishes:
    tls, insecure, fingerprint, accept_new = (values[setting.key] for setting in ENCRYPTION)
    if insecure and (tls or fingerprint):
        raise UsageError("--insecure does not go together with --tls, nor with a fingerprint; leave one of them out")
    return Wishes(False if insecure else True if tls else None, fingerprint, accept_new)


def recipient(to: str | None) -> str:
    """The value of `--to`. Raises `UsageError`."""
    if to is None:
        raise UsageError(f"send needs --to: a room (--to '{LOBBY}'), a name, or an invitation with a room")
    return _valid(check_room if to.startswith("#") else check_name, to, "--to")


def find_data_dir(settings: ClientSettings) -> Path:
    """The data directory, which need not exist."""
    if settings.data_dir is not None:
        return settings.data_dir.absolute()
    import platformdirs  # slow to import: not before the first screen is drawn

    return Path(platformdirs.user_data_dir("chat-client"))


def find_file(given: Mapping[str, Any], environ: Mapping[str, str]) -> Path:
    """The file of settings: the one that is named; else the one in a data directory that is named, else the user's own."""
    if named := given.get(CONFIG.key) or environ.get(CONFIG.variable(PREFIX)):
        return Path(named)
    if own := given.get(DATA_DIR.key) or environ.get(DATA_DIR.variable(PREFIX)):
        return Path(own) / FILE
    configuration = environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(configuration) / "chat-client" / FILE


def _valid(check: Callable[[str], str], value: str, option: str) -> str:
    try:
        return check(value)
    except Refused as refused:
        raise UsageError(f"{option}: {refused.text}") from None
