"""A WSGI application that says who came, and by which door."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

_TOLD = ("REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "wsgi.url_scheme", "SSL_PROTOCOL")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with a part of environ, in JSON."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"pid": os.getpid()} | {name: environ.get(name) for name in _TOLD}).encode()]
