"""Server-sent events behind nginx: each is handed on as it is made, while other answers are buffered as before.

nginx holds an answer back until it has a buffer full, or all of it, and does not look at its type. ``X-Accel-Buffering:
no`` lets one answer through, and nginx keeps the header to itself (ngx_http_proxy_module, `proxy_buffering`;
ngx_http_uwsgi_module, `uwsgi_buffering`). So the rest of what the application sends leaves its worker at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_HEADER = ("X-Accel-Buffering", "no")


def with_events(application: Callable[..., Any]) -> Callable[..., Any]:
    """Have nginx hand on events (WHATWG HTML, section 9.2) at once; an answer that says itself what nginx is to do
    keeps that.

    Arguments:
        application: any WSGI callable.
    """

    def passing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            # The list is the application's.
            return start_response(status, [*headers, _HEADER] if _are_events(headers) else headers, *error)

        return application(environ, start)

    return passing


def _are_events(headers: list[tuple[str, str]]) -> bool:
    found = False
    for name, value in headers:
        lowered = name.lower()
        if lowered == "x-accel-buffering":
            return False
        if lowered == "content-type":
            found = value[:17].lower() == "text/event-stream"
    return found
