"""Bottle in one file, for ``python hello.py``, ``python -m bottle`` and servers that import it."""

import os
from pathlib import Path

from bottle import default_app, request, route, run

import bottle_tls

with Path(os.environ["CELL_IMPORTS"]).open("a") as imports:
    imports.write(f"{__name__}\n")

app = default_app()
app.config["tls.cert"] = os.environ["CELL_CERT"]
app.config["tls.key"] = os.environ["CELL_KEY"]


@route("/")
def index():
    """Say what the application sees."""
    return {"scheme": request.environ["wsgi.url_scheme"], "url": request.url}


if __name__ == "__main__":
    run(server=os.environ["CELL_SERVER"], host="127.0.0.1", port=int(os.environ["CELL_PORT"]))
else:
    application = bottle_tls.application()
