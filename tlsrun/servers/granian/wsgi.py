"""WSGI under Granian: the environ, the header values that it cannot send, its access log.

Granian describes a request by an ASGI scope ("HTTP connection scope").
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from tlsrun.http1.variables import variable_of, variables
from tlsrun.servers.granian.pool import Answer
from tlsrun.wsgi.facts import ConnectionFacts, Untold

#: Variables of requests that come through a Unix socket, where Granian knows no address.
_FRONT = {"SERVER_NAME": "localhost", "SERVER_PORT": "443", "REMOTE_ADDR": "", "REMOTE_PORT": "0"}

#: Cache: header field name -> environ variable; at most _MOST_KNOWN names, of at most _LONGEST bytes each.
_KNOWN: dict[bytes, str] = {}
_MOST_KNOWN, _LONGEST = 500, 40
_PROTOCOLS = {"1": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2", "3": "HTTP/3"}


def unsendable(value: str) -> str | None:
    """Why Granian cannot send a header with this value; None if it can."""
    return None if value.isascii() and value.replace("\t", " ").isprintable() else "Granian sends ASCII only"


def base_environ(*, prefix: str, software: str, processes: int, threads: int, clients: bool) -> dict[str, Any]:
    """The environ variables that are the same for every request.

    Arguments:
        prefix: the path under which the application is mounted; "" for the root.
        software: the server's name and version.
        clients: whether clients may present certificates, about which Granian tells the application nothing.
    """
    facts = ConnectionFacts(HTTPS="on") if clients else ConnectionFacts(HTTPS="on", SSL_CLIENT_VERIFY="NONE")
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SCRIPT_NAME": prefix,
        "SERVER_SOFTWARE": software,
        "tlsrun.socket": Untold(facts),
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multiprocess": processes > 1,
        "wsgi.multithread": threads > 1,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "https",
        "wsgi.version": (1, 0),
    }


def environ_of(base: dict[str, Any], scope: dict[str, Any]) -> dict[str, Any]:
    """The environ of a request, without ``wsgi.input``.

    Arguments:
        base: the variables that are the same for every request, from `base_environ`.
        scope: the request's ASGI scope.
    """
    environ = base.copy()
    path = scope["path"]
    environ["REQUEST_METHOD"] = scope["method"]
    # Granian decodes the path as UTF-8, and replaces invalid bytes.
    environ["PATH_INFO"] = path if path.isascii() else unquote_to_bytes(scope["raw_path"]).decode("latin-1")
    environ["QUERY_STRING"] = scope["query_string"].decode("latin-1")
    environ["SERVER_NAME"], environ["SERVER_PORT"] = scope["server"]
    environ["SERVER_PROTOCOL"] = _PROTOCOLS[scope["http_version"]]
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = scope["client"]
    headers = scope["headers"]
    try:
        found = {_KNOWN[name]: octets.decode("latin-1") for name, octets in headers}
    except KeyError:
        found = {}
    # Fewer variables than fields: a field is repeated, and values have to be joined.
    environ.update(found if len(found) == len(headers) else _variables(headers))
    return environ


def _variables(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Like `tlsrun.http1.variables.variables`, plus Transfer-Encoding, which tlsrun's middleware checks and removes."""
    found = variables(headers)
    codings = [octets.decode("latin-1") for name, octets in headers if name == b"transfer-encoding"]
    if codings:
        found["HTTP_TRANSFER_ENCODING"] = ",".join(codings)
    for name, _ in headers:
        variable = variable_of(name)
        if variable is not None and len(_KNOWN) < _MOST_KNOWN and len(name) <= _LONGEST:
            _KNOWN[name] = variable
    return found


def has_body(environ: dict[str, Any]) -> bool:
    """Whether a request has a body (RFC 9112, section 6.3); over HTTP/2, whether it may have one.

    An HTTP/2 request does not announce a body without Content-Length (RFC 9113, section 8.1).
    """
    length = environ.get("CONTENT_LENGTH")
    if length is not None:
        return bool(length != "0")
    return environ["SERVER_PROTOCOL"] == "HTTP/2" or "HTTP_TRANSFER_ENCODING" in environ


def behind_a_front(answer: Answer) -> Answer:
    """Wrap ``answer`` for a Unix socket, whose path Granian reports as the host; clients connect to a proxy."""

    def answered(protocol: Any, scope: dict[str, Any]) -> int:
        scope |= _FRONT
        return answer(protocol, scope)

    return answered


def with_access_log(answer: Answer, log_format: str) -> Answer:
    """Wrap ``answer`` with Granian's own access log."""
    import time

    from granian.log import log_request_builder

    log = log_request_builder(log_format)

    def logged(protocol: Any, scope: dict[str, Any]) -> int:
        began, clock = time.time(), time.perf_counter()
        status = 500
        try:
            status = answer(protocol, scope)
        finally:
            log(began, clock, _for_log(scope), status)
        return status

    return logged


def _for_log(scope: dict[str, Any]) -> dict[str, Any]:
    """The description of a request that Granian's access log expects."""
    return {
        "addr_remote": scope["REMOTE_ADDR"],
        "protocol": scope["SERVER_PROTOCOL"],
        "path": scope["PATH_INFO"],
        "qs": scope["QUERY_STRING"],
        "method": scope["REQUEST_METHOD"],
        "scheme": scope["wsgi.url_scheme"],
        "headers": lambda name: scope.get(f"HTTP_{name.upper().replace('-', '_')}"),
    }
