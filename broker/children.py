"""Starting one child process, with its control socket, or the user's command. When and why is the supervisor's business."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from broker.roles import Key
from common.child import Boot, end_with
from common.control import Control

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """A process that was started and has not been reaped."""

    def __init__(self, key: Key, generation: int, process: subprocess.Popen[bytes], control: Control) -> None:
        self.key = key
        self.generation = generation
        self.process = process
        self.control = control
        self.ready_at: float | None = None
        self.asked = False
        """It owes an answer to `status`."""
        self.silent_beats = 0
        """For how many beats of the supervisor it has owed it."""
        self.cut_off = False
        """It is a worker, and the acceptor has lost its socket to it: it is given no connections."""
        self.deaf = False
        """Its end of the control socket is closed: it is ending, or else cannot answer any more."""
        self.killed = False

    @property
    def pid(self) -> int:
        return self.process.pid

    def __str__(self) -> str:
        return f"{self.key} (pid {self.pid})"


def start(module: str, key: Key, boot: Boot, log_fd: int) -> Child:
    """Starts `module` in a fresh interpreter. `boot` lacks only the number of the control socket. Raises `OSError`."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        boot = boot._replace(control_fd=theirs.fileno())
        # -P: what lies about in the working directory is not taken for a module
        command = [sys.executable, "-P", "-c", "from common.child import run; run()", module, boot.to_json()]
        try:
            with _blocked_signals():
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log_fd,
                    pass_fds=[theirs.fileno()],
                )
        except OSError:
            ours.close()
            raise
    return Child(key, boot.generation, process, Control(ours))


def start_command(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Starts what the user wants to run beside the server. Raises `OSError`.

    If this process is killed, it gets the signal of a closed terminal: the shell takes the terminal back at that moment.
    """
    supervisor = os.getpid()

    def prepare() -> None:
        _set_suspending(signal.SIG_DFL)
        end_with(supervisor, signal.SIGHUP)

    return subprocess.Popen(command, env=environ, preexec_fn=prepare)  # noqa: PLW1509 - there is one thread


def leave_suspending_to_the_command() -> None:
    """Ctrl+Z, and the terminal of a command in the background, stop the command, and no process of the server."""
    _set_suspending(signal.SIG_IGN)


def _set_suspending(action: signal.Handlers) -> None:
    """All of them go to the whole group of processes, whichever it is that the terminal means."""
    for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, action)


def has_stopped(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process that has not been reaped was suspended since the last call; not if it has ended meanwhile."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG) is not None
    except ChildProcessError:
        return False


def suspend() -> None:
    """Stops this process, and this one alone, until it gets SIGCONT; not where no shell is there that could send it."""
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)


@contextlib.contextmanager
def _blocked_signals() -> Iterator[None]:
    """What is started in here has the signals blocked for its whole life; ours come when it is left."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def how_it_ended(returncode: int) -> str:
    """`signal 9` or `exit status 1`."""
    return f"signal {-returncode}" if returncode < 0 else f"exit status {returncode}"
