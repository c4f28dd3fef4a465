"""Whether trust in clients is taken away."""

from __future__ import annotations

import pytest

from tests.support.certs import Authority
from tlsrun.tls.context import ClientAuth
from tlsrun.tls.distrust import takes_trust_away

ONE, TWO = Authority("one"), Authority("two")


def crl(authority: Authority, *serials: int) -> bytes:
    """A revocation list."""
    return authority.crl(*serials)


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
