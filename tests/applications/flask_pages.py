"""The Flask application of these tests."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request

from tests.applications import pages

app = Flask(__name__)


@app.get("/")
def index() -> dict[str, Any]:
    """What it sees of the request."""
    return pages.seen(request.environ)


@app.get("/parts/<int:count>")
def parts(count: int) -> Response:
    """An answer made piece by piece."""
    return Response(pages.parts(count), mimetype="text/plain")


@app.get("/events")
def events() -> Response:
    """Server-sent events, one each time the test asks for it."""
    return Response(pages.events(), mimetype="text/event-stream")


@app.get("/download/<int:size>")
def download(size: int) -> Response:
    """So many bytes."""
    return Response(pages.block_after_block(size), headers={"Content-Length": str(size)})


@app.post("/upload")
def upload() -> str:
    """Length and digest of what was sent, read as it comes."""
    return pages.digest(request.stream)


@app.post("/lines")
def lines() -> dict[str, list[str]]:
    """The body by its lines."""
    return {"lines": [line.decode() for line in request.stream]}


@app.post("/ignored")
def ignored() -> str:
    """An answer that does not wait for the body."""
    return "not read"


@app.route("/status/<int:code>", methods=["GET", "POST"])
def status(code: int) -> tuple[str, int]:
    """An answer without a body, with this status."""
    return "", code


@app.get("/forever")
def forever() -> Response:
    """An answer that only the client's leave ends."""
    return Response(pages.forever())


@app.get("/slow/<seconds>")
def slow(seconds: str) -> str:
    """An answer after a while."""
    return pages.slow(float(seconds))


@app.get("/fails")
def fails() -> str:
    """An answer that is never made."""
    raise RuntimeError("on purpose")
