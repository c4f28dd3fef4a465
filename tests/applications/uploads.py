"""Applications that read what is uploaded, and write down what became of it: plain, Flask, Bottle."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bottle
import flask

#: The folder that holds a file for each upload; it is named by the last part of the path.
FOLDER = "BROKEN_SITE_FOLDER"


def read(stream: Any, name: str, size: int = -1) -> str:
    """Read a body to its end, in pieces of ``size`` or at once, and write down how it ended."""
    note = Path(os.environ[FOLDER]) / name
    note.write_text("began")
    total = 0
    try:
        while part := stream.read(size):
            total += len(part)
    except BaseException as error:
        note.write_text(f"broken: {type(error).__name__}")
        raise
    note.write_text(f"whole: {total}")
    return str(total)


def plain(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """``/pieces/name`` and ``/whole/name`` read; other pages are greetings."""
    how, _, name = environ["PATH_INFO"].strip("/").partition("/")
    text = "hello"
    if how in ("pieces", "whole"):
        text = read(environ["wsgi.input"], name, 65536 if how == "pieces" else -1)
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]


flask_app = flask.Flask(__name__)


@flask_app.route("/")
@flask_app.route("/pieces/<name>", methods=["POST"])
def flask_page(name: str = "") -> str:
    """As `plain`."""
    return read(flask.request.stream, name, 65536) if name else "hello"


bottle_app = bottle.Bottle()


@bottle_app.route("/")  # type: ignore[misc]  # Bottle has no types
@bottle_app.route("/pieces/<name>", method="POST")  # type: ignore[misc]
def bottle_page(name: str = "") -> str:
    """As `plain`."""
    note = Path(os.environ[FOLDER]) / name
    if not name:
        return "hello"
    note.write_text("began")
    try:
        body = bottle.request.body  # Bottle reads all of it here
    except BaseException as error:
        note.write_text(f"broken: {type(error).__name__}")
        raise
    return read(body, name, 65536)
