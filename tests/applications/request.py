"""An application that says what it is told of a request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Variables in capitals, the scheme, and the body as ISO 8859-1."""
    seen = {name: value for name, value in environ.items() if isinstance(value, str)}
    length = environ.get("CONTENT_LENGTH")
    has_end = environ.get("wsgi.input_terminated") or length
    seen["body"] = environ["wsgi.input"].read(*([int(length)] if length else [])).decode("latin-1") if has_end else ""
    data = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
    return [data]
