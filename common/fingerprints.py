"""Fingerprints: how people and files speak of a server's key. `SHA256:` and 43 characters of base64, as SSH writes them.

What is hashed is the key and not the certificate (its SubjectPublicKeyInfo, RFC 7469 section 2.4), so that a renewed certificate
of the same key has the same fingerprint.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import warnings

_PREFIX = "SHA256:"


def of_certificate(der: bytes) -> str:
    """The fingerprint of the key that a certificate (DER) is about. Raises `ValueError` if it is none, or of no known kind."""
    from cryptography import x509  # slow to import, and only for those who have to do with certificates
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        with warnings.catch_warnings(action="ignore"):  # of what else is odd about it, the library would write to the terminal
            key = x509.load_der_x509_certificate(der).public_key()
    except (UnsupportedAlgorithm, x509.InvalidVersion) as problem:
        raise ValueError(str(problem)) from None
    return _written(hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest())


def as_fingerprint(text: str) -> str:
    """The fingerprint that somebody wrote, in the form that `of_certificate` gives. Raises `ValueError` if it is none."""
    text = text.strip()
    if not text.startswith(_PREFIX):
        raise ValueError(text)
    signs = text.removeprefix(_PREFIX).rstrip("=")
    try:
        digest = base64.b64decode(signs + "=" * (-len(signs) % 4), validate=True)
    except binascii.Error:
        raise ValueError(text) from None
    if len(digest) != hashlib.sha256().digest_size:
        raise ValueError(text)
    return _written(digest)


def _written(digest: bytes) -> str:
    return _PREFIX + base64.b64encode(digest).decode().rstrip("=")
