"""The supervisor: starts the server's other processes, connects them, restarts what dies, and stops them all in order.

It is the main process of `chat-broker`. It holds the listening socket and no chat state. Signal handlers only note the
signal; everything is done in one loop, which waits for signals, for what the children say, and for the next moment at which
something is due. No other module of `broker` may name the workers; this one does, as the modules that it starts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from broker import status, status_socket
from broker.children import (
    STOP_SIGNALS,
    Child,
    has_stopped,
    how_it_ended,
    leave_suspending_to_the_command,
    start,
    start_command,
    suspend,
)
from broker.encryption import CertificateUnusable, Encryption
from broker.listening import Address
from broker.output import say
from broker.restarts import NEVER_READY_MOST, History
from broker.roles import ACCEPTOR, BROKER, Key
from broker.status_socket import StatusSocket
from broker.terminal import Terminal
from common import __version__
from common.child import CANNOT_START, Boot
from common.control import ControlClosed, Order
from common.limits import Limits
from common.settings import UsageError

logger = logging.getLogger("chat_broker.supervisor")

MODULES: Mapping[str, str] = {
    "broker": "broker.process",
    "worker": "workers.process",
    "acceptor": "workers.acceptor",
}
"""What runs in each role."""

_PATIENCE_SECONDS = (3.8, 4.4)
"""How long the workers may take to say goodbye to their clients, and the broker to close the log: who is left is killed."""
_HURRY_SECONDS = (1.0, 1.5)
"""The same, from a second signal on."""
_INQUIRY_SECONDS = 1.0
_GET_TO_KNOW_SECONDS = 2.0
"""How long a worker that is ready has to introduce itself to the broker."""
_SILENT_BEATS = 6
"""After so many beats without an answer a child is taken for stuck. Counted and not timed: a whole server that was
suspended for an hour has missed one.
"""


class Plan(NamedTuple):
    """What the supervisor is to run."""

    boot: Boot
    """What all children are told alike; role, number, generation and control socket are filled in for each."""
    workers: int
    address: Address
    encryption: Encryption | None = None
    command: Sequence[str] = ()
    """Run in this terminal once the server is ready; the server stops when it ends."""
    log_fd: int = 2
    """Where the children's logs go."""
    modules: Mapping[str, str] = MODULES
    reload: Callable[[], Limits] | None = None
    """Reads the limits anew. Raises `UsageError`."""
    beat_seconds: float = 5.0
    """How often each child is asked for a sign of life."""


