"""The redirect to https behind a proxy, for clients that came to a trusted proxy over plain HTTP.

Only a proxy that reports the scheme causes a redirect, so there can be no loop: the redirected request comes back with
``https`` reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from tlsrun.http1.refusal import phrase
from tlsrun.redirect.answer import misdirected, to_https
from tlsrun.tls.table import normal_name, wildcard_of
from tlsrun.wsgi.forwarded import parse_host
from tlsrun.wsgi.front import Environ, Front

#: Characters that need no escape in a path (RFC 3986, section 3.3).
_IN_PATHS = "/!$&'()*+,;=:@~"
#: The same in a query, which is still encoded (section 3.4).
_IN_QUERIES = _IN_PATHS + "?%[]"


def is_exempt(path: str, exempt: Iterable[str]) -> bool:
    """Whether ``path`` is one of ``exempt``, or below one that ends with ``/*``."""
    for one in exempt:
        folder = one.removesuffix("*")
        if path == one or (one.endswith("/*") and (path.startswith(folder) or path == folder.rstrip("/"))):
            return True
    return False


def location(environ: Environ, hosts: Iterable[str]) -> str | None:
    """The request's own URL with https at the default port; None if its host must not be redirected.

    Arguments:
        hosts: the names to redirect, with wildcards for the first label; empty for all.
    """
    found = parse_host(environ.get("HTTP_HOST", ""))
    if found is None:
        return None
    host = found[0]
    listed = frozenset(map(normal_name, hosts))
    if listed and listed.isdisjoint((normal_name(host), wildcard_of(normal_name(host)))):
        return None
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query = environ.get("QUERY_STRING", "")
    target = f"https://{host}{quote(path.encode('latin-1', 'replace'), safe=_IN_PATHS) or '/'}"
    return f"{target}?{quote(query, safe=_IN_QUERIES, encoding='latin-1', errors='replace')}" if query else target


def answer(environ: Environ, front: Front) -> Callable[..., Iterable[bytes]] | None:
    """A WSGI application that redirects the client to https; None if the path is exempt."""
    if is_exempt(environ.get("PATH_INFO", "") or "/", front.exempt):
        return None
    target = location(environ, front.hosts)
    head_only = environ.get("REQUEST_METHOD") == "HEAD"
    found = misdirected(head_only=head_only) if target is None else to_https(target, head_only=head_only)

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(f"{found.status} {phrase(found.status)}", found.fields())
        return [found.body] if found.with_body else []

    return application
