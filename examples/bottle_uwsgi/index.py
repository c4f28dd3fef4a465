"""A Bottle application for uWSGI: over HTTPS by itself, or over HTTP behind a proxy."""

from bottle import request, route, run

import bottle_tls


@route("/")
def index() -> str:
    """Say how the request came."""
    return f"Hello over {request.urlparts.scheme}: {request.url}\n"


if __name__ == "__main__":
    run(server="tls-uwsgi", host="127.0.0.1", port=8443)
else:
    application = bottle_tls.application()
