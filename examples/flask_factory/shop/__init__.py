"""A Flask application made by a factory, in a package that imports its own parts."""

from flask import Flask

from flask_tlsrun import TLSRun
from shop.views import pages

tls = TLSRun()


def create_app() -> Flask:
    """Make the shop."""
    app = Flask(__name__)
    app.register_blueprint(pages)
    tls.init_app(app)
    return app
