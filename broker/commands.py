"""The forms of the command `chat-broker`: the server itself, `status` and `check`. What they need is put together here.

Everything that is wrong ends in one line on stderr, and in the exit status: 1 failed, 2 wrong usage or configuration.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import shlex
import signal
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from broker import QUESTIONS, settings
from broker.output import complain, say
from common import __version__, logs
from common.settings import UsageError, describe, read_options
from common.spelling import meant

if TYPE_CHECKING:
    from broker.encryption import Encryption
    from broker.listening import Address
    from common.limits import Limits

logger = logging.getLogger("chat_broker.supervisor")

_USAGE = """\
usage: chat-broker [options] [-- COMMAND ARG…]
       chat-broker status [[--data-dir] DIR] [--config FILE] [--json]
       chat-broker check [[--data-dir] DIR] [--config FILE]

A chat server. Ctrl+C stops it; its clients are told. With a COMMAND it runs for as long as that does. SIGHUP has it read its
limits and its certificate anew.
`status` tells about a running server. `check` verifies the log of one that does not run, and changes nothing.

options:
{options}

Each option is also a key of the FILE (--data-dir is data_dir) and an environment variable (CHAT_BROKER_DATA_DIR).
The FILE may set these as well, under [limits], and the environment as CHAT_BROKER_LIMITS_…:
{limits}
"""


class Failed(Exception):
    """What was asked for cannot be done. One line for the user; exit status 1."""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Does what the arguments ask for. The exit status. Raises `ImportError`."""
    try:
        if arguments and arguments[0] in QUESTIONS:
            return _answer(arguments[0], arguments[1:], environ)
        if arguments and not arguments[0].startswith("-") and (close := meant(arguments[0], QUESTIONS)):
            raise UsageError(f"there is no {arguments[0]!r}, did you mean chat-broker {close}?")
        return _serve(arguments, environ)
    except UsageError as problem:
        complain(str(problem))
        return 2
    except Failed as problem:
        complain(str(problem))
    except ImportError:
        raise  # the installation is not complete, which `broker.cli` says
    except KeyboardInterrupt:
        complain("interrupted before it was done")
    except Exception as problem:
        complain(f"unexpected: {type(problem).__name__}: {problem}")
        logger.debug("this is how it came about:", exc_info=problem)
    return 1


# --- the server -------------------------------------------------------------------------------------------------------


def _serve(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    own, dashes, command = _split(arguments)
    given, others = read_options(settings.SERVE, own)
    if others:
        first = f"stands in front of the options: chat-broker {others[0]} …" if others[0] in QUESTIONS else ""
        raise UsageError(f"{others[0]!r} {first or 'is not understood here, --help shows what is'}")
    if _asked_about_itself(given):
        return 0
    if dashes and not command:
        raise UsageError("a command is missing after --, write for example: chat-broker -- chat-client")
    wanted = settings.server_settings(given, environ)

    def reload() -> Limits:
        renewed = settings.server_settings(given, environ)
        if changed := settings.only_at_start(wanted, renewed):
            logger.warning("%s: that needs a restart", ", ".join(changed))
        return renewed.limits

    return _run_server(wanted, command, reload)


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], bool, Sequence[str]]:
    """The arguments before `--`, whether there is one, and those after it."""
    if "--" not in arguments:
        return arguments, False, ()
    at = arguments.index("--")
    return arguments[:at], True, arguments[at + 1 :]


def _run_server(wanted: settings.ServerSettings, command: Sequence[str], reload: Callable[[], Limits]) -> int:
    from broker import listening, supervisor  # not for the other forms
    from common.child import Boot

    try:
        address = listening.resolve(wanted.host, wanted.port)
        _prepare(wanted.data_dir)
        encryption = _encryption(wanted, address)
        log_fd = _log_file(wanted.data_dir) if command else 2
        listener = listening.listen(address)
    except listening.CannotListen as problem:
        raise Failed(str(problem)) from None
    _raise_descriptor_limit()
    address = address._replace(port=listener.getsockname()[1])
    logs.set_up("supervisor", wanted.log_format, wanted.log_level, log_fd)
    _warn_of_bystanders(wanted.data_dir)
    if wanted.insecure and not address.is_loopback:
        logger.warning("plain text is taken, too: others can read along and change what is said; start without --insecure")
    plan = supervisor.Plan(
        boot=Boot(
            parent=os.getpid(),
            data_dir=str(wanted.data_dir),
            limits=wanted.limits,
            log_format=wanted.log_format,
            log_level=wanted.log_level,
        ),
        workers=wanted.workers,
        address=address,
        encryption=encryption,
        command=command,
        log_fd=log_fd,
        reload=reload,
    )
    return supervisor.Supervisor(plan, listener, complain).run()


