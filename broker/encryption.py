"""How the server encrypts: the certificate that it serves with now, and what it tells others of it.

Where the certificate comes from is `broker.certificates`' business, which is slow to import and not always needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from broker.listening import Address
from common.invitations import Invitation


class CertificateUnusable(Exception):
    """One line for the user."""


class Certificate(NamedTuple):
    """What the server proves with who it is."""

    pem: bytes
    """The certificate, what follows it in its chain, and its key, not encrypted."""
    fingerprint: str
    """Of the key, see `common.fingerprints`."""
    self_signed: bool
    """Nobody vouches for it but its own key."""
    names: list[str]
    """The host names that it is for."""
    warnings: list[str]
    """What will make clients refuse it, or others read it; a line each."""


class Encryption:
    """The certificate in use, and whether it has to be used."""

    def __init__(self, read: Callable[[], Certificate], *, required: bool) -> None:
        """`read` gives the certificate as it is in its files; `required`: plain text is refused. Raises `CertificateUnusable`."""
        self._read = read
        self.required = required
        self.certificate = read()

    def renew(self) -> bool:
        """Reads the certificate again; whether it is another one. Raises `CertificateUnusable`: the one before it stays."""
        before, self.certificate = self.certificate, self._read()
        return before != self.certificate

    def order(self) -> dict[str, Any]:
        """What workers are told."""
        return {"pem": self.certificate.pem, "required": self.required}

    def invitation(self, address: Address) -> str:
        """Where clients on other machines find the server.

        It carries the fingerprint, unless an authority vouches for the certificate: those are renewed, often with another key.
        """
        named = [name for name in self.certificate.names if "*" not in name]
        if self.certificate.self_signed:
            return str(Invitation(address.inviting_host, address.port, fingerprint=self.certificate.fingerprint))
        return str(Invitation(named[0] if named else address.inviting_host, address.port))
