"""Whether a client whose certificate was accepted before must be refused now.

A resumed session is not verified again (RFC 8446, section 2.2): its ticket identifies the client. So tickets become
invalid when trust is taken away, and only then.
"""

from __future__ import annotations

from cryptography import x509

from tlsrun.certificates.pem import parse_pem
from tlsrun.tls.context import ClientAuth


def takes_trust_away(old: ClientAuth, new: ClientAuth) -> bool:
    """Whether ``new`` lacks an authority that ``old`` has, or revokes a certificate that ``old`` does not.

    Also True if they cannot be compared.
    """
    try:
        return not (_authorities(old) <= _authorities(new) and _revoked(new) <= _revoked(old))
    except ValueError:
        return True


def _authorities(client_auth: ClientAuth) -> set[bytes]:
    return {block.der for block in parse_pem(client_auth.ca).certificates}


def _revoked(client_auth: ClientAuth) -> set[tuple[bytes, int]]:
    """Issuer and serial number of each certificate on a list."""
    blocks = parse_pem(client_auth.crl or b"").blocks
    lists = [x509.load_der_x509_crl(block.der) for block in blocks if block.label == "X509 CRL"]
    return {(crl.issuer.public_bytes(), entry.serial_number) for crl in lists for entry in crl}
