"""Flask and Bottle side by side, who say what they know of their client; for tests of what proxies say."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import bottle
from flask import Flask, request, url_for

import bottle_tls
import flask_tlsrun
from tlsrun.wsgi.front import ORIGINAL


def _told(environ: dict[str, Any], url: str, address: str | None, secure: bool) -> dict[str, Any]:
    environment = {key: value for key, value in environ.items() if isinstance(value, str) and key not in os.environ}
    return {
        "environ": environment,
        "original": environ.get(ORIGINAL),
        "url": url,
        "address": address,
        "secure": secure,
    }


app = Flask(__name__)


@app.route("/flask")
def of_flask() -> dict[str, Any]:
    """What Flask knows."""
    url = url_for("of_flask", _external=True)
    return _told(request.environ, url, request.remote_addr, bool(flask_tlsrun.tls.secure))


web = bottle.Bottle()


@web.route("/bottle")  # type: ignore[untyped-decorator]
def of_bottle() -> dict[str, Any]:
    """What Bottle knows."""
    request = bottle.request
    return _told(request.environ, request.url, request.remote_addr, bool(bottle_tls.tls.secure))


def both(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Whichever the path asks for."""
    served = web if environ["PATH_INFO"].startswith("/bottle") else app
    answer: Iterable[bytes] = served(environ, start_response)
    return answer


#: For servers that are started by their own command.
application = bottle_tls.application(both)
