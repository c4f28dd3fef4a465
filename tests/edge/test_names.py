"""Which headers a worker is told of."""

from __future__ import annotations

import pytest

from tlsrun.edge import names


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-For", "x-forwarded-proto", "X-FORWARDED-HOST", "X-Forwarded-Ssl", "X-Forwarded-Client-Cert",
        "X-Forwarded", "Forwarded", "X-Real-IP", "X-Client-IP", "X-Client-Verify", "X-Client-Cert", "CF-Connecting-IP",
        "True-Client-IP", "Client-Cert", "Client-Cert-Chain", "SSL-Client-Verify", "X-SSL-Client-Cert",
        "Front-End-Https", "Remote-User", "X-Original-URL", "Proxy", "X_Forwarded_For", "Content_Length", "X_Any",
        "Keep-Alive", "TE", "Trailer", "Upgrade", "Proxy-Connection",
    ],
)  # fmt: skip
def test_dropped(name: str) -> None:
    """What only a trusted proxy may say, what ends here, and what reads as another name is dropped, in any case."""
    assert names.rule_for(name.encode()) is None


@pytest.mark.parametrize("name", ["Accept", "X-Mine", "Authorization", "Cookie", "Via", "X-Requested-With", "Clients"])
def test_handed_on(name: str) -> None:
    """Everything else becomes a variable, its length first."""
    variable = b"HTTP_" + name.upper().replace("-", "_").encode()
    assert names.rule_for(name.encode()) == len(variable).to_bytes(2, "little") + variable


def test_rules_are_bounded() -> None:
    """Names that clients make up do not fill the memory."""
    for number in range(5000):
        assert names.RULES[b"X-Made-Up-%d" % number]
    assert names.RULES[b"X-" + b"a" * 5000]
    assert len(names.RULES) <= 2048
    assert names.RULES[b"X-Forwarded-For"] is None
