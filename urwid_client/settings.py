"""The client's settings: one table for the command line, the environment and the configuration file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from common.errors import Refused
from common.fingerprints import as_fingerprint
from common.limits import DEFAULT_PORT
from common.messages import LOBBY
from common.names import as_room, check_name, check_room
from common.settings import CONFIG, HELP, VERSION, Flag, Kind, Location, Number, Setting, Text, UsageError
from urwid_client.trust import Wishes


class Fingerprint(Kind):
    """The fingerprint of a server's key."""

    metavar = "SHA256:…"
    wants = "a fingerprint as the server prints it, SHA256: and 43 signs"

    def from_toml(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError
        return as_fingerprint(value)


PREFIX = "CHAT_CLIENT"
"""How the environment's variables begin."""

DATA_DIR = Setting("data_dir", Location("DIR"), "where is kept who you are", default_text="chat-client in your data directory")
NO_MOUSE = Setting("no_mouse", Flag(), "leave the mouse to the terminal (otherwise Shift helps to select text)", False)

TLS, INSECURE, FINGERPRINT, ACCEPT_NEW = ENCRYPTION = (
    Setting("tls", Flag(), "encrypt, also on this machine; other machines are spoken to so anyway", False),
    Setting("insecure", Flag(), "do not encrypt: others can read and change what is said", False),
    Setting("fingerprint", Fingerprint(), "the server's key has to be this one"),
    Setting("accept_new", Flag(), "believe a server whose key has never been seen", False),
)

COMMON = (
    Setting("host", Text("HOST"), "the server's name or address", "127.0.0.1"),
    Setting("port", Number(1, 65535), "the server's port", DEFAULT_PORT),
    Setting("name", Text("NAME"), "your name", default_text="you are asked; send and tail take your user name"),
    Setting("room", Text("ROOM"), "a room to go into, beside the lobby; tail prints that room alone"),
    DATA_DIR,
    *ENCRYPTION,
    NO_MOUSE,
    CONFIG,
    HELP,
    VERSION,
)
SEND = (*COMMON, Setting("to", Text("TO"), "the room or the person to write to", option_only=True))
_MOST = 2**63 - 1
TAIL = (
    *COMMON,
    Setting("json", Flag(), "each message as one JSON object", False, option_only=True),
    Setting("after", Number(0, _MOST), "begin behind the message with this id", option_only=True),
    Setting("history", Number(0, 1_000_000), "begin with so many earlier messages", option_only=True),
    Setting("count", Number(1, _MOST), "end after so many messages", option_only=True),
)


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
    mouse: bool = True
    """Whether the wheel and clicks are the client's."""

    @property
    def server(self) -> str:
        return f"{self.host}:{self.port}"


def client_settings(values: Mapping[str, Any]) -> ClientSettings:
    """What the values of the settings (see `common.settings.load`) ask for. Raises `UsageError`."""
    name, room = values["name"], values["room"]
    return ClientSettings(
        host=values["host"],
        port=values["port"],
        name=_valid(check_name, name, "--name") if name else None,
        room=_valid(check_room, as_room(room), "--room") if room else None,
        data_dir=values["data_dir"],
        wishes=_wishes(values),
        mouse=not values["no_mouse"],
    )


def _wishes(values: Mapping[str, Any]) -> Wishes:
    tls, insecure, fingerprint, accept_new = (values[setting.key] for setting in ENCRYPTION)
    if insecure and (tls or fingerprint):
        raise UsageError("--insecure does not go together with --tls, nor with a fingerprint; leave one of them out")
    return Wishes(False if insecure else True if tls else None, fingerprint, accept_new)


def recipient(to: str | None) -> str:
    """The value of `--to`. Raises `UsageError`."""
    if to is None:
        raise UsageError(f"send needs --to: a room (--to '{LOBBY}') or a name")
    return _valid(check_room if to.startswith("#") else check_name, to, "--to")


def find_data_dir(settings: ClientSettings) -> Path:
    """The data directory, which need not exist."""
    if settings.data_dir is not None:
        return settings.data_dir.absolute()
    import platformdirs  # slow to import: not before the first screen is drawn

    return Path(platformdirs.user_data_dir("chat-client"))


def _valid(check: Callable[[str], str], value: str, option: str) -> str:
    try:
        return check(value)
    except Refused as refused:
        raise UsageError(f"{option}: {refused.text}") from None
