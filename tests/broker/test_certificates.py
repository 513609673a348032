from __future__ import annotations

import datetime
import os
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from broker.certificates import FILE, Source, own
from broker.encryption import CertificateUnusable
from tests.support.certificates import authority, make


def refused(source: Source) -> str:
    with pytest.raises(CertificateUnusable) as problem:
        source.read()
    assert "\n" not in str(problem.value)
    return str(problem.value)


# --- the user's -----------------------------------------------------------------------------------------------------------


def test_a_certificate_with_its_chain_and_its_key_in_another_file(tmp_path: Path) -> None:
    ca = authority()
    made = make("chat.example.org", by=ca)
    (tmp_path / "cert").write_bytes(made.pem + ca.pem)
    (tmp_path / "key").write_bytes(made.key_pem())
    (tmp_path / "key").chmod(0o600)
    read = Source(tmp_path / "cert", tmp_path / "key").read()
    assert (read.fingerprint, read.self_signed, read.names, read.warnings) == (made.fingerprint, False, ["chat.example.org"], [])
    assert read.pem == made.pem + ca.pem + made.key_pem()


def test_all_in_one_file_whatever_stands_first(tmp_path: Path) -> None:
    made = make()
    for number, pem in enumerate([made.pem + made.key_pem(), made.key_pem() + made.pem]):
        path = tmp_path / str(number)
        path.write_bytes(b"Bag Attributes: some words\n" + pem)
        assert Source(path, path).read().fingerprint == made.fingerprint


def test_what_cannot_be_used_is_told_in_words(tmp_path: Path) -> None:
    made, other = make(), make()
    cert, key = tmp_path / "cert", tmp_path / "key"
    cert.write_bytes(made.pem)
    for content, said in [
        (other.key_pem(), f"the key in {key} is not that of the certificate in {cert}"),
        (made.key_pem(b"secret"), f"the key in {key} has a passphrase, take it out (openssl pkey -in {key} -out NEW-FILE) or "),
        (b"", f"there is no private key (PEM) in {key}, name its file with --tls-key"),
        (made.pem, f"there is no private key (PEM) in {key}, name its file with --tls-key"),
        (made.key_pem()[:100], f"there is no private key (PEM) in {key}, name its file with --tls-key"),
        (b"x" * 100_000, f"{key} is too long for a certificate or a key"),
    ]:
        key.write_bytes(content)
        assert refused(Source(cert, key)).startswith(said)
    key.write_bytes(made.key_pem())
    for content in (b"", made.key_pem(), made.pem[:100], b"\xff\0"):
        cert.write_bytes(content)
        assert refused(Source(cert, key)) == f"there is no certificate (PEM) in {cert}"
    assert refused(Source(tmp_path / "none", key)) == f"{tmp_path}/none cannot be read: No such file or directory"
    assert refused(Source(tmp_path, key)) == f"{tmp_path} cannot be read: Is a directory"
    os.mkfifo(tmp_path / "pipe")
    assert refused(Source(tmp_path / "pipe", key)) == f"there is no certificate (PEM) in {tmp_path}/pipe"


@pytest.mark.parametrize(
    ("before", "after"),
    [("06072a8648ce3d0201", "06072a8648ce3d020f"), ("a003020102", "a003020101")],
    ids=["a key of no kind", "a version that there is not"],
)
def test_a_certificate_that_nobody_understands(before: str, after: str, tmp_path: Path) -> None:
    made = make()
    der = made.certificate.public_bytes(Encoding.DER)
    odd = der.replace(bytes.fromhex(before), bytes.fromhex(after), 1)
    (tmp_path / "cert").write_text(ssl.DER_cert_to_PEM_cert(odd))
    (tmp_path / "key").write_bytes(made.key_pem())
    said = refused(Source(tmp_path / "cert", tmp_path / "key"))
    assert said.startswith(f"the certificate in {tmp_path}/cert cannot be understood: ")


@pytest.mark.parametrize(("days", "said"), [((-9, -1), "expired on 20"), ((1, 9), "is not valid before 20")])
def test_one_at_the_wrong_time_is_used_and_warned_of(days: tuple[int, int], said: str, tmp_path: Path) -> None:
    path = make(days=days).write(tmp_path / "pem")
    (warning,) = Source(path, path).read().warnings
    assert said in warning


def test_a_key_that_everybody_can_read_is_warned_of(tmp_path: Path) -> None:
    path = make().write(tmp_path / "pem")
    path.chmod(0o640)  # a group for those who may is common
    assert not Source(path, path).read().warnings
    path.chmod(0o644)
    assert Source(path, path).read().warnings == [f"everybody on this machine can read the key in {path}, say chmod 600 {path}"]


# --- the server's own -------------------------------------------------------------------------------------------------------


def test_its_own_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first = own(tmp_path).read()
    finally:
        os.umask(before)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == [FILE]
    assert own(tmp_path).read() == first
    assert (first.self_signed, first.names, first.warnings) == (True, [], [])
    certificate = x509.load_pem_x509_certificate(first.pem)
    assert certificate.not_valid_after_utc.year == 9999
    assert certificate.not_valid_before_utc < datetime.datetime.now(datetime.UTC)


def test_servers_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    """In one directory: only one of them will get the lock on the log, and which key the others made is no matter."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(own(tmp_path).read().fingerprint)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == own(tmp_path).read().fingerprint


def test_where_none_can_be_kept(tmp_path: Path) -> None:
    with pytest.raises(CertificateUnusable, match=r"^no key can be kept in .* \(No such file or directory\), make room for it$"):
        own(tmp_path / "nowhere")


def test_one_of_its_own_that_is_damaged_is_not_replaced(tmp_path: Path) -> None:
    """A new key would have everybody think that the server is another one."""
    (tmp_path / FILE).write_bytes(b"damaged")
    assert refused(own(tmp_path)) == f"there is no certificate (PEM) in {tmp_path}/{FILE}"
    assert (tmp_path / FILE).read_bytes() == b"damaged"
