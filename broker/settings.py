"""The server's settings: the table that the command line, the environment, the file and the help are made from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from common import logs
from common.limits import DEFAULT_PORT, Limits
from common.settings import CONFIG, HELP, VERSION, Choice, Flag, Location, Number, Setting, Text, UsageError, load

PREFIX = "CHAT_BROKER"
"""What the names of the environment variables begin with."""
_WORKERS_MOST = 1024

DATA_DIR = Setting("data_dir", Location("DIR"), "where the log is kept", default_text="chat-broker in your data directory")
TLS_CERT = Setting(
    "tls_cert",
    Location("FILE"),
    "certificate (PEM) to encrypt with",
    default_text="its own, where others can come",
)
TLS_KEY = Setting("tls_key", Location("FILE"), "its private key (PEM)", default_text="in the certificate's file")
JSON = Setting("json", Flag(), "as one JSON object, for programs", option_only=True)

_LIMITS = tuple(
    Setting(
        field.name,
        Number(1, field.metadata["most"]),
        field.metadata["help"],
        field.default,
        section="limits",
    )
    for field in dataclasses.fields(Limits)
)

SERVE = (
    Setting("host", Text("ADDRESS"), "address to listen on", "127.0.0.1"),
    Setting("port", Number(0, 65535), "port to listen on; 0 takes a free one", DEFAULT_PORT),
    Setting("workers", Number(1, _WORKERS_MOST), "processes that serve the clients", default_text="one for each core"),
    DATA_DIR,
    CONFIG,
    Setting("log_format", Choice(*logs.FORMATS), "one line per event, for people or for programs", "text"),
    Setting("log_level", Choice(*logs.LEVELS), "how much is logged", "info"),
    TLS_CERT,
    TLS_KEY,
    Setting("insecure", Flag(), "take plain text, too, on an address that other machines can reach", False),
    HELP,
    VERSION,
    *_LIMITS,
)
STATUS = (DATA_DIR, CONFIG, JSON, HELP)
CHECK = (DATA_DIR, CONFIG, HELP)


class ServerSettings(NamedTuple):
    """What `chat-broker` was asked to do, complete."""

    host: str
    port: int
    workers: int
    data_dir: Path
    log_format: str
    log_level: str
    tls_cert: Path | None
    tls_key: Path | None
    insecure: bool
    limits: Limits


def server_settings(given: Mapping[str, Any], environ: Mapping[str, str]) -> ServerSettings:
    """What the command line (`given`, see `common.settings.read_options`), the environment and the file ask for.

    Raises `UsageError`.
    """
    values = load(SERVE, given, environ, PREFIX)
    tls_cert, tls_key = values["tls_cert"], values["tls_key"]
    if tls_key and not tls_cert:
        raise UsageError("a key is no use without its certificate, name that as well, with --tls-cert")
    limits = Limits(**{setting.name: values[setting.key] for setting in _LIMITS})
    return ServerSettings(
        host=values["host"],
        port=values["port"],
        workers=values["workers"] or min(os.cpu_count() or 1, _WORKERS_MOST),
        data_dir=_directory(values),
        log_format=values["log_format"],
        log_level=values["log_level"],
        tls_cert=tls_cert.absolute() if tls_cert else None,
        tls_key=tls_key.absolute() if tls_key else None,
        insecure=values["insecure"],
        limits=limits,
    )


def only_at_start(before: ServerSettings, after: ServerSettings) -> list[str]:
    """What has changed and cannot be changed while the server runs: all but the limits."""
    fields = (field for field in ServerSettings._fields if field != "limits")
    changed = ((field, getattr(before, field), getattr(after, field)) for field in fields)
    return [f"{field} {old} -> {new}" for field, old, new in changed if old != new]


def data_dir(given: Mapping[str, Any], environ: Mapping[str, str]) -> Path:
    """The data directory that `chat-broker status` and `check` are to look at. Raises `UsageError`."""
    return _directory(load(SERVE, given, environ, PREFIX))


def _directory(values: Mapping[str, Any]) -> Path:
    if values["data_dir"]:
        return Path(values["data_dir"]).absolute()
    import platformdirs  # slow to import, and often not needed

    return Path(platformdirs.user_data_dir("chat-broker"))
