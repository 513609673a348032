from __future__ import annotations

import os
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from common.tls import server_context
from tests.support.certificates import make


@pytest.mark.parametrize("key", [None, rsa.generate_private_key(65537, 2048)])
def test_it_speaks_new_versions_only_and_resumes_nothing(key: rsa.RSAPrivateKey | None) -> None:
    made = make(key=key)
    context = server_context(made.pem + made.key_pem())
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert context.num_tickets == 0
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize("pem", [b"", b"nothing", make().pem, make().key_pem(), make().pem + make().key_pem()])
def test_what_is_no_certificate_with_its_key(pem: bytes) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ssl.SSLError):
        server_context(pem)
    assert os.listdir("/proc/self/fd") == before
