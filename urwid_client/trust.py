"""Whether to encrypt, and whom to believe: it follows from what the user said, what is remembered, and what a server shows.

A server is known by the fingerprint of its key, or by `AUTHORITY`: one that the system trusts vouches for its host name. Decides
only; `dialing` connects, `pins` remembers.
"""

from __future__ import annotations

from typing import NamedTuple

from common import addresses
from urwid_client.errors import Failed

AUTHORITY = "authority"

_NOBODY_VOUCHES = frozenset((18, 19, 20, 21))
"""What OpenSSL calls certificates whose issuer is not known, or is the certificate itself (X509_V_ERR_…). Only those may be
believed by their key: of others a known authority says whose they are, which is somebody else, or was so some time ago."""
_WHY = {
    9: "it is not valid yet, check the clocks, or tell its operator",
    10: "it has expired, its operator has to renew it",
    62: "it is for another host name, write the server's own",
    64: "it is for another address, write the server's host name",
}
_NO_TLS = frozenset(
    ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_MESSAGE")
)
_OLD_TLS = frozenset(("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"))


class Unsafe(Failed):
    """A connection that must not be used. Trying again does not help; the line says what does."""


class OtherKey(Unsafe):
    """The server shows another key than the one that it is known by, or has to have."""


class EncryptionRequired(Unsafe):
    """The server does not take plain text."""

    def __init__(self, server: str) -> None:
        super().__init__(f"{server} takes encrypted connections only: start with --tls, and without --insecure")


class UnknownKey(Unsafe):
    """The first visit: nobody vouches for the server, and its key has never been seen."""

    def __init__(self, server: str, fingerprint: str) -> None:
        super().__init__(
            f"{server} is not known here yet, its key is {fingerprint}; if its operator says the same, add"
            f" --fingerprint {fingerprint} (or --accept-new, to believe it)"
        )
        self.server = server
        self.fingerprint = fingerprint


class Wishes(NamedTuple):
    """What the user said about this."""

    tls: bool | None = None
    """Encrypt, or do not; None leaves it to what is usual."""
    fingerprint: str | None = None
    """The server's key must have this one."""
    accept_new: bool = False
    """Believe a server whose key has never been seen."""
    demanded: bool = False
    """The server takes nothing but TLS: encrypt, unless the user said that one must not."""


def encrypts(host: str, wishes: Wishes, known_by: str | None) -> bool:
    """Whether to speak TLS. A server that did so once is spoken to in plain text only when the user says so."""
    if wishes.tls is not None:
        return wishes.tls
    return bool(wishes.demanded or wishes.fingerprint or known_by) or not addresses.is_loopback(host)


def expected_key(wishes: Wishes, known_by: str | None) -> str | None:
    """The fingerprint that the server has to show; None if an authority's word is wanted, or nothing is known yet."""
    return wishes.fingerprint or (None if known_by == AUTHORITY else known_by)


def check_key(server: str, wishes: Wishes, known_by: str | None, shown: str) -> None:
    """Whether the key that a server shows is the one that it has to have. Raises `Unsafe`."""
    expected = expected_key(wishes, known_by)
    if shown == expected:
        return
    if wishes.fingerprint:
        raise OtherKey(
            f"{server} is not the server that you mean: its key is {shown}, and was to be {expected};"
            " somebody may be in the middle: ask its operator, through another channel"
        )
    raise OtherKey(
        f"the key of {server} has changed: it was {expected}, and is {shown}; somebody may be in the middle: ask its operator,"
        f" and if that is its new key, start once with --fingerprint {shown}"
    )


def check_newcomer(server: str, wishes: Wishes, known_by: str | None, shown: str) -> None:
    """Whether to believe a key that nobody vouches for, where none is expected. Raises `Unsafe`, `UnknownKey` among them."""
    if known_by == AUTHORITY:
        raise OtherKey(
            f"an authority vouched for {server} before, and none does for the key that it shows now, {shown}; somebody may be"
            f" in the middle: ask its operator, and if that is its new key, start once with --fingerprint {shown}"
        )
    if not wishes.accept_new:
        raise UnknownKey(server, shown)


def check_refusal(server: str, code: int, message: str) -> None:
    """A certificate was refused by the usual rules (for OpenSSL's code and words): that nobody vouches for it may be forgiven.

    Raises `Unsafe` for anything else.
    """
    if code not in _NOBODY_VOUCHES:
        why = _WHY.get(code, f"{message}, tell its operator")
        raise Unsafe(f"the certificate of {server} is refused: {why}; if you know its key, add --fingerprint SHA256:…")


def explained(server: str, reason: str | None, only_wished: bool, known: bool) -> Unsafe | None:
    """What a handshake that failed for this reason (OpenSSL's word) means, if trying again is of no use.

    `only_wished`: there was one only because the user said `--tls`. `known`: they were told its key, or it spoke TLS before.
    """
    if reason in _NO_TLS and known:
        return Unsafe(
            f"{server} does not speak TLS, and the server that you mean does; somebody may be in the middle: ask its operator,"
            " and only if plain text is meant, which others can read and change, start with --insecure instead of a fingerprint"
        )
    if reason in _NO_TLS and only_wished:
        return Unsafe(f"{server} does not speak TLS: leave --tls away if plain text is meant, or name another server")
    if reason in _NO_TLS:
        return Unsafe(f"{server} does not speak TLS; --insecure talks to it in plain text, which others can read and change")
    if reason in _OLD_TLS:
        return Unsafe(f"{server} speaks only versions of TLS that are not safe any more; its operator has to update it")
    return None
