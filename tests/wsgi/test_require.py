"""Which client certificates are accepted, and what the others are told."""

from __future__ import annotations

import pytest

from tlsrun.wsgi.connection import ClientCertificate
from tlsrun.wsgi.facts import ConnectionFacts
from tlsrun.wsgi.require import Required

JO = {
    "SSL_CLIENT_VERIFY": "SUCCESS",
    "SSL_CLIENT_S_DN": "CN=Jo,O=Acme",
    "SSL_CLIENT_I_DN": "CN=Acme clients",
    "SSL_CLIENT_SAN_Email_0": "jo@acme.example",
}


def _client(**facts: str) -> ClientCertificate:
    return ClientCertificate(ConnectionFacts(facts))


@pytest.mark.parametrize(
    "required",
    [
        Required.of(),
        Required.of(subject="CN=Jo,O=Acme"),
        Required.of(subject=["CN=Al,O=Acme", "CN=Jo,O=Acme"], issuer="CN=Acme clients"),
        Required.of(san="jo@acme.example"),
        Required.of(check=lambda client: client.subject is not None),
    ],
)
def test_comes_in(required: Required) -> None:
    """A trusted certificate that is accepted."""
    assert required.objection(_client(**JO)) is None


@pytest.mark.parametrize(
    ("required", "facts", "says"),
    [
        (Required.of(), {"SSL_CLIENT_VERIFY": "NONE"}, "needs a client certificate"),
        (Required.of(), {}, "needs a client certificate"),
        (Required.of(), {**JO, "SSL_CLIENT_VERIFY": "FAILED:certificate has expired"}, "has expired"),
        (Required.of(subject="CN=Al"), JO, "CN=Jo,O=Acme may not"),
        (Required.of(issuer="CN=Others"), JO, "CN=Acme clients may not"),
        (Required.of(san="al@acme.example"), JO, "jo@acme.example may not"),
        (Required.of(check=lambda client: False), JO, "may not see this page"),
    ],
)
def test_stays_out(required: Required, facts: dict[str, str], says: str) -> None:
    """Everybody else, with the reason in words."""
    assert says in (required.objection(_client(**facts)) or "")
