"""Which kinds of key HTTP/3 can sign with: QUIC's TLS is aioquic's, which knows fewer than OpenSSL."""

from __future__ import annotations

#: aioquic 1.7 has no signature scheme (RFC 8446, section 4.2.3) for P-521 and ML-DSA, and takes a key for RSASSA-PSS
#: alone for plain RSA: its clients refuse what it signs then.
_UNFIT = ("RSASSA-PSS", "ML-DSA", "ECDSA P-521")


def unfit_for_quic(kind: str) -> str | None:
    """Why a key cannot be served over HTTP/3, at the start and at a renewal; None when it can.

    Arguments:
        kind: as `Identity.key_type` has it.
    """
    return f"HTTP/3 cannot sign with a key of the kind {kind}" if kind.startswith(_UNFIT) else None
