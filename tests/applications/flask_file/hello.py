"""Flask in one file, configured by its own settings, for ``python hello.py`` and ``flask --app hello``."""

import os
from pathlib import Path

from flask import Flask, request, url_for

from flask_tlsrun import TLSRun

with Path(os.environ["CELL_IMPORTS"]).open("a") as imports:
    imports.write(f"{__name__}\n")

app = Flask(__name__)
app.config["TLS_CERT"] = os.environ["CELL_CERT"]
app.config["TLS_KEY"] = os.environ["CELL_KEY"]
if "CELL_SERVER" in os.environ:
    app.config["TLS_SERVER"] = os.environ["CELL_SERVER"]
tls = TLSRun(app)
application = tls.application


@app.get("/")
def index():
    """Say what the application sees."""
    return {"scheme": request.environ["wsgi.url_scheme"], "url": url_for("index", _external=True)}


if __name__ == "__main__":
    app.run(port=int(os.environ["CELL_PORT"]))
