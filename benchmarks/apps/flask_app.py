"""The pages from Flask."""

from __future__ import annotations

from flask import Flask, Response

from benchmarks.apps.pages import HELLO, KIB64, MIB64, parts

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    """A few bytes."""
    return HELLO


@app.get("/64k")
def page() -> bytes:
    """64 KiB at once."""
    return KIB64


@app.get("/64m")
def download() -> Response:
    """64 MiB, streamed."""
    return Response(parts(), headers={"Content-Length": str(MIB64)})