class Supervisor:
    """See the module's docstring."""

    def __init__(self, plan: Plan, listener: socket.socket, tell_user: Callable[[str], None]) -> None:
        """`tell_user` gets the one line that says why the server could not start or go on."""
        self._plan = plan
        self._listener = listener
        self._tell_user = tell_user
        self._selector = selectors.DefaultSelector()
        self._children: dict[Key, Child] = {}
        self._histories: dict[Key, History] = {}
        self._generations: dict[Key, int] = {}
        self._died_at: dict[Key, float] = {}
        self._due: dict[Key, float] = {}
        """When a dead child is to be started again."""
        self._next_beat = time.monotonic() + plan.beat_seconds
        self._terminal = Terminal()
        self._ready_at: float | None = None
        """When all were ready for the first time."""
        self._command: subprocess.Popen[bytes] | None = None
        self._stop_at: tuple[float, float] | None = None
        """While stopping: when workers and acceptor, and when everybody, are killed."""
        self._broker_told = False
        """While stopping: it is the last, and told when the others have gone."""
        self._exit_status = 0
        self._status_socket: StatusSocket | None = None
        self._inquiry: status.Inquiry | None = None
        self._askers: list[socket.socket] = []

    def run(self) -> int:
        """Serves until it is told to stop, the command has ended, or a child cannot start. The exit status."""
        signals = _Signals()
        if self._plan.command:
            leave_suspending_to_the_command()  # also for the children, which inherit it
        self._selector.register(signals, selectors.EVENT_READ, lambda: self._take_signals(signals))
        self._warn_of_certificate()
        self._start_all()
        while self._children or self._command or self._stop_at is None:
            for key, _ in self._selector.select(self._seconds_left()):
                key.data()
            self._reap()
            self._do_what_is_due(time.monotonic())
            self._watch_full_sockets()
        signals.close()
        return self._exit_status

    # --- signals and time ----------------------------------------------------------------------------------------------

    def _take_signals(self, signals: _Signals) -> None:
        for number in signals.take():
            if number == signal.SIGINT and self._command:
                continue  # it was meant for the command, which got it too
            if number == signal.SIGCONT and self._command:
                self._command.send_signal(signal.SIGCONT)
            if number == signal.SIGHUP and not self._terminal.has_closed():
                self._read_anew()
            elif number in STOP_SIGNALS:
                self._stop_asked()

    def _seconds_left(self) -> float | None:
        now = time.monotonic()
        moments = [*self._due.values()]
        if self._inquiry:
            moments.append(self._inquiry.deadline)
        if self._stop_at:
            moments += (moment for moment in self._stop_at if moment > now)
        else:
            moments.append(self._next_beat)
        return max(0.0, min(moments) - now) if moments else None

    def _do_what_is_due(self, now: float) -> None:
        for key in [key for key, moment in self._due.items() if moment <= now]:
            if self._due.pop(key, None):  # it is not when the one before it made the server give up
                self._start_again(key)
        if self._inquiry and (now >= self._inquiry.deadline or not self._inquiry.silent):
            self._answer(self._inquiry)
        if self._stop_at:
            self._go_on_stopping(now, *self._stop_at)
        elif now >= self._next_beat:
            self._beat(now)

    def _beat(self, now: float) -> None:
        """Kills who has not answered for long: one that is stopped or stuck holds up its clients, and names for all.

        Of one that cannot answer any more nothing is awaited but its end, and who is cut off and lives is not dying.
        """
        self._next_beat = now + self._plan.beat_seconds
        self._terminal.look()
        for child in self._children.values():
            child.silent_beats = child.silent_beats + 1 if child.asked else 0
            if child.silent_beats >= (1 if child.deaf else _SILENT_BEATS):
                _kill(child, "does not answer")
            self._ask(child)
            if child.cut_off:
                logger.warning("%s lost its socket to the acceptor and gets another one", child)
                self._connect_acceptor(child)

    def _ask(self, child: Child) -> None:
        """For its status, unless it owes an answer: one that is stopped does not get a heap of questions."""
        if not child.asked:
            child.asked = True
            child.control.send("status")

    # --- starting ------------------------------------------------------------------------------------------------------

    def _start_all(self) -> None:
        """All at once: they load their modules side by side. They are connected while they do."""
        workers = [Key("worker", number) for number in range(1, self._plan.workers + 1)]
        for key in (BROKER, *workers, ACCEPTOR):
            self._start(key)
        for key in (BROKER, ACCEPTOR):
            if key in self._children:
                self._connect(key)

    def _start_again(self, key: Key) -> None:
        self._start(key)
        if key in self._children:
            self._connect(key)

    def _start(self, key: Key) -> None:
        generation = self._generations.get(key, -1) + 1
        self._generations[key] = generation
        boot = self._plan.boot._replace(role=key.role, number=key.number, generation=generation)
        try:
            child = start(self._plan.modules[key.role], key, boot, self._plan.log_fd)
        except OSError as problem:
            self._after_death(key, None, f"{key} could not be started ({problem.strerror})")
            return
        self._children[key] = child
        if key.role == "worker":
            self._give_certificate(child)
        self._selector.register(child.control, selectors.EVENT_READ, lambda: self._attend(child))

    def _connect(self, key: Key) -> None:
        """Gives a new child, and those that it works with, the two ends of what connects them."""
        if key == ACCEPTOR:
            self._children[ACCEPTOR].control.send("listen", {"plain": not self._tls_required}, [self._listener.fileno()])
        for worker in self._workers() if key.role != "worker" else [self._children[key]]:
            if key != ACCEPTOR and (broker := self._children.get(BROKER)):
                _connect_broker(broker, worker)
            if key != BROKER:
                self._connect_acceptor(worker)
        if key == BROKER:
            self._children[BROKER].control.send("begin")

    def _connect_acceptor(self, worker: Child) -> None:
        """If there is one now. A new one is connected to all."""
        worker.cut_off = False
        if acceptor := self._children.get(ACCEPTOR):
            with _killing(worker):
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with ours, theirs:
                    acceptor.control.send("worker", _place(worker), [ours.fileno()])
                    worker.control.send("acceptor", fds=[theirs.fileno()])

    def _workers(self) -> list[Child]:
        return [child for key, child in self._children.items() if key.role == "worker"]

    # --- what the children say -----------------------------------------------------------------------------------------

    def _attend(self, child: Child) -> None:
        """Sends what waits for a child, and hears what it says; no more after its end of the control socket is closed."""
        child.control.flush()
        try:
            orders = child.control.receive()
        except ControlClosed:
            self._selector.unregister(child.control)
            child.deaf = True
            return
        for order in orders:
            self._hear(child, order)

    def _hear(self, child: Child, order: Order) -> None:
        match order.kind:
            case "ready":
                self._ready(child)
            case "failed":
                self._give_up(order.data["text"], order.data["status"])
            case "status":
                child.asked = False
                if self._inquiry:
                    self._inquiry.answer(child.key, order.data)
            case "late" if worker := self._worker(**order.data):
                self._late(worker)
            case "lost" if worker := self._worker(**order.data):
                worker.cut_off = True

    def _ready(self, child: Child) -> None:
        child.ready_at = time.monotonic()
        if (died_at := self._died_at.pop(child.key, None)) is not None:
            logger.info("%s is back, %.2f s after it died", child, child.ready_at - died_at)
        if self._ready_at is None and self._all_ready():
            self._ready_at = child.ready_at
            self._open_for_business()

    def _worker(self, number: int, generation: int) -> Child | None:
        """The worker that another child speaks of, if it is still there."""
        worker = self._children.get(Key("worker", number))
        return worker if worker is not None and worker.generation == generation else None

    def _late(self, worker: Child) -> None:
        """The broker cannot grant names because of this worker. One that has only just started is not to blame."""
        if worker.ready_at is not None and time.monotonic() >= worker.ready_at + _GET_TO_KNOW_SECONDS:
            _kill(worker, "does not introduce itself to the broker")

    def _all_ready(self) -> bool:
        return len(self._children) == self._plan.workers + 2 and all(
            child.ready_at is not None for child in self._children.values()
        )

    def _open_for_business(self) -> None:
        """Everybody is ready. The broker holds the lock on the data directory by now, so the socket in there is ours."""
        if self._stop_at:
            return
        data_dir = Path(self._plan.boot.data_dir)
        try:
            self._status_socket = StatusSocket(data_dir)
            self._selector.register(self._status_socket, selectors.EVENT_READ, self._take_question)
        except OSError as problem:
            logger.warning("`chat-broker status` will not work: %s", problem)
        if self._plan.command:
            self._run_command()
        else:
            workers = "1 worker" if self._plan.workers == 1 else f"{self._plan.workers} workers"
            ready = f"chat-broker ready on {self._plan.address} ({workers}, data in {data_dir})"
            for_guests = status.for_guests(self._told_of_certificate())
            say("\n".join([ready, *(f"{name}: {value}" for name, value in for_guests.items())]))

    def _run_command(self) -> None:
        address = self._plan.address
        environment = os.environ | {"CHAT_CLIENT_HOST": address.reachable_host, "CHAT_CLIENT_PORT": str(address.port)}
        if encryption := self._plan.encryption:
            fingerprint = encryption.certificate.fingerprint
            environment |= {"CHAT_CLIENT_TLS": "true", "CHAT_CLIENT_INSECURE": "", "CHAT_CLIENT_FINGERPRINT": fingerprint}
        try:
            self._command = start_command(self._plan.command, environment)
        except OSError as problem:
            self._give_up(f"cannot run {self._plan.command[0]}: {problem.strerror}")

    # --- what can be read anew -----------------------------------------------------------------------------------------------

    def _give_certificate(self, worker: Child) -> None:
        if self._plan.encryption:
            worker.control.send("tls", self._plan.encryption.order())

    @property
    def _tls_required(self) -> bool:
        return self._plan.encryption is not None and self._plan.encryption.required

    def _read_anew(self) -> None:
        """The limits and the certificate: who is connected stays so. Of what is no good the one before stays in use."""
        if self._stop_at:
            return
        if self._plan.reload is not None:
            self._renew_limits(self._plan.reload)
        if self._plan.encryption is not None:
            self._renew_certificate(self._plan.encryption)

    def _renew_limits(self, reload: Callable[[], Limits]) -> None:
        try:
            limits = reload()
        except UsageError as problem:
            logger.error("the limits stay as they were: %s", problem)
            return
        before = dataclasses.asdict(self._plan.boot.limits)
        after = dataclasses.asdict(limits)
        changed = [f"{name} {before[name]} -> {value}" for name, value in after.items() if value != before[name]]
        logger.info("the limits were read anew, %s", ", ".join(changed) or "they are the same")
        self._plan = self._plan._replace(boot=self._plan.boot._replace(limits=limits))
        for child in self._children.values():
            child.control.send("limits", after)

    def _renew_certificate(self, encryption: Encryption) -> None:
        """Who comes gets the new one."""
        try:
            renewed = encryption.renew()
        except CertificateUnusable as problem:
            logger.error("the certificate stays as it was: %s", problem)
            return
        logger.info("the certificate was read anew, %s", encryption.certificate.fingerprint if renewed else "it is the same")
        self._warn_of_certificate()
        for worker in self._workers():
            self._give_certificate(worker)

    def _warn_of_certificate(self) -> None:
        for warning in self._plan.encryption.certificate.warnings if self._plan.encryption else ():
            logger.warning("%s", warning)

    def _told_of_certificate(self) -> dict[str, str]:
        """How others get in; nothing where there is no encryption."""
        encryption = self._plan.encryption
        if encryption is None:
            return {}
        return {"fingerprint": encryption.certificate.fingerprint, "invitation": encryption.invitation(self._plan.address)}

    # --- status --------------------------------------------------------------------------------------------------------

    def _take_question(self) -> None:
        if self._status_socket is None or (asker := self._status_socket.accept()) is None:
            return
        self._askers.append(asker)
        if self._inquiry:
            return
        pids = {key: child.pid for key, child in self._children.items()}
        self._inquiry = status.Inquiry(pids, time.monotonic() + _INQUIRY_SECONDS)
        for child in self._children.values():
            self._ask(child)

    def _answer(self, inquiry: status.Inquiry) -> None:
        self._inquiry = None
        told = {
            "version": __version__,
            "address": str(self._plan.address),
            "data_dir": self._plan.boot.data_dir,
            "uptime": round(time.monotonic() - (self._ready_at or 0.0), 1),
            "supervisor": os.getpid(),
            **self._told_of_certificate(),
            **status.summary(inquiry),
        }
        for asker in self._askers:
            status_socket.answer(asker, told)
        self._askers.clear()

    # --- deaths --------------------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        for child in list(self._children.values()):
            if child.process.poll() is not None:
                self._bury(child, child.process.returncode)
        if self._command and self._command.poll() is not None:
            self._command_ended(self._command.returncode)
        if self._command and self._stop_at is None and has_stopped(self._command):
            suspend()  # only now: the shell that waits for this process must not take the terminal before it is given back

    def _bury(self, child: Child, returncode: int) -> None:
        if not child.deaf:
            self._attend(child)  # its last words may say why
        if not child.deaf:
            self._selector.unregister(child.control)
        child.control.close()
        del self._children[child.key]
        if child.key.role == "worker":
            for key in (BROKER, ACCEPTOR):
                if other := self._children.get(key):
                    other.control.send("worker_gone", _place(child))
        if self._stop_at:
            return
        how = f"{child} died ({how_it_ended(returncode)})"
        if returncode == CANNOT_START:
            self._give_up(f"{how}, it cannot start")
        else:
            self._after_death(child.key, child.ready_at, how)

    def _after_death(self, key: Key, ready_at: float | None, how: str) -> None:
        """Has it started again, unless that is hopeless. It is not where all were well once: then the system may be short of
        something, and the others go on.
        """
        now = time.monotonic()
        history = self._histories.get(key, History()).after_death(None if ready_at is None else now - ready_at)
        self._histories[key] = history
        self._died_at.setdefault(key, now)
        if history.hopeless and self._ready_at is None:
            self._give_up(f"{how}, the {NEVER_READY_MOST}th time before it was ready; the log says more")
            return
        lived = "before it was ready" if ready_at is None else f"after {now - ready_at:.1f} s"
        again = f"again in {history.delay:.1f} s" if history.delay else "again"
        logger.warning("%s %s, starting it %s", how, lived, again)
        self._due[key] = now + history.delay

    # --- stopping ------------------------------------------------------------------------------------------------------

    def _stop_asked(self) -> None:
        if self._stop_at is None:
            logger.info("stopping")
            self._stop()
        else:
            clients_end, end = _moments(_HURRY_SECONDS)
            self._stop_at = (min(self._stop_at[0], clients_end), min(self._stop_at[1], end))

    def _give_up(self, why: str, exit_status: int = 1) -> None:
        """Tells the user why the server ends, once, and stops everything."""
        if self._exit_status == 0:
            self._exit_status = exit_status
            self._tell_user(why)
        if self._stop_at is None:
            self._stop()

    def _command_ended(self, returncode: int) -> None:
        self._command = None
        if self._stop_at is None:  # otherwise it ended because the server was asked to stop
            self._exit_status = returncode if returncode >= 0 else 128 - returncode
            self._stop()

    def _stop(self) -> None:
        """Begins to stop: nobody new comes in, and the clients are told. The broker ends after its workers."""
        self._stop_at = _moments(_PATIENCE_SECONDS)
        self._due.clear()
        self._listener.close()
        if self._status_socket:
            self._selector.unregister(self._status_socket)
            self._status_socket.close()
            self._status_socket = None
        if self._command:
            self._command.terminate()
        for child in sorted(self._children.values(), key=lambda child: child.key != BROKER):  # the broker knows before they go
            child.control.send("stop" if child.key == ACCEPTOR else "drain")

    def _go_on_stopping(self, now: float, clients_end: float, end: float) -> None:
        broker = self._children.get(BROKER)
        others = [child for child in self._children.values() if child is not broker]
        if now >= clients_end:
            for child in others:
                _kill(child, "did not stop in time")
        if broker and not others and not self._broker_told:
            self._broker_told = True
            broker.control.send("stop")
        if now >= end:
            if broker:
                _kill(broker, "did not stop in time")
            if self._command:
                self._command.kill()

    def _watch_full_sockets(self) -> None:
        for child in self._children.values():
            if not child.deaf:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.control.waiting else 0)
                key = self._selector.get_key(child.control)
                if key.events != events:
                    self._selector.modify(child.control, events, key.data)


