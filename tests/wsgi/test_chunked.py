"""Chunked bodies for Bottle."""

from __future__ import annotations

import io
from typing import Any

import bottle
import pytest

from tlsrun.wsgi.chunked import Rechunked, for_bottle


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 200_000])
def test_bottle_reads_a_decoded_body(size: int) -> None:
    """What the server took out of its chunks arrives whole."""
    app = bottle.Bottle()
    app.post("/")(lambda: f"{len(bottle.request.body.read())} {bottle.request.chunked}")
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
    }
    assert b"".join(for_bottle(app)(environ, lambda status, headers, exc_info=None: None)) == f"{size} True".encode()
    environ["bottle.request.body"].close()  # a temporary file, if it is large


def test_other_bodies_are_left_alone() -> None:
    """A body with a length, and one that no server decoded, are not touched."""
    seen = []
    app = for_bottle(lambda environ, start_response: seen.append(environ["wsgi.input"]) or [])
    body = io.BytesIO(b"x")
    app({"wsgi.input": body, "CONTENT_LENGTH": "1", "wsgi.input_terminated": True}, None)
    app({"wsgi.input": body, "HTTP_TRANSFER_ENCODING": "chunked"}, None)
    assert seen == [body, body]


def test_reads_in_small_pieces() -> None:
    """A reader of one byte at a time gets the same chunks."""
    raw = Rechunked(io.BytesIO(b"hello"))
    pieces = iter(lambda: raw.read(1), b"")
    assert b"".join(piece for piece in pieces if piece) == b"5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("protocol", ["HTTP/2", "HTTP/3"])
def test_bodies_without_a_length(protocol: str) -> None:
    """HTTP/2 and HTTP/3 say neither a length nor chunked; Bottle reads the body, and that of a GET is left alone."""
    app = bottle.Bottle()
    app.post("/", callback=lambda: bottle.request.body.read())
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/", "SERVER_PROTOCOL": protocol,
        "wsgi.input": io.BytesIO(b"body"), "wsgi.input_terminated": True,
    }  # fmt: skip
    assert b"".join(for_bottle(app)(environ, lambda status, headers, exc_info=None: None)) == b"body"
    body = io.BytesIO()
    environ = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": protocol, "wsgi.input": body, "wsgi.input_terminated": True}
    for_bottle(lambda environ, start_response: [])(environ, None)
    assert environ["wsgi.input"] is body
