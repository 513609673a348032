"""The forms of the command `chat-client`: the screen, `send`, `tail`; their arguments, and how they end."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping, Sequence
from typing import Any

from common import __version__
from common.invitations import SCHEME, NoInvitation, is_invitation, parse
from common.settings import CONFIG, Forgive, Setting, UsageError, describe, load, read_options
from common.spelling import meant
from common.text import clean, clean_line
from urwid_client.errors import Failed, OutputClosed
from urwid_client.output import complain, say
from urwid_client.settings import (
    PREFIX,
    SCREEN,
    SEND,
    TAIL,
    ClientSettings,
    client_settings,
    find_data_dir,
    find_file,
    is_preference,
    recipient,
)

_USAGES = {
    "": """\
usage: chat-client [URL] [OPTION …]                                   chat in this terminal
       chat-client send [URL] [--to #ROOM|NAME] [OPTION …] [TEXT …]   send a text, or each line of the standard input
       chat-client tail [URL] [OPTION …]                              print the messages, one a line

A URL is an invitation like chat://HOST:PORT/ROOM?fp=SHA256:…; it stands for --host, --port, --room and --fingerprint.""",
    "send": """\
usage: chat-client send [URL] [--to #ROOM|NAME] [OPTION …] [TEXT …]   send a text, or each line of the standard input

A URL is an invitation like chat://HOST:PORT/ROOM?fp=SHA256:…; it stands for --host, --port, --fingerprint, and --to a room.
Without a URL that names a room, --to must be given.""",
    "tail": """\
usage: chat-client tail [URL] [OPTION …]   print the messages of a room (without --room: of the lobby, and those to you)

A URL is an invitation like chat://HOST:PORT/ROOM?fp=SHA256:…; it stands for --host, --port, --room and --fingerprint.""",
}
_SHOWN = 60
_SETTINGS = {"": SCREEN, "send": SEND, "tail": TAIL}
_MORE = f"""\
Everything but {{}} can also stand in the environment and in the TOML file:
--data-dir as {PREFIX}_DATA_DIR and data_dir; what takes no value as {PREFIX}_TLS=true and tls = true."""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs one form of the command; its exit status. What goes wrong is told on the standard error, in one line."""
    form = arguments[0] if arguments and arguments[0] in _SETTINGS else ""
    settings = _SETTINGS[form]
    known: ClientSettings | None = None
    wrong: list[str] = []
    try:
        if not form and (misplaced := next((word for word in arguments if word in ("send", "tail")), "")):
            raise UsageError(f"{misplaced} stands in front of the options: {_command(misplaced)} …")
        if not form and (close := _meant(arguments[:1])):
            raise UsageError(f"there is no {clean_line(arguments[0])!r}, did you mean {_command(close)}?")
        given, words = read_options(settings, arguments[1:] if form else arguments)
        if words and _is_meant_as_invitation(words[0]) and (form != "send" or arguments[1] == words[0]):
            given, words = {**_invited(words[0], form), **given}, words[1:]
        if given.get("help") or given.get("version"):
            say(_help(form, settings) if given.get("help") else f"chat-client {__version__}")
            return 0
        file = find_file(given, environ)
        if file.exists():
            given.setdefault("config", file)
        values = load(settings, given, environ, PREFIX, SCREEN, _forgiving(wrong))
        known = client_settings(values)
        return _run(form, known, values | {CONFIG.key: file}, words, environ, wrong)
    except UsageError as problem:
        complain(f"{problem} (see {_command(form)} --help)")
        return 2
    except Failed as problem:
        complain(str(problem))
    except OutputClosed:  # whoever read it has seen enough
        return 0
    except Exception as problem:
        complain(_remember(problem, known))
    return 1


def _forgiving(wrong: list[str]) -> Forgive:
    """Without a preference one can chat, and `wrong` tells it; what was said of the server, and whom to believe, has to hold."""

    def forgive(key: str, problem: UsageError) -> bool:
        if is_preference(key):
            wrong.append(str(problem))
        return is_preference(key)

    return forgive


def _run(
    form: str,
    settings: ClientSettings,
    values: Mapping[str, Any],
    words: Sequence[str],
    environ: Mapping[str, str],
    wrong: Sequence[str],
) -> int:
    """Each form imports what it needs, and nothing else: that is most of the time that it takes to start.

    `wrong` tells of preferences that cannot be understood: only the screen has any.
    """
    if form == "send":
        to = recipient(values["to"])
        text = clean(" ".join(words))
        if words and not text.strip():
            raise UsageError("there is nothing in this text to send")
        from urwid_client import headless

        _loaded()
        return headless.send(settings, to, text if words else None)
    if words:
        raise UsageError(f"there is nothing to be done with {clean_line(words[0])!r}")
    if form == "tail":
        from urwid_client import headless

        if values["after"] is not None and values["history"] is not None:
            raise UsageError("--after and --history both say where to begin; give one of them")
        _loaded()
        return headless.tail(settings, headless.Wanted(values["json"], values["after"], values["history"], values["count"]))
    if environ.get("TERM", "dumb") in ("", "dumb") or not (os.isatty(0) and os.isatty(1)):
        raise Failed("this needs a terminal; without one use chat-client send or chat-client tail")
    from urwid_client import app
    from urwid_client.preferences import Preferences

    _loaded()
    return app.run(settings, Preferences(values, values[CONFIG.key], wrong))


def _loaded() -> None:
    """All that is needed has been imported, and lives as long as the program: it is never looked through for garbage."""
    gc.freeze()
    gc.enable()


def _is_meant_as_invitation(word: str) -> bool:
    """Also one that was mistyped, which would be sent as a text."""
    return word.lower().startswith(f"{SCHEME}:")


def _invited(text: str, form: str) -> dict[str, Any]:
    """The settings that an invitation stands for. Raises `UsageError`."""
    try:
        invitation = parse(text)
    except NoInvitation as problem:
        raise UsageError(f"{clean_line(text[:_SHOWN])!r} is no invitation: {problem}") from None
    settings = {
        "host": invitation.host,
        "port": invitation.port,
        "room": invitation.room,
        "fingerprint": invitation.fingerprint,
        "to": invitation.room if form == "send" else None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _meant(words: Sequence[str]) -> str | None:
    """The form that was meant by what stands in its place, if there is one."""
    named = [word for word in words if not (word.startswith("-") or is_invitation(word))]
    return meant(named[0], [form for form in _SETTINGS if form]) if named else None


def _command(form: str) -> str:
    return f"chat-client {form}".rstrip()


def _help(form: str, settings: Sequence[Setting]) -> str:
    alone = ", ".join(setting.option for setting in settings if setting.option_only)
    return f"{_USAGES[form]}\n\n{describe(settings)}\n\n{_MORE.format(alone)}"


def _remember(problem: Exception, settings: ClientSettings | None) -> str:
    """Writes the details of what should never have happened to a file; the line that says so."""
    import traceback

    said = f"something went wrong that should not ({type(problem).__name__}: {problem})"
    if settings is None:
        return f"{said}; please report it"
    where = find_data_dir(settings) / "crash.txt"
    try:
        where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        where.write_text("".join(traceback.format_exception(problem)))
    except OSError:
        return f"{said}; the details could not be written to {where}"
    return f"{said}; please report it with the details in {where}"
