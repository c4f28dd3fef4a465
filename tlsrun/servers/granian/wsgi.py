"""Granian's part of WSGI: its environ, what it cannot send, its access log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from tlsrun.wsgi.facts import ConnectionFacts, Untold

#: SERVER_NAME and SERVER_PORT of requests that come through a Unix socket.
_FRONT = {"SERVER_NAME": "localhost", "SERVER_PORT": "443", "REMOTE_ADDR": "", "REMOTE_PORT": "0"}


def unsendable(value: str) -> str | None:
    """Why Granian cannot send a header of this value; None when it can."""
    return None if value.isascii() and value.replace("\t", " ").isprintable() else "Granian sends ASCII only"


def base_environ(*, prefix: str, software: str, processes: int, threads: int, clients: bool) -> dict[str, Any]:
    """What is the same for every request.

    Arguments:
        prefix: the path below which the application lives; "" for the root.
        software: the server's name and version.
        clients: whether clients show certificates, of which Granian says nothing.
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


def behind_a_front(answer: Callable[[Any, dict[str, Any]], int]) -> Callable[[Any, dict[str, Any]], int]:
    """The same at a Unix socket, which Granian names where a host is expected; clients come to a front's port."""

    def answered(protocol: Any, scope: dict[str, Any]) -> int:
        scope |= _FRONT
        return answer(protocol, scope)

    return answered


def with_access_log(
    answer: Callable[[Any, dict[str, Any]], int], log_format: str
) -> Callable[[Any, dict[str, Any]], int]:
    """The same, with Granian's own access log."""
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
    """A request as Granian's log wants it."""
    return {
        "addr_remote": scope["REMOTE_ADDR"],
        "protocol": scope["SERVER_PROTOCOL"],
        "path": scope["PATH_INFO"],
        "qs": scope["QUERY_STRING"],
        "method": scope["REQUEST_METHOD"],
        "scheme": scope["wsgi.url_scheme"],
        "headers": lambda name: scope.get(f"HTTP_{name.upper().replace('-', '_')}"),
    }
