"""Kinds of keys that HTTP/3 cannot use: QUIC's TLS is aioquic's, which has fewer than OpenSSL."""

from __future__ import annotations

#: aioquic 1.7 has no signature scheme (RFC 8446, section 4.2.3) for P-521 and ML-DSA. It treats a key that is
#: restricted to RSASSA-PSS as plain RSA, and clients refuse the signature.
_UNFIT = ("RSASSA-PSS", "ML-DSA", "ECDSA P-521")


def unfit_for_quic(kind: str) -> str | None:
    """Why HTTP/3 cannot use a key, for the start and for renewals; None if it can.

    Arguments:
        kind: the kind of key, as in `Identity.key_type`.
    """
    return f"HTTP/3 cannot sign with a key of the kind {kind}" if kind.startswith(_UNFIT) else None
