"""The table from names to contexts."""

from __future__ import annotations

import ssl

import pytest

from tests.support.certs import Authority
from tests.tls.serving import identity
from tlsrun.tls.table import Table

DEFAULT, EXACT, WILD = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(3))
TABLE = Table(default=DEFAULT, contexts={"a.example.org": EXACT, "*.example.org": WILD})


@pytest.mark.parametrize(
    ("name", "context"),
    [
        (None, DEFAULT),
        ("a.example.org", EXACT),
        ("A.Example.ORG.", EXACT),
        ("b.example.org", WILD),
        ("example.org", None),
        ("x.b.example.org", None),
        ("", None),
        ("localhost", None),
    ],
)
def test_chooses_the_nearest_name(name: str | None, context: ssl.SSLContext | None) -> None:
    """The exact name goes before the wildcard, and a wildcard is exactly one label."""
    assert TABLE.choose(name) is context


def test_knows_what_its_certificates_cover() -> None:
    """A host is covered when one of the certificates is for it."""
    authority = Authority()
    table = Table(
        default=DEFAULT,
        identities=(identity(authority.leaf("a.test")), identity(authority.leaf(["*.b.test", "::1"]))),
    )
    assert [host for host in ("a.test", "x.b.test", "b.test", "::1", "127.0.0.1") if table.covers(host)] == [
        "a.test", "x.b.test", "::1",
    ]  # fmt: skip
