"""Server-sent events behind nginx are passed on at once, while other responses are buffered as before.

nginx buffers a response whatever its type. ``X-Accel-Buffering: no`` turns that off for one response, and nginx does
not pass the header on (ngx_http_proxy_module, `proxy_buffering`; ngx_http_uwsgi_module, `uwsgi_buffering`). All other
responses still leave the worker without waiting for the client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_HEADER = ("X-Accel-Buffering", "no")


def with_events(application: Callable[..., Any]) -> Callable[..., Any]:
    """Have nginx pass on events (WHATWG HTML, section 9.2) at once; a response with its own header keeps it.

    Arguments:
        application: any WSGI callable.
    """

    def passing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            # The list belongs to the application; do not change it.
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
