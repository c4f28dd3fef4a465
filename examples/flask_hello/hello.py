"""A Flask application that is served over HTTPS."""

from flask import Flask, request, url_for

from flask_tlsrun import TLSRun

app = Flask(__name__)
tls = TLSRun(app)
application = tls.application  # what gunicorn, uWSGI and mod_wsgi import


@app.get("/")
def index() -> str:
    """Say how the request came, and the address that a link would carry."""
    return f"Hello over {request.scheme}: {url_for('index', _external=True)}\n"


if __name__ == "__main__":
    app.run()
