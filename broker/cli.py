"""The entry of the command `chat-broker`: what must be in place before anything else is imported. See `broker.commands`."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from broker import QUESTIONS
from broker.terminal import Terminal


def main() -> int:
    """Runs the command. Its exit status: 0 stopped as asked, 1 failed, 2 wrong usage or configuration."""
    terminal = Terminal()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it, and means that
        signal.signal(signal.SIGHUP, lambda number, frame: _hang_up(terminal))
    _open_standard_descriptors()
    try:
        from broker import commands  # slow: a signal that comes meanwhile is answered already

        return commands.run(sys.argv[1:], os.environ)
    except ImportError as problem:
        print(f"chat-broker: cannot be loaded ({problem}), install it again", file=sys.stderr)
        return 1


def _leave(number: int, frame: FrameType | None) -> None:
    """Told to stop before anything was begun: for a server that is fine, but a question stays without an answer."""
    os._exit(1 if _is_question() else 0)


def _hang_up(terminal: Terminal) -> None:
    """A server whose settings are to be read anew is just about to read them."""
    if _is_question() or terminal.has_closed():
        _leave(signal.SIGHUP, None)


def _is_question() -> bool:
    return bool(sys.argv[1:2]) and sys.argv[1] in QUESTIONS


def _open_standard_descriptors() -> None:
    """Has 0, 1 and 2 lead nowhere if they are closed: else a socket gets such a number, and the log is written to it."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)


if __name__ == "__main__":
    sys.exit(main())
