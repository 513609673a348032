"""TLS 1.3 records made by hand, on a connection that Python's `ssl` has opened: what no library lets one send."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tests.support.timeouts import seconds
from tests.support.wire import trusting

ALERT, HANDSHAKE, DATA = 21, 22, 23
"""Kinds of content (RFC 8446, appendix B.1)."""
KEY_UPDATE = b"\x18\x00\x00\x01\x01"
"""A KeyUpdate that asks for one in return (section 4.6.3)."""
_CIPHER = "TLS_AES_256_GCM_SHA384"
_HASH_BYTES = 48


class Records:
    """A client's side of a connection, behind the handshake."""

    def __init__(self, host: str, port: int, scratch: Path, receive_buffer: int | None = None) -> None:
        """`scratch`: where the library writes its secrets to."""
        self.socket = socket.socket()
        self.socket.settimeout(seconds(5))
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((host, port))
        self._shake_hands(scratch / "secrets")

    def _shake_hands(self, secrets: Path) -> None:
        secrets.unlink(missing_ok=True)
        context = trusting()
        context.keylog_filename = str(secrets)
        tls = context.wrap_socket(socket.socket(fileno=os.dup(self.socket.fileno())))
        cipher = tls.cipher()
        assert cipher is not None
        assert cipher[0] == _CIPHER, f"the library has come to prefer another one: {cipher}"
        os.close(tls.detach())
        (secret,) = re.findall(r"^CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)$", secrets.read_text(), re.MULTILINE)
        self._use(bytes.fromhex(secret))

    def _use(self, secret: bytes) -> None:
        self._secret = secret
        self._cipher = AESGCM(_expanded(secret, b"key", 32))
        self._iv = int.from_bytes(_expanded(secret, b"iv", 12), "big")
        self._number = 0

    def record(self, content: bytes, kind: int = DATA) -> bytes:
        """The next record, encrypted."""
        inner = content + bytes([kind])
        header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        sealed = self._cipher.encrypt((self._iv ^ self._number).to_bytes(12, "big"), inner, header)
        self._number += 1
        return header + sealed

    def key_update(self) -> bytes:
        """The next record, after which there is another key."""
        record = self.record(KEY_UPDATE, HANDSHAKE)
        self._use(_expanded(self._secret, b"traffic upd", _HASH_BYTES))
        return record

    def close(self) -> None:
        self.socket.close()


def _expanded(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label without a context (section 7.1)."""
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return HKDFExpand(SHA384(), length, info).derive(secret)
