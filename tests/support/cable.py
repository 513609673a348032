"""A machine of its own for a program, as far as the network goes, and the cable that joins it to ours.

The program runs in a network namespace (`apart`), which has nothing but one end of the cable: that can be pulled out, and
plugged in again where it gets another address, as happens to a laptop. It takes rights in the network that one is in.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.network import not_possible
from tests.support.timeouts import wait_until

_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR = 0x8913, 0x8914, 0x8916
_IFF_UP = 1
_OUR_END, _THEIR_END = b"ours", b"theirs"

_RTM_NEWLINK = 16
_REQUEST_TO_CREATE = 0x1 | 0x4 | 0x200 | 0x400
"""NLM_F_REQUEST, ACK, EXCL and CREATE."""
_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_NET_NS_PID = 3, 18, 19
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1


def apart(command: Sequence[str | Path]) -> list[str | Path]:
    """The command with a network of its own, as the same process. It begins when its end of the cable is plugged in."""
    return [sys.executable, "-m", __name__, *command]


class Cable:
    """Between this network and the one of a process that was started by `apart`."""

    def __init__(self, pid: int, address: str) -> None:
        """`address` is the one of our end."""
        self._network = f"/proc/{pid}/ns/net"
        ours = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(self._network) != ours, "the program has a network of its own")
        _make(pid)
        _set_address(_OUR_END, address)
        _set_up(_OUR_END, up=True)

    def plug_in(self, address: str) -> None:
        """From now on this is the address of the other end, and the only one."""
        with self._inside():
            _set_address(_THEIR_END, address)
            _set_up(_THEIR_END, up=True)

    def pull_out(self) -> None:
        """Nothing gets through, and nobody is told."""
        with self._inside():
            _set_up(_THEIR_END, up=False)

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """In the other network, for as long as the block takes."""
        with open("/proc/self/ns/net") as ours, open(self._network) as theirs:
            _enter(theirs.fileno())
            try:
                yield
            finally:
                _enter(ours.fileno())


def _make(pid: int) -> None:
    """A pair of interfaces (veth), of which one is in the network of that process."""
    info = struct.pack("16x")
    peer = info + _attribute(_IFLA_IFNAME, _THEIR_END + b"\0") + _attribute(_IFLA_NET_NS_PID, struct.pack("I", pid))
    pair = _attribute(_IFLA_INFO_KIND, b"veth") + _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, peer))
    body = info + _attribute(_IFLA_IFNAME, _OUR_END + b"\0") + _attribute(_IFLA_LINKINFO, pair)
    header = struct.pack("IHHII", 16 + len(body), _RTM_NEWLINK, _REQUEST_TO_CREATE, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as kernel:
        kernel.send(header + body)
        (error,) = struct.unpack_from("i", kernel.recv(4096), 16)
    if error:
        not_possible(f"no pair of interfaces: {os.strerror(-error)}")


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def _set_address(interface: bytes, address: str) -> None:
    with socket.socket() as control:
        request = struct.pack("16sHH4s16x", interface, socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(control, _SIOCSIFADDR, request)


def _set_up(interface: bytes, up: bool) -> None:
    with socket.socket() as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", interface, _IFF_UP if up else 0))


def _is_up(interface: bytes) -> bool:
    with socket.socket() as control, contextlib.suppress(OSError):
        _, flags = struct.unpack("16sH22x", fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16s24x", interface)))
        return bool(flags & _IFF_UP)
    return False


def _enter(network: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(network, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    if ctypes.CDLL(None).unshare(_CLONE_NEWNET):
        sys.exit("no network of its own")
    while not _is_up(_THEIR_END):
        time.sleep(0.01)
    os.execvp(sys.argv[1], sys.argv[1:])
