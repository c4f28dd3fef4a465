"""The headers by which a proxy reports the client: those that it sets, and those that it never passes on."""

from __future__ import annotations

#: Set by every proxy, never appended to.
SET = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port")

#: Never passed on from a client: a framework, a server or a later version of the application might trust them.
#: Client-Cert and Client-Cert-Chain are from RFC 9440; SSL-Client-* are nginx's, X-Forwarded-Client-Cert is Envoy's.
STRIPPED = (
    "Forwarded", "X-Forwarded-SSL", "X-Forwarded-Protocol", "X-Forwarded-Prefix", "X-Real-IP",
    "Client-Cert", "Client-Cert-Chain", "SSL-Client-Cert", "SSL-Client-Verify",
    "X-SSL-Client-Cert", "X-SSL-Client-Verify", "X-Forwarded-Client-Cert",
)  # fmt: skip
