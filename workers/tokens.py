"""A guest's token: an identity, the day on which it expires, and a MAC over both under the server's key.

Nothing about it is stored, so that mere connecting fills no disk.
"""

from __future__ import annotations

import hmac
import re

from common.errors import Code, Refused

IDENTITY = re.compile(r"g[a-z2-7]{16}")
_TOKEN = re.compile(rf"({IDENTITY.pattern})\.([0-9]{{1,7}})\.([0-9a-f]{{32}})")
_DAY_MS = 86_400_000
_MAC_BYTES = 16


def mint(key: bytes, identity: str, now_ms: int, days: int) -> str:
    """A token that is valid for so many days."""
    signed = f"{identity}.{now_ms // _DAY_MS + days}"
    return f"{signed}.{_mac(key, signed)}"


def identity_of(key: bytes, token: str, now_ms: int) -> str:
    """Whose token this is. Raises `Refused` with `bad_token`."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise Refused(Code.BAD_TOKEN, "this is not a token of this server")
    identity, expiry, mac = match.groups()
    if not hmac.compare_digest(mac, _mac(key, f"{identity}.{expiry}")):
        raise Refused(Code.BAD_TOKEN, "this is not a token of this server")
    if now_ms // _DAY_MS > int(expiry):
        raise Refused(Code.BAD_TOKEN, "the token has expired")
    return identity


def _mac(key: bytes, signed: str) -> str:
    return hmac.digest(key, signed.encode(), "sha256")[:_MAC_BYTES].hex()
