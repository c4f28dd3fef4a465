"""Strict-Transport-Security (RFC 6797), where it is safe to send."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any


def may_promise(host: str) -> bool:
    """Whether the header may be sent for ``host``, a Host header's value.

    Not for localhost, where it would lock out all other programs on this machine that are served over http; nor for an
    address, for which browsers ignore it (RFC 6797, section 8.1.1).
    """
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    name = name.lower().rstrip(".")
    if not name or name == "localhost" or name.endswith(".localhost"):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False


def with_hsts(application: Callable[..., Any], seconds: int) -> Callable[..., Any]:
    """Add the header to every response over TLS that does not have one.

    Arguments:
        application: any WSGI callable; ``wsgi.url_scheme`` must be right already.
        seconds: ``max-age``; 0 adds nothing.
    """
    if seconds == 0:
        return application
    header = ("Strict-Transport-Security", f"max-age={seconds}")

    def promising(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ.get("wsgi.url_scheme") != "https" or not may_promise(environ.get("HTTP_HOST", "")):
            return application(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            # The list belongs to the application, which may use it again, for localhost or over plain HTTP.
            if not any(name.lower() == "strict-transport-security" for name, _ in headers):
                headers = [*headers, header]
            return start_response(status, headers, *error)

        return application(environ, start)

    return promising
