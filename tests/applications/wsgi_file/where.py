"""A WSGI application that says who came, and by which door."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_TOLD = ("REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "wsgi.url_scheme", "SSL_PROTOCOL")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with a part of environ, in JSON; /hold says that it runs, and waits until it may go on."""
    if environ["PATH_INFO"] == "/hold":
        tick = threading.Event()
        Path(os.environ["HELD"]).touch()
        while not os.path.exists(os.environ["RELEASED"]):
            tick.wait(0.02)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"pid": os.getpid()} | {name: environ.get(name) for name in _TOLD}).encode()]
