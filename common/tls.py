"""Which TLS the server speaks: the supervisor tries a certificate with it, the workers serve with it.

The certificate comes as bytes, and is written to no disk.
"""

from __future__ import annotations

import os
import ssl


def server_context(pem: bytes) -> ssl.SSLContext:
    """A context that serves with this certificate, what follows it in its chain, and its key (PEM, not encrypted).

    Raises `ssl.SSLError` where the library does not take them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # No renegotiation: a write never has to wait for a read. No tickets: connections live long, and what would have to be kept
    # to resume one could also be used to read it.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    # The library reads certificates from files only. This one is in memory, and gone when it is closed.
    file = os.memfd_create("certificate")
    try:
        with open(file, "wb", closefd=False) as writing:
            writing.write(pem)
        context.load_cert_chain(f"/dev/fd/{file}")
    finally:
        os.close(file)
    return context
