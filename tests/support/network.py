"""A network of a test's own: a namespace with addresses of strangers, as a server takes them.

A function that is to run there is named, and run in a fresh interpreter, with everything that it starts. Without the right to
make such a namespace the test is skipped.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tests.support.timeouts import seconds
from tests.support.tools import skip_without

ADDRESSES = ("198.51.100.1", "198.51.100.2", "2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1")
"""Two of IPv4; two of one /64 of IPv6, and one of another."""

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _SIOCSIFADDR = 0x8914, 0x8916
_IFF_UP = 1
_NOT_POSSIBLE = 77


def not_possible(why: object) -> NoReturn:
    """What the function that runs in a network of its own needs cannot be made here: the test is skipped."""
    print(why, file=sys.stderr)
    sys.exit(_NOT_POSSIBLE)


def run_in_own_network(function: Callable[..., None], *arguments: str) -> None:
    """Runs a function of a module, with these arguments, in a network that has `ADDRESSES`."""
    command = [sys.executable, "-m", __name__, function.__module__, function.__name__, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds(50))
    if ended.returncode == _NOT_POSSIBLE:
        skip_without("network", ended.stderr.strip())
    assert ended.returncode == 0, ended.stderr


def _enter() -> None:
    """Raises `OSError`."""
    uid, gid = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET | (_CLONE_NEWUSER if uid else 0)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if uid:
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _set_up()


def _set_up() -> None:
    with socket.socket() as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))
        for number, address in enumerate(address for address in ADDRESSES if ":" not in address):
            packed = struct.pack("16sHH4s16x", f"lo:{number}".encode(), socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, _SIOCSIFADDR, packed)
    with socket.socket(socket.AF_INET6) as control:
        for address in (address for address in ADDRESSES if ":" in address):
            packed = struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, address), 128, socket.if_nametoindex("lo"))
            fcntl.ioctl(control, _SIOCSIFADDR, packed)


if __name__ == "__main__":
    module, name, *arguments = sys.argv[1:]
    try:
        _enter()
    except OSError as problem:
        not_possible(problem)
    getattr(importlib.import_module(module), name)(*arguments)
