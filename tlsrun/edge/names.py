"""Which request headers are handed on, by their names: each as a variable, or not at all."""

from __future__ import annotations

from tlsrun.edge.variables import sized
from tlsrun.wsgi.claims import ALL as PROXY_CLAIMS

#: The variable to send, length first as the uwsgi protocol has it; None for a header that goes no further.
Rule = bytes | None

#: Said otherwise in a packet: HTTP_HOST and CONTENT_LENGTH; or for the edge alone.
_READ = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"))

#: About one connection only (RFC 9110, section 7.6.1); `Proxy` would become HTTP_PROXY (httpoxy, CVE-2016-5385).
_HOP_BY_HOP = frozenset(
    (b"keep-alive", b"proxy", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
     b"upgrade", b"http2-settings")
)  # fmt: skip

#: What only a trusted proxy may say, and a client of ours never: the edge faces clients.
_CLAIMS = frozenset(
    (b"forwarded", b"true-client-ip", b"x-cluster-client-ip", b"x-scheme", b"x-url-scheme", b"x-rewrite-url",
     b"x-proxyuser-ip", b"x-host", b"x-script-name", b"script-name", b"front-end-https",
     b"remote-addr", b"remote-host", b"remote-port", b"remote-user", b"x-remote-addr", b"x-remote-ip",
     b"x-remote-user", b"x-verified-user", b"x-https")
)  # fmt: skip
_CLAIM_PREFIXES = (
    b"x-forwarded", b"x-real-", b"x-client-", b"client-cert", b"x-original-", b"ssl-", b"x-ssl-", b"tls-", b"x-tls-",
    b"cf-", b"fastly-client", b"fastly-ssl", b"x-arr-", b"x-azure-", b"x-appengine-", b"x-appservice-", b"x-envoy-",
    b"x-amzn-mtls-",
)  # fmt: skip


def variable_name(name: bytes) -> bytes:
    """The CGI name of a header (RFC 3875, section 4.1.18)."""
    return b"HTTP_" + name.upper().replace(b"-", b"_")


def rule_for(name: bytes, *, trusted: bool = False) -> Rule:
    """The variable of the header ``name``, a token in any case.

    Arguments:
        trusted: it comes from a trusted proxy, whose word on its client the application's middleware reads.

    A name with an underscore is dropped: as a variable it is the same as the one with a hyphen (CVE-2015-0219).
    """
    lower = name.lower()
    if lower in _READ or b"_" in lower:
        return None
    if lower == b"content-type":
        return sized(b"CONTENT_TYPE")
    variable = variable_name(lower)
    if trusted and variable.decode("ascii") in PROXY_CLAIMS:
        return sized(variable)
    if lower in _HOP_BY_HOP or lower in _CLAIMS or lower.startswith(_CLAIM_PREFIXES):
        return None
    return sized(variable)


class _Rules(dict[bytes, Rule]):
    """Rules by name as it was spelled; bounded, for clients can make up names without end."""

    def __init__(self, *, trusted: bool) -> None:
        super().__init__()
        self._trusted = trusted

    def __missing__(self, name: bytes) -> Rule:
        rule = rule_for(name, trusted=self._trusted)
        if len(self) < 2048 and len(name) <= 64:
            self[name] = rule
        return rule


_COMMON = (
    b"Host", b"User-Agent", b"Accept", b"Accept-Language", b"Accept-Encoding", b"Connection", b"Cookie", b"Referer",
    b"Origin", b"Content-Type", b"Content-Length", b"Transfer-Encoding", b"Authorization", b"Cache-Control",
    b"Pragma", b"If-Modified-Since", b"If-None-Match", b"Range", b"Upgrade-Insecure-Requests", b"Sec-Fetch-Dest",
    b"Sec-Fetch-Mode", b"Sec-Fetch-Site", b"Sec-Fetch-User", b"Sec-Ch-Ua", b"Sec-Ch-Ua-Mobile", b"Sec-Ch-Ua-Platform",
    b"Priority", b"Expect", b"X-Requested-With", b"DNT", b"Sec-GPC",
)  # fmt: skip

#: The rule of each name.
RULES: dict[bytes, Rule] = _Rules(trusted=False)
#: The same for what trusted proxies send.
TRUSTED_RULES: dict[bytes, Rule] = _Rules(trusted=True)
for _name in _COMMON:
    RULES[_name] = rule_for(_name)
    RULES[_name.lower()] = rule_for(_name)
