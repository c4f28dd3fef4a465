"""Which request headers are passed on to the workers, and as which variables."""

from __future__ import annotations

from tlsrun.edge.variables import sized
from tlsrun.http1.variables import variable_of
from tlsrun.wsgi.proxy_headers import variables_to_remove

#: The variable to send, after its length as in the uwsgi protocol; None for a header that is not passed on.
Rule = bytes | None

#: Sent in another way (HTTP_HOST and CONTENT_LENGTH), or read by the edge only.
_READ = frozenset((b"host", b"content-length", b"connection", b"expect"))

#: Hop-by-hop headers (RFC 9110, section 7.6.1), which a proxy, such as the edge, does not forward.
_HOP_BY_HOP = frozenset(
    (b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"upgrade",
     b"http2-settings")
)  # fmt: skip


def rule_for(name: bytes, *, trusted: bool = False) -> Rule:
    """The variable of the header ``name``, a token in any case.

    Arguments:
        trusted: whether it comes from a trusted proxy, whose forwarded headers the application's middleware reads.
    """
    lower = name.lower()
    if lower in _READ or lower in _HOP_BY_HOP:
        return None
    variable = variable_of(lower)
    if variable is None or (not trusted and variables_to_remove([variable])):
        return None
    return sized(variable.encode("ascii"))


class _Rules(dict[bytes, Rule]):
    """Rules by name as it was spelled; bounded, since clients can make up any number of names."""

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
