"""Opening a connection to the server: a plain one, or an encrypted one to a server that is believed. Which, `trust` decides.

Nothing of the user's goes out before this is done: not even a name.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import struct
from typing import TypeAlias

from common import addresses
from common.fingerprints import of_certificate
from urwid_client import trust
from urwid_client.pins import Pins
from urwid_client.settings import ClientSettings, find_data_dir
from urwid_client.trust import AUTHORITY, Unsafe, Wishes

_AT_ONCE = struct.pack("ii", 1, 0)
"""How a connection is closed that leaves nothing behind: not even its port stays in use for a minute."""

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Dialer:
    """Opens connections to one server."""

    def __init__(self, host: str, port: int, wishes: Wishes, pins: Pins) -> None:
        self.server = addresses.join(host, port)
        """How the server is called where something is kept about it."""
        self._host = host
        self._port = port
        self._wishes = wishes
        self._pins = pins

    async def dial(self) -> Streams:
        """A connection that may be used. Raises `Unsafe`, and `OSError` or `ValueError` where there is none at all."""
        known_by = self._pins.find(self.server)
        if not trust.encrypts(self._host, self._wishes, known_by):
            return _to_another(await asyncio.open_connection(addresses.called(self._host), self._port))
        if trust.expected_key(self._wishes, known_by) is None:
            with contextlib.suppress(ssl.SSLCertVerificationError):
                return await self._vouched_for()
        streams = await self._open(_unverifying())
        try:
            self._examine(known_by, _shown(streams))
        except BaseException:
            streams[1].transport.abort()
            raise
        return streams

    def believe(self, fingerprint: str) -> None:
        """The user believes that this is the server's key. Raises `Unsafe`."""
        self._pins.keep(self.server, fingerprint)

    def knows(self, fingerprint: str) -> bool:
        """Whether the server is known by this key. Raises `Unsafe`."""
        return trust.expected_key(self._wishes, self._pins.find(self.server)) == fingerprint

    async def _vouched_for(self) -> Streams:
        """Raises `ssl.SSLCertVerificationError` where nobody vouches for the server."""
        try:
            streams = await self._open(ssl.create_default_context())
        except ssl.SSLCertVerificationError as problem:
            trust.check_refusal(self.server, problem.verify_code, problem.verify_message)
            raise
        self._pins.keep(self.server, AUTHORITY)
        return streams

    def _examine(self, known_by: str | None, shown: str) -> None:
        if trust.expected_key(self._wishes, known_by) is None:
            trust.check_newcomer(self.server, self._wishes, known_by, shown)
        else:
            trust.check_key(self.server, self._wishes, known_by, shown)
        self._pins.keep(self.server, shown)

    def _is_only_wished(self) -> bool:
        """Whether it would be plain text if the user had not said `--tls`."""
        return not trust.encrypts(self._host, self._wishes._replace(tls=None), self._pins.find(self.server))

    async def _open(self, context: ssl.SSLContext) -> Streams:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            host = addresses.called(self._host)
            return await asyncio.open_connection(host, self._port, ssl=context, server_hostname=self._host)
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLError as problem:
            known = bool(self._wishes.fingerprint or self._pins.find(self.server))
            unsafe = trust.explained(self.server, problem.reason, self._is_only_wished(), known)
            raise unsafe or _cut(problem) from None
        except ConnectionError as problem:
            raise problem if problem.errno else _cut(problem) from None


def dialer_for(settings: ClientSettings) -> Dialer:
    """What opens the connections that these settings ask for."""
    return Dialer(settings.host, settings.port, settings.wishes, Pins(find_data_dir(settings)))


def _to_another(streams: Streams) -> Streams:
    """Raises `ConnectionRefusedError` where the system has connected a socket to itself.

    That happens where nobody listens, on this machine, at a port that it may give to whoever calls somebody; and as long as the
    connection lasts no server can take the port.
    """
    transport = streams[1].transport
    if transport.get_extra_info("sockname") == transport.get_extra_info("peername"):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        transport.abort()
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    return streams


def _unverifying() -> ssl.SSLContext:
    """The server's certificate is looked at afterwards, and before anything is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _shown(streams: Streams) -> str:
    """The fingerprint of the key that the server has proved to have. Raises `Unsafe` for a certificate that is none."""
    certificate = streams[1].get_extra_info("ssl_object").getpeercert(binary_form=True)
    try:
        return of_certificate(certificate)
    except ValueError:
        raise Unsafe("the server shows a certificate that cannot be read; its operator has to make another one") from None


def _cut(problem: OSError) -> OSError:
    """Somebody or something ended the connection within the handshake; it may go better the next time."""
    reason = problem.reason if isinstance(problem, ssl.SSLError) else ""
    words = f" ({reason.lower().replace('_', ' ')})" if reason else ""
    return OSError(f"the connection was cut before it was encrypted{words}")
