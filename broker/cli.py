"""The entry of the command `chat-broker`: what must be in place before anything else is imported. See `broker.commands`."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from broker import QUESTIONS


def main() -> int:
    """Runs the command. Its exit status: 0 stopped as asked, 1 failed, 2 wrong usage or configuration."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores it, and means that
            signal.signal(number, _leave)
    _open_standard_descriptors()
    try:
        from broker import commands  # slow: a signal that comes meanwhile is answered already

        return commands.run(sys.argv[1:], os.environ)
    except ImportError as problem:
        print(f"chat-broker: cannot be loaded ({problem}), install it again", file=sys.stderr)
        return 1


def _leave(number: int, frame: FrameType | None) -> None:
    """Told to stop before anything was begun: for a server that is fine, but a question stays without an answer."""
    os._exit(1 if sys.argv[1:2] and sys.argv[1] in QUESTIONS else 0)


def _open_standard_descriptors() -> None:
    """Has 0, 1 and 2 lead nowhere if they are closed: else a socket gets such a number, and the log is written to it."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)


if __name__ == "__main__":
    sys.exit(main())
