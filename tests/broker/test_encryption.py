from __future__ import annotations

import pytest

from broker.encryption import Certificate, CertificateUnusable, Encryption
from broker.listening import resolve

OWN = Certificate(b"own", "SHA256:" + "A" * 43, True, [], [])
SIGNED = Certificate(b"signed", "SHA256:" + "B" * 43, False, ["*.example.org", "chat.example.org"], [])


@pytest.mark.parametrize(
    ("certificate", "host", "invitation"),
    [
        (OWN, "192.0.2.7", f"chat://192.0.2.7:5/?fp={OWN.fingerprint}"),
        (SIGNED, "192.0.2.7", "chat://chat.example.org:5/"),
        (SIGNED._replace(names=["*.example.org"]), "192.0.2.7", "chat://192.0.2.7:5/"),
        (OWN._replace(names=["chat.example.org"]), "::1", f"chat://[::1]:5/?fp={OWN.fingerprint}"),
    ],
)
def test_the_invitation(certificate: Certificate, host: str, invitation: str) -> None:
    encryption = Encryption(lambda: certificate, required=True)
    assert encryption.invitation(resolve(host, 5)) == invitation


def test_a_certificate_that_is_no_good_leaves_the_one_before_it() -> None:
    certificates = [OWN, OWN, SIGNED]

    def read() -> Certificate:
        if not certificates:
            raise CertificateUnusable("it is gone")
        return certificates.pop(0)

    encryption = Encryption(read, required=False)
    assert [encryption.renew(), encryption.renew()] == [False, True]
    with pytest.raises(CertificateUnusable):
        encryption.renew()
    assert encryption.order() == {"pem": b"signed", "required": False}
