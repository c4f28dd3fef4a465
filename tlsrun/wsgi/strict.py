"""Refuses requests that a server's own parser accepts and ours would not, before the application is called.

The built-in server, the edge in front of uWSGI and Hypercorn's protocols already apply the rules of `tlsrun.http1`.
gunicorn, Granian and uWSGI by its own command parse requests themselves; here the same rules are applied to what can be
seen of a request in environ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from tlsrun.http1.authority import parse_authority
from tlsrun.http1.refusal import Refused, malformed, phrase

#: Values of Host that were found valid; at most `_KNOWN`, of at most `_LONGEST` characters.
_hosts: set[str | None] = set()
_KNOWN, _LONGEST = 1000, 255

#: Variables that few requests have, and that must be judged.
JUDGED = frozenset(("HTTP_EXPECT", "HTTP_TRANSFER_ENCODING"))

_ODD = frozenset(("CONNECT", "PRI", "PROXY"))
_CONNECTIONS = frozenset((None, "keep-alive", "Keep-Alive", "close", "Close", "upgrade", "Upgrade"))


def is_usual(environ: dict[str, Any]) -> bool:
    """A quick test, for each request without `JUDGED` variables, that `refusal` would find nothing."""
    get = environ.get
    target = get("RAW_URI", "/")
    return (
        get("HTTP_HOST") in _hosts
        and get("HTTP_CONNECTION") in _CONNECTIONS
        and get("REQUEST_METHOD") not in _ODD
        and target[:1] == "/"
        and target.isascii()
        and "#" not in target
        and (path := get("PATH_INFO", "/"))[:1] == "/"
        and "\0" not in path
    )


def refusal(environ: dict[str, Any]) -> Refused | None:
    """Why a request is refused; None if it is not.

    If the target is a URL, its host replaces the Host header (RFC 9112, section 3.2.2).
    """
    try:
        _check(environ)
    except Refused as refused:
        return refused
    return None


def answer(refused: Refused, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The refusal as a WSGI response."""
    start_response(f"{refused.status} {phrase(refused.status)}", refused.fields)
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [refused.body]


def _check(environ: dict[str, Any]) -> None:
    from tlsrun.http1.fields import connection_options  # late: not needed by a program that only imports an application
    from tlsrun.http1.head import check_method

    method = environ.get("REQUEST_METHOD", "").encode("latin-1")
    check_method(method)
    path = environ.get("PATH_INFO", "")
    if "\0" in path:
        raise malformed("a NUL in the path")
    if "gunicorn.socket" in environ:
        _check_target(environ, method, environ.get("RAW_URI", "/"))
    elif path and path[0] != "/":  # a URL under uWSGI, an asterisk under Granian
        _check_target(environ, method, path)
    host = environ.get("HTTP_HOST")
    if host is not None:
        _check_host(host)
    elif environ.get("SERVER_PROTOCOL", "HTTP/1.0") != "HTTP/1.0":
        raise malformed("no Host")
    if environ.get("HTTP_EXPECT", "100-continue").lower() != "100-continue":
        raise Refused(417, "The only expectation that this server knows is 100-continue.")
    connection_options(environ.get("HTTP_CONNECTION", "").encode("latin-1"))
    if "HTTP_TRANSFER_ENCODING" in environ:
        _check_coding(environ)


def _check_target(environ: dict[str, Any], method: bytes, target: str) -> None:
    from tlsrun.http1.head import TARGET, split_target

    octets = target.encode("latin-1", "replace")
    if TARGET.fullmatch(octets) is None:
        raise malformed("a target with a fragment, or with bytes beyond ASCII")
    scheme, host, path, *_ = split_target(method, octets, None)
    if scheme and host is not None:
        environ["HTTP_HOST"] = host.decode("ascii")
        if environ["PATH_INFO"][:1] != "/":
            environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")


def _check_host(host: str) -> None:
    parse_authority(host.encode("latin-1", "replace"))
    if len(host) <= _LONGEST:
        if len(_hosts) > _KNOWN:  # somebody sends invented names
            _hosts.clear()
        _hosts.add(host)


def _check_coding(environ: dict[str, Any]) -> None:
    if environ["HTTP_TRANSFER_ENCODING"].lower() != "chunked":
        raise malformed("a Transfer-Encoding other than chunked")
    if environ.get("CONTENT_LENGTH"):
        raise malformed("both Content-Length and Transfer-Encoding")
    if environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        raise malformed("Transfer-Encoding in HTTP/1.0")
