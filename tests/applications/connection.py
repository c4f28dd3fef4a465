"""The application of these tests: says what it sees of the connection, who answers, and can take its time."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from typing import Any

_SEEN = ("SSL_", "HTTPS", "REMOTE_", "SERVER_P", "REQUEST_METHOD", "HTTP_")


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """``/?sleep=1.5`` waits before it answers."""
    query = dict(part.split("=") for part in environ.get("QUERY_STRING", "").split("&") if "=" in part)
    if "sleep" in query:
        threading.Event().wait(float(query["sleep"]))
    seen = {name: value for name, value in environ.items() if name.startswith(_SEEN)}
    seen["body"] = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    body = json.dumps({**seen, "scheme": environ["wsgi.url_scheme"], "pid": os.getpid()}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
