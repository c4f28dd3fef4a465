"""Headers by which a proxy describes its client: from anybody else they are removed, under every server.

The only table of them, used by the middleware, which takes them out of environ, and by the edge, which does not pass
them on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tlsrun.http1 import variables
from tlsrun.settings.proxies import HEADERS
from tlsrun.wsgi.client_header import COMPANIONS


def variable(header: str) -> str:
    """The variable of a header (RFC 3875, section 4.1.18)."""
    return "HTTP_" + header.upper().replace("-", "_")


def _variables(*headers: str) -> frozenset[str]:
    return frozenset(map(variable, headers))


#: `tlsrun.http1.variables.NEVER`: what nobody may say, a proxy neither.
NEVER = _variables(*(name.decode("ascii") for name in variables.NEVER))

#: Removed from every request; what a trusted proxy says in them is written to the usual variables instead.
PROXY_VARIABLES = _variables(*HEADERS, *(name for names in COMPANIONS.values() for name in names)) | _variables(
    # Other spellings of the same, which frameworks and their extensions believe.
    "x-forwarded", "x-forwarded-by", "x-forwarded-server", "x-forwarded-ssl", "x-forwarded-protocol",
    "x-forwarded-scheme", "x-forwarded-path", "x-url-scheme", "x-scheme", "front-end-https", "x-real-ip",
    "x-client-ip", "x-cluster-client-ip", "true-client-ip", "x-original-for", "x-original-host", "x-original-proto",
    "x-forwarded-tls-client-cert-info", "ssl-client-subject-dn", "ssl-client-issuer-dn", "x-ssl-client-s-dn",
    "x-ssl-client-i-dn", "x-ssl-client-dn", "x-client-cert", "x-client-verify", "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-issuer", "x-amzn-mtls-clientcert-serial-number", "x-amzn-mtls-clientcert-validity",
    "cf-client-cert-sha256", "cf-cert-presented", "cf-cert-subject-dn", "cf-cert-issuer-dn", "cf-ipcountry",
    "cf-connecting-ipv6", "cf-pseudo-ipv4",
)  # fmt: skip

#: Who the user is, by an authenticating proxy: left alone when a trusted one says so, and nobody else's to say.
IDENTITIES = _variables(
    "x-forwarded-user", "x-forwarded-email", "x-forwarded-groups", "x-forwarded-preferred-username",
    "x-forwarded-access-token", "remote-user", "x-remote-user", "x-verified-user",
)  # fmt: skip

#: Where the application lives, and the client: the same.
ALL = PROXY_VARIABLES | IDENTITIES | _variables(
    "remote-addr", "remote-host", "remote-port", "script-name", "x-host", "x-https", "x-proxyuser-ip", "x-remote-addr",
    "x-remote-ip", "x-rewrite-url", "x-script-name",
)  # fmt: skip
#: And what else proxies say, by whatever begins so. All names are searched at once, because a loop over them in Python
#: takes several times as long.
_BEGINNINGS = _variables(
    "cf-", "client-cert", "fastly-client", "fastly-ssl", "ssl-", "tls-", "x-amzn-mtls-", "x-appengine-",
    "x-appservice-", "x-arr-", "x-azure-", "x-client-", "x-envoy-", "x-forwarded", "x-original-", "x-real-", "x-ssl-",
    "x-tls-",
)  # fmt: skip
_BEGINS = re.compile(rf"\n((?:{'|'.join(sorted(_BEGINNINGS))})[^\n]*)")


def variables_to_remove(names: Iterable[str], *, trusted: bool = False) -> set[str]:
    """Which of the variables ``names`` must be removed from environ.

    Arguments:
        trusted: whether a trusted proxy sent them.
    """
    if trusted:
        return set(PROXY_VARIABLES.intersection(names))
    names = list(names)
    return {*ALL.intersection(names), *_BEGINS.findall("\n" + "\n".join(names))}
