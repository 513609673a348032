"""The entry of the command `chat-client`: what must be in place before anything else is imported. See `urwid_client.forms`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Runs the command. Its exit status: 0 done, 1 failed, 2 wrong usage."""
    signal.signal(signal.SIGINT, _leave)
    gc.disable()  # nothing that is loaded now is garbage; `forms` enables it again
    try:
        from urwid_client import forms  # slow: Ctrl+C is answered already
    except ImportError as problem:
        print(f"chat-client: cannot be loaded ({problem}), install it again", file=sys.stderr)
        return 1
    return forms.run(sys.argv[1:], os.environ)


def _leave(number: int, frame: FrameType | None) -> None:
    """Ctrl+C before anything was begun."""
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
