"""The Bottle application of these tests; its pages are those of the Flask application."""

from __future__ import annotations

from typing import Any

import bottle

from tests.applications import pages

app = bottle.Bottle()


@app.get("/")
def index() -> dict[str, Any]:
    return pages.seen(bottle.request.environ)


@app.get("/parts/<count:int>")
def parts(count: int) -> Any:
    bottle.response.content_type = "text/plain"
    return pages.parts(count)


@app.get("/events")
def events() -> Any:
    bottle.response.content_type = "text/event-stream"
    return pages.events()


@app.get("/download/<size:int>")
def download(size: int) -> Any:
    bottle.response.set_header("Content-Length", str(size))
    return pages.block_after_block(size)


@app.post("/upload")
def upload() -> str:
    return pages.digest(bottle.request.body)


@app.post("/lines")
def lines() -> dict[str, list[str]]:
    return {"lines": [line.decode() for line in bottle.request.body]}


@app.post("/ignored")
def ignored() -> str:
    return "not read"


@app.route("/status/<code:int>", method=["GET", "POST"])
def status(code: int) -> str:
    bottle.response.status = code
    return ""


@app.get("/forever")
def forever() -> Any:
    return pages.forever()


@app.get("/slow/<seconds>")
def slow(seconds: str) -> str:
    return pages.slow(float(seconds))


@app.get("/fails")
def fails() -> str:
    raise RuntimeError("on purpose")