def _encryption(wanted: settings.ServerSettings, address: Address) -> Encryption | None:
    """How connections are encrypted, if they are: as the user wants it; else, where others can listen, with a key of its own."""
    if not wanted.tls_cert and address.is_loopback:
        return None
    from broker import certificates  # slow to import, and not needed on a loopback address
    from broker.encryption import CertificateUnusable, Encryption

    try:
        if wanted.tls_cert:
            source = certificates.Source(wanted.tls_cert, wanted.tls_key or wanted.tls_cert)
        else:
            source = certificates.own(wanted.data_dir)
        return Encryption(source.read, required=not (address.is_loopback or wanted.insecure))
    except CertificateUnusable as problem:
        if wanted.tls_cert:
            raise UsageError(str(problem)) from None
        raise Failed(str(problem)) from None


def _prepare(data_dir: Path) -> None:
    """Makes the data directory, for its owner alone, and proves that files can be written in it."""
    probe = data_dir / f".probe-{os.getpid()}"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.write_bytes(b"\n")
        probe.unlink()
    except OSError as problem:
        with contextlib.suppress(OSError):
            probe.unlink()
        why = "it is no directory" if isinstance(problem, FileExistsError) else problem.strerror
        raise Failed(f"cannot keep data in {data_dir} ({why}), name another directory with --data-dir") from None


def _warn_of_bystanders(data_dir: Path) -> None:
    """Whoever may write in the directory can put another log in the place of the server's."""
    mode = data_dir.stat().st_mode
    if not mode & 0o066:
        return
    # one that is meant for all, like /tmp, has to stay so
    advice = "name another directory with --data-dir" if mode & stat.S_ISVTX else f"chmod 700 {shlex.quote(str(data_dir))}"
    logger.warning("others on this machine can %s in %s: %s", "write" if mode & 0o022 else "look", data_dir, advice)


def _log_file(data_dir: Path) -> int:
    """Where the server logs to while a command has the terminal."""
    try:
        return os.open(data_dir / "server.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as problem:
        raise Failed(f"cannot write {data_dir / 'server.log'} ({problem.strerror}), move it out of the way") from None


def _raise_descriptor_limit() -> None:
    """As many clients as the system allows; the children inherit the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


# --- questions --------------------------------------------------------------------------------------------------------


def _answer(form: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # what was begun is tidied up
    known = settings.STATUS if form == "status" else settings.CHECK
    given, others = read_options(known, arguments)
    if others and settings.DATA_DIR.key not in given:
        given |= read_options(known, [settings.DATA_DIR.option, others.pop(0)])[0]
    if others:
        raise UsageError(f"{others[0]!r} is not understood here, --help shows what is")
    if _asked_about_itself(given):
        return 0
    data_dir = settings.data_dir(given, environ)
    return _status(data_dir, as_json=given.get("json", False)) if form == "status" else _check(data_dir)


def _status(data_dir: Path, as_json: bool) -> int:
    import json

    from broker import status, status_socket

    try:
        told = status_socket.ask(data_dir)
    except status_socket.NotRunning as problem:
        raise Failed(str(problem)) from None
    say(json.dumps(told) if as_json else status.as_text(told))
    return 0 if status.is_well(told) else 1


def _check(data_dir: Path) -> int:
    from broker.log import StorageError
    from broker.storage.check import check

    try:
        findings = check(data_dir)
    except StorageError as problem:
        raise Failed(str(problem)) from None
    say("\n".join(findings) if findings else f"the log in {data_dir} is whole")
    return 1 if findings else 0


def _asked_about_itself(given: Mapping[str, object]) -> bool:
    """Answers --help and --version, if one of them was given."""
    if "help" in given:
        options = describe(setting for setting in settings.SERVE if not setting.section)
        limits = "\n".join(f"  {s.name:<26} {s.help} (default: {s.default})" for s in settings.SERVE if s.section)
        say(_USAGE.format(options=options, limits=limits).rstrip())
    elif "version" in given:
        say(f"chat-broker {__version__}")
    return "help" in given or "version" in given
