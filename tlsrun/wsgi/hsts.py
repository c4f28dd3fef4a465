"""Strict-Transport-Security (RFC 6797): browsers are told to use https only, where that is safe to say."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any


def may_promise(host: str) -> bool:
    """Whether the header may be sent for ``host``, a Host header's value.

    Not for localhost, where it would lock out every other program on this machine that is served over http; not
    for an address, where RFC 6797, section 8.1.1, has browsers ignore it.
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
    """Add the header to every answer over TLS; an answer that has one already keeps it.

    Arguments:
        application: any WSGI callable; ``wsgi.url_scheme`` must be right already.
        seconds: for how long; 0 adds nothing.
    """
    if seconds == 0:
        return application
    header = ("Strict-Transport-Security", f"max-age={seconds}")

    def promising(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ.get("wsgi.url_scheme") != "https" or not may_promise(environ.get("HTTP_HOST", "")):
            return application(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            # The list is the application's: one that it keeps would carry the header to localhost, or plain HTTP.
            if not any(name.lower() == "strict-transport-security" for name, _ in headers):
                headers = [*headers, header]
            return start_response(status, headers, *error)

        return application(environ, start)

    return promising
