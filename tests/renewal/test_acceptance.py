"""Which renewed certificate takes the place of the one in service."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509

from tests.support.certs import DAY, NOW, PEM, Authority, Pair, key_pem
from tests.tls.serving import identity
from tlsrun.certificates.identity import Source
from tlsrun.renewal.acceptance import objection

#: Two intermediates, and another authority of the same depth as the shared one.
DEEP, OTHER = Authority("deep", intermediates=2), Authority("other", intermediates=1)
FLAT = Authority("flat")


def cut(pair: Pair, keep: int = 0) -> Pair:
    """The same without all but the first ``keep`` intermediates."""
    blocks = pair.chain_pem.split(b"-----END CERTIFICATE-----\n")[:keep]
    kept = b"".join(block + b"-----END CERTIFICATE-----\n" for block in blocks)
    return Pair(cert_pem=pair.cert_pem, chain_pem=kept, key_pem=pair.key_pem)


def why_not(
    old: Pair, new: Pair, *, root: x509.Certificate | None = None, settled: bool = False, now: datetime.datetime = NOW
) -> str | None:
    """The objection's words; ``root`` is the one that this machine knows."""
    problem = objection(
        identity(old),
        identity(new),
        Source(given_by="new certificate", text=b"x"),
        now=now,
        known_root=lambda issued: root is not None and issued.issuer == root.subject,
        settled=settled,
    )
    return None if problem is None else f"{problem.code} {problem}"


def start(new: Pair) -> str | None:
    """What the start has against it."""
    problem = objection(None, identity(new), Source(given_by="cert", text=b"x"), now=NOW, known_root=lambda one: False)
    return None if problem is None else f"{problem.code} {problem}"


@pytest.mark.parametrize("authority", [DEEP, OTHER], ids=["two intermediates", "one"])
def test_the_same_depth_is_served(authority: Authority) -> None:
    """A chain as long as the one in service, of an authority that this machine knows or not."""
    assert why_not(OTHER.leaf(), authority.leaf()) is None
    assert why_not(authority.leaf(), authority.leaf()) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OTHER.leaf(), cut(OTHER.leaf())),
        (DEEP.leaf(), cut(DEEP.leaf())),
        (DEEP.leaf(), cut(DEEP.leaf(), keep=1)),
        # A renewal by the authority's next intermediate.
        (DEEP.leaf(), cut(OTHER.leaf())),
    ],
)
def test_a_chain_that_is_cut_is_not(old: Pair, new: Pair) -> None:
    """It lacks an issuer, and nobody here knows that issuer as a root."""
    why = why_not(old, new)
    assert why is not None
    assert why.startswith("TLS133")
    assert "Write the whole chain" in why


def test_a_shorter_chain_to_a_known_root_is_served() -> None:
    """Nothing is missing there; nor below the root that the chain in service ends at, nor above a self-signed one."""
    assert why_not(DEEP.leaf(), FLAT.leaf(), root=FLAT.root) is None
    assert why_not(FLAT.leaf(), FLAT.leaf()) is None
    certificate, key = FLAT.line[0]
    self_signed = Pair(cert_pem=certificate.public_bytes(PEM), chain_pem=b"", key_pem=key_pem(key))
    assert why_not(DEEP.leaf(), self_signed) is None


def test_dates_come_first() -> None:
    """What has expired is never served anew."""
    why = why_not(OTHER.leaf(), cut(OTHER.leaf(not_before=NOW - 9 * DAY, not_after=NOW - DAY)))
    assert why is not None
    assert why.startswith("TLS140")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (DEEP.leaf(), OTHER.leaf()),
        (DEEP.leaf(), FLAT.leaf()),
        (DEEP.leaf(), cut(DEEP.leaf(), keep=1)),
        (OTHER.leaf(), FLAT.leaf()),
        (OTHER.leaf(), cut(OTHER.leaf())),
        (DEEP.leaf(), cut(DEEP.leaf())),
    ],
    ids=[
        "another authority", "a root that signs itself", "without a cross-signature", "one level less",
        "without its issuer", "without both issuers",
    ],
)  # fmt: skip
def test_what_the_start_would_serve_is_served_in_the_end(old: Pair, new: Pair) -> None:
    """A shorter chain to a root that this machine does not know: not while the file may be written, but then."""
    assert start(new) is None
    why = why_not(old, new)
    assert why is not None
    assert "served if it stays so for a minute" in why
    assert why_not(old, new, settled=True) is None


@pytest.mark.parametrize("new", [OTHER.leaf(), cut(OTHER.leaf()), cut(DEEP.leaf(), keep=1)])
def test_anything_in_date_replaces_what_has_expired(new: Pair) -> None:
    """Whatever its chain looks like: nobody accepts what is in service."""
    old = DEEP.leaf(not_after=NOW - DAY, not_before=NOW - 9 * DAY)
    assert why_not(old, new) is None
    expired = why_not(old, OTHER.leaf(not_before=NOW - 9 * DAY, not_after=NOW - DAY))
    assert expired is not None
    assert expired.startswith("TLS140")


def test_an_issuer_that_has_expired_is_looked_at_as_at_the_start() -> None:
    """The one that signed the leaf is needed; it keeps a renewal out as long as what is in service is good."""
    then = NOW + 20 * DAY
    short, long = Authority("short", intermediates=1, ends=[NOW + 10 * DAY]), OTHER
    why = why_not(long.leaf(), short.leaf(), now=then)
    assert why is not None
    assert why.startswith("TLS138")
    assert why_not(long.leaf(not_after=NOW + 10 * DAY), short.leaf(), now=then) is None
