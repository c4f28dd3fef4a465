"""A WSGI callable without a framework, for ``tlsrun run hello:app``."""

import json
import os
from pathlib import Path
from wsgiref.util import request_uri

with Path(os.environ["CELL_IMPORTS"]).open("a") as imports:
    imports.write(f"{__name__}\n")


def app(environ, start_response):
    """Say what the application sees."""
    body = json.dumps({"scheme": environ["wsgi.url_scheme"], "url": request_uri(environ)}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
