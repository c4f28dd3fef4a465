"""Flask as a package with a factory, for ``flask --app shop:create_app``."""

import os
from pathlib import Path

from flask import Flask, request, url_for

from shop.models import GREETING

from . import models

with Path(os.environ["CELL_IMPORTS"]).open("a") as imports:
    imports.write(f"{__name__}\n")


def create_app():
    """Make the application; absolute and relative imports must have found one module."""
    assert models.GREETING is GREETING
    app = Flask(__name__)

    @app.get("/")
    def index():
        return {"scheme": request.environ["wsgi.url_scheme"], "url": url_for("index", _external=True)}

    return app
