"""The server's certificate and key: read from the files that the user named, or made by the server itself and kept.

Whatever is wrong with them is said here, in words, before anybody serves with them.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import stat
import tempfile
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from broker.encryption import Certificate, CertificateUnusable
from common.files import sync, without_waiting
from common.fingerprints import of_certificate
from common.tls import server_context

FILE = "tls.pem"
"""The server's own, in its data directory."""
_MOST_BYTES = 64 * 1024
"""Longer than any chain of certificates with its key; all of it goes through a control socket in one packet."""
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""No end (RFC 5280, section 4.1.2.5): whoever pins the key does not look at dates, and nobody else trusts this certificate."""


class Source(NamedTuple):
    """The files that a certificate is read from, at the start and whenever it is to be read anew."""

    certificate: Path
    key: Path

    def read(self) -> Certificate:
        """Raises `CertificateUnusable`."""
        try:
            with warnings.catch_warnings(action="ignore"):  # of what is odd but works; they would go to the terminal
                return self._read()
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as problem:
            raise CertificateUnusable(f"the certificate in {self.certificate} cannot be understood: {problem}") from None

    def _read(self) -> Certificate:
        chain = _certificates(self.certificate)
        key = _key(self.key)
        if _public(chain[0].public_key()) != _public(key.public_key()):
            raise CertificateUnusable(f"the key in {self.key} is not that of the certificate in {self.certificate}")
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
        pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            server_context(pem)
        except ssl.SSLError as problem:
            why = problem.reason or problem
            raise CertificateUnusable(f"the certificate in {self.certificate} cannot be used for TLS: {why}") from None
        return Certificate(
            pem,
            of_certificate(chain[0].public_bytes(Encoding.DER)),
            chain[0].issuer == chain[0].subject,
            _names(chain[0]),
            [*_about_dates(self.certificate, chain[0]), *_about_readers(self.key)],
        )


def own(data_dir: Path) -> Source:
    """The server's own certificate, which is made if there is none yet. Raises `CertificateUnusable`."""
    path = data_dir / FILE
    if not path.exists():
        try:
            _keep(path, _new())
        except OSError as problem:
            raise CertificateUnusable(f"no key can be kept in {path} ({problem.strerror}), make room for it") from None
    return Source(path, path)


# --- reading ----------------------------------------------------------------------------------------------------------


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_content(path))
    except ValueError:
        raise CertificateUnusable(f"there is no certificate (PEM) in {path}") from None


def _key(path: Path) -> PrivateKeyTypes:
    """The first private key of a file."""
    try:
        return serialization.load_pem_private_key(_content(path), None)
    except TypeError:
        how = f"openssl pkey -in {path} -out NEW-FILE"
        raise CertificateUnusable(f"the key in {path} has a passphrase, take it out ({how}) or name another --tls-key") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateUnusable(f"there is no private key (PEM) in {path}, name its file with --tls-key") from None


def _content(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=without_waiting) as file:
            content = file.read(_MOST_BYTES // 2 + 1) or b""
    except OSError as problem:
        raise CertificateUnusable(f"{path} cannot be read: {problem.strerror}") from None
    if len(content) > _MOST_BYTES // 2:
        raise CertificateUnusable(f"{path} is too long for a certificate or a key")
    return content


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        return []


def _about_dates(path: Path, certificate: x509.Certificate) -> list[str]:
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        return [f"the certificate in {path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}, renew it and send SIGHUP"]
    if now < certificate.not_valid_before_utc:
        return [f"the certificate in {path} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}, check the clock"]
    return []


def _about_readers(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        mode = path.stat().st_mode
        if mode & stat.S_IROTH:
            return [f"everybody on this machine can read the key in {path}, say chmod 600 {path}"]
    return []


# --- making -----------------------------------------------------------------------------------------------------------


def _new() -> bytes:
    """A key and its certificate (PEM). P-256: every client of TLS 1.2 and 1.3 takes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "chat-broker")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))  # clocks differ
        .not_valid_after(_NEVER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM) + secret


def _keep(path: Path, pem: bytes) -> None:
    """Puts the file there as a whole, on the disk, for its owner alone; not in the place of one that came meanwhile."""
    fd, beside = tempfile.mkstemp(prefix=f".{FILE}-", dir=path.parent)
    try:
        with open(fd, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
    finally:
        os.unlink(beside)
    sync(path.parent)
