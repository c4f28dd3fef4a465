"""The redirect to https behind a proxy: for who came to a trusted proxy over plain HTTP, and only where it says so.

A proxy that says nothing of the scheme causes no redirect, so nothing goes round in circles: what is redirected comes
back with ``https`` in the proxy's own words, or is not redirected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from tlsrun.tls.table import normal_name, wildcard_of
from tlsrun.wsgi.forwarded import parse_host
from tlsrun.wsgi.front import Environ, Front

#: Characters that may stand in a path as they are (RFC 3986, section 3.3).
_IN_PATHS = "/!$&'()*+,;=:@~"
#: In a query, which is still encoded (section 3.4).
_IN_QUERIES = _IN_PATHS + "?%[]"


def is_exempt(path: str, exempt: Iterable[str]) -> bool:
    """Whether ``path`` is one of ``exempt``, or below one that ends with ``/*``."""
    for one in exempt:
        folder = one.removesuffix("*")
        if path == one or (one.endswith("/*") and (path.startswith(folder) or path == folder.rstrip("/"))):
            return True
    return False


def location(environ: Environ, hosts: Iterable[str]) -> str | None:
    """The request's own URL with https, at the usual port; None when it names no host that may be redirected for.

    Arguments:
        hosts: the names, and wildcards for the first label; empty for all.
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
    """A WSGI application that sends the client to https; None when its path is exempt."""
    if is_exempt(environ.get("PATH_INFO", "") or "/", front.exempt):
        return None
    target = location(environ, front.hosts)
    if target is None:
        return _text("421 Misdirected Request", "This server does not serve the host that was asked for.\n", [])
    text = f"This site is served over HTTPS. The page is at {target}\n"
    # Keeps method and body (RFC 9110, section 15.4.9), and is not remembered: HSTS is for that.
    return _text("308 Permanent Redirect", text, [("Location", target)])


def _text(status: str, text: str, more: list[tuple[str, str]]) -> Callable[..., Iterable[bytes]]:
    body = text.encode("ascii", "replace")
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"), *more,
    ]  # fmt: skip

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

    return application