class _Signals:
    """The signals that came, as something that a loop can wait for."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (*STOP_SIGNALS, signal.SIGCHLD, signal.SIGCONT):
            signal.signal(number, _only_wake)

    def fileno(self) -> int:
        return self._read

    def take(self) -> bytes:
        """The numbers of the signals since the last call."""
        try:
            return os.read(self._read, 4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """From here on no stop signal does anything: the program is about to end."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)


def _only_wake(number: int, frame: FrameType | None) -> None:
    """The interpreter has written the number to the pipe of `_Signals` already."""


def _connect_broker(broker: Child, worker: Child) -> None:
    from multiprocessing.connection import Pipe  # slow to import: the children do the same meanwhile

    with _killing(worker):
        ours, theirs = Pipe()
        with ours, theirs:
            broker.control.send("worker", _place(worker), [ours.fileno()])
            worker.control.send("broker", fds=[theirs.fileno()])


@contextlib.contextmanager
def _killing(worker: Child) -> Iterator[None]:
    """A worker that cannot be connected, for want of descriptors, say, is of no use: another one is started later."""
    try:
        yield
    except OSError as problem:
        _kill(worker, f"cannot be connected ({problem.strerror})")


def _place(worker: Child) -> dict[str, Any]:
    return {"number": worker.key.number, "generation": worker.generation}


def _moments(seconds: tuple[float, float]) -> tuple[float, float]:
    now = time.monotonic()
    return now + seconds[0], now + seconds[1]


def _kill(child: Child, why: str) -> None:
    if not child.killed and child.process.poll() is None:  # one that has just died is told of when it is reaped
        child.killed = True
        logger.warning("%s %s and is killed", child, why)
        child.process.kill()
