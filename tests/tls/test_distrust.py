"""Whether trust in clients is taken away."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.support.certs import DAY, NOW, PEM, Authority
from tlsrun.tls.context import ClientAuth
from tlsrun.tls.distrust import takes_trust_away

ONE, TWO = Authority("one"), Authority("two")


def crl(authority: Authority, *serials: int) -> bytes:
    """A revocation list."""
    issuer, key = authority.line[-1]
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    builder = builder.last_update(NOW).next_update(NOW + DAY)
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hashes.SHA256()).public_bytes(PEM)


BOTH = ONE.root_pem + TWO.root_pem


@pytest.mark.parametrize(
    ("old", "new", "away"),
    [
        ((ONE.root_pem, None), (ONE.root_pem + b"\n", None), False),
        ((ONE.root_pem, None), (BOTH, None), False),
        ((BOTH, None), (TWO.root_pem + ONE.root_pem, None), False),
        ((BOTH, None), (ONE.root_pem, None), True),
        ((ONE.root_pem, None), (TWO.root_pem, None), True),
        ((BOTH, crl(ONE, 1)), (BOTH, crl(ONE, 1)), False),
        ((BOTH, crl(ONE, 1, 2)), (BOTH, crl(ONE, 2)), False),
        ((BOTH, crl(ONE, 1)), (BOTH, crl(ONE, 1, 2)), True),
        ((BOTH, crl(ONE, 1)), (BOTH, crl(ONE, 1) + crl(TWO)), False),
        ((BOTH, crl(ONE, 1)), (BOTH, crl(ONE, 1) + crl(TWO, 1)), True),
        ((BOTH, crl(ONE, 1)), (BOTH, b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), True),
    ],
)
def test_less_trust(old: tuple[bytes, bytes | None], new: tuple[bytes, bytes | None], away: bool) -> None:
    """An authority less, or a certificate more on a list; not another order, a newer list, or more authorities."""
    before, after = (ClientAuth(ca=authorities, crl=lists) for authorities, lists in (old, new))
    assert takes_trust_away(before, after) is away
