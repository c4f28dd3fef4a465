"""What a worker of uWSGI sees, and a page that takes its time."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

#: A file that a worker makes when it begins with a slow page.
BEGUN = "SITE_BEGUN"


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Say it; ``/slow/2`` after two seconds."""
    name, _, argument = environ["PATH_INFO"].strip("/").partition("/")
    if name == "slow":
        if BEGUN in os.environ:
            Path(os.environ[BEGUN]).touch()
        threading.Event().wait(float(argument))
    known = {key: value for key, value in environ.items() if isinstance(value, str)}
    seen = {"pid": os.getpid(), "argv": sys.argv, "folder": str(Path.cwd()), "environ": known}
    body = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
