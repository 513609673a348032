from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common.fingerprints import as_fingerprint, of_certificate
from tests.support.certificates import make

ONE = "SHA256:" + base64.b64encode(bytes(range(32))).decode().rstrip("=")


def test_it_is_the_hash_of_the_key() -> None:
    made = make()
    key = made.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    told = of_certificate(made.certificate.public_bytes(Encoding.DER))
    assert told == as_fingerprint(told)
    assert base64.b64decode(told.removeprefix("SHA256:") + "=") == hashlib.sha256(key).digest()


def test_a_renewed_certificate_of_the_same_key_has_the_same_one_and_another_key_has_another() -> None:
    first = make("one.test")
    renewed = make("two.test", key=first.key, days=(-1, 100))
    assert renewed.fingerprint == first.fingerprint != make("one.test").fingerprint


@pytest.mark.parametrize("text", [ONE, f" {ONE}\n", ONE + "="])
def test_it_may_be_written_with_what_surrounds_it(text: str) -> None:
    assert as_fingerprint(text) == ONE


@pytest.mark.parametrize(
    "text",
    ["", "SHA256:", ONE[:-1], ONE + "A", ONE.replace("A", "ä"), ONE[7:], "MD5:" + ONE[7:], ONE[:20] + " " + ONE[20:], ONE + "=A"],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        as_fingerprint(text)


def test_one_that_breaks_rules_is_looked_at_without_a_word() -> None:
    """A warning would end up on the screen; here it would be an error."""
    made = make()
    der = made.certificate.public_bytes(Encoding.DER)
    serial = made.certificate.serial_number.to_bytes(20)
    assert of_certificate(der.replace(serial, b"\x80" + serial[1:])) == made.fingerprint


def test_a_key_of_an_unknown_kind_has_none() -> None:
    der = make().certificate.public_bytes(Encoding.DER)
    elliptic_curves, nothing = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d020f")
    with pytest.raises(ValueError, match="key type"):
        of_certificate(der.replace(elliptic_curves, nothing))


def test_a_certificate_of_a_version_that_there_is_not_has_none() -> None:
    der = make().certificate.public_bytes(Encoding.DER)
    third, second = bytes.fromhex("a003020102"), bytes.fromhex("a003020101")
    with pytest.raises(ValueError, match="version"):
        of_certificate(der.replace(third, second, 1))


def test_no_certificate_has_none() -> None:
    with pytest.raises(ValueError, match=r".*"):
        of_certificate(b"nothing")
