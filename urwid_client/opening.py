"""Opening a link with whatever the desktop opens links with."""

from __future__ import annotations

import subprocess
import sys
import threading

_COMMAND = "open" if sys.platform == "darwin" else "xdg-open"


def open_link(link: str) -> bool:
    """Whether there is something that can. What it says goes nowhere, and it outlives this program."""
    nowhere = subprocess.DEVNULL
    try:
        process = subprocess.Popen([_COMMAND, link], stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
    except OSError:
        return False
    threading.Thread(target=process.wait, daemon=True).start()  # or it would stay as a zombie
    return True
