"""How the address of a server is written (`host:port`, with an address of IPv6 in brackets), and whether it is this machine's."""

from __future__ import annotations

import ipaddress
import re

from common.limits import DEFAULT_PORT

_LOOPBACK = re.compile(r"localhost|::1|127(\.[0-9]{1,3}){3}", re.IGNORECASE | re.ASCII)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine for certain, as its name or address tells: `127.example.org` is somebody else's."""
    return _LOOPBACK.fullmatch(host) is not None


def join(host: str, port: int) -> str:
    """`host:port` or `[address]:port`, the same in small and large letters; those of a zone (an interface) do differ."""
    host, percent, zone = host.partition("%")
    host = host.lower() + percent + zone
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def canonical(address: str) -> str:
    """What is equal for all ways to write the address of one server, as far as they can be told without asking anybody."""
    host, colon, port = address.lower().rpartition(":")
    return called(host) + colon + port


def called(host: str) -> str:
    """What to connect to for this host. The system may take ::1 for `localhost`, whose port may be another program's."""
    return "127.0.0.1" if host.lower() == "localhost" else host


def is_same(one: str, other: str) -> bool:
    """Whether two addresses (`host:port`) are those of one server."""
    return canonical(one) == canonical(other)


def split(text: str) -> tuple[str, int]:
    """Host and port of `host`, `host:port`, `[address]:port`, or an address by itself. Raises `ValueError`."""
    text = text.strip()
    host, colon, port = text.rpartition(":")
    if not colon or (text.count(":") > 1 and not host.endswith("]")):  # an address of IPv6 by itself
        host, port = text, str(DEFAULT_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not host.isprintable() or " " in host or not port.isascii() or not port.isdecimal():
        raise ValueError(text)
    if host.isdecimal() or not 1 <= int(port) <= 65535:  # a number by itself is a port
        raise ValueError(text)
    if ":" in host:
        ipaddress.IPv6Address(host)
    return host, int(port)


def is_host(text: str) -> bool:
    """Whether it can stand in an address."""
    return is_address(join(text, DEFAULT_PORT))


def is_address(text: str) -> bool:
    """Whether `split` takes it."""
    try:
        split(text)
    except ValueError:
        return False
    return True
