"""What the workers run behind the edge: one path for each thing that an application can do."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Body = Iterable[bytes]

_PART = b"0123456789abcdef" * 4096


def application(environ: Environ, start_response: StartResponse) -> Body:
    """Do what the path says; `SEEN` names a file that gets a line for each request."""
    seen = os.environ.get("SEEN")
    if seen:
        with open(seen, "a", encoding="latin-1") as file:
            uri = environ.get("REQUEST_URI") or f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
            file.write(f"{environ['REQUEST_METHOD']} {uri}\n")
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    for prefix in ("flask", "bottle"):
        if path.startswith(f"/{prefix}/"):
            return FRAMEWORKS[prefix](environ, start_response)
    page = PAGES.get(path.strip("/*").partition("/")[0] or "hello", hello)
    return page(environ, start_response, query)


def hello(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """Five bytes."""
    return whole(start_response, b"hello")


def whole(start_response: StartResponse, body: bytes, status: str = "200 OK") -> Body:
    """A body of known length."""
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def env(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """The environ, as JSON."""
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    return whole(start_response, json.dumps(told).encode())


def digest(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """How much came, and its SHA-256."""
    read, size = hashlib.sha256(), 0
    while part := environ["wsgi.input"].read(65536):
        read.update(part)
        size += len(part)
    length = environ.get("CONTENT_LENGTH", "none")
    return whole(start_response, f"{size} {read.hexdigest()} {length}".encode())


def lazy(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """How much came, read after so many seconds."""
    threading.Event().wait(float(query))
    size = 0
    while part := environ["wsgi.input"].read(65536):
        size += len(part)
    return whole(start_response, str(size).encode())


def size(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """So many bytes, their number given."""
    start_response("200 OK", [("Content-Length", query)])
    return parts(int(query))


def stream(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """So many bytes, their number not given."""
    start_response("200 OK", [])
    return parts(int(query))


def parts(size: int) -> Iterator[bytes]:
    """So many bytes."""
    while size > 0:
        yield _PART[:size]
        size -= len(_PART)


def slow(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """An answer after so many seconds."""
    threading.Event().wait(float(query))
    return whole(start_response, b"slept")


def tick(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """Four parts, with so many seconds before each but the first."""
    start_response("200 OK", [])
    for number in range(4):
        if number:
            threading.Event().wait(float(query))
        yield b"%d" % number


def status(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """That status, without a body."""
    start_response(f"{query} Some Words", [])
    return []


def short(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """Less than promised; the end comes so many seconds after the rest."""
    start_response("200 OK", [("Content-Length", "10")])
    yield b"hello"
    threading.Event().wait(float(query))


def long(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """More than promised."""
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello world"]


def die(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """The worker dies: before it answers, or in the middle of 10 bytes."""
    if query != "midway":
        os._exit(1)
    start_response("200 OK", [("Content-Length", "10")])
    yield b"hello"
    os._exit(1)


def refuse(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """413, without a look at the body."""
    return whole(start_response, b"too large for me", "413 Content Too Large")


def talkative(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """Headers that are the edge's own matter, and some that are not."""
    start_response(
        "200 Fine",
        [("Connection", "close"), ("Keep-Alive", "timeout=1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"),
         ("X-Odd", "\xe4"), ("Content-Length", "2")],
    )  # fmt: skip
    return [b"ok"]


def file(environ: Environ, start_response: StartResponse, query: str) -> Body:
    """A file, by the server's own means."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    handed: Body = environ["wsgi.file_wrapper"](open(__file__, "rb"), 4096)  # noqa: SIM115 -- the server closes it
    return handed


def flask_application() -> Any:
    """Flask, which reads forms, files, JSON and raw bodies its own way."""
    from flask import Flask, request

    app = Flask("tests.applications.behind_edge")
    app.config["MAX_CONTENT_LENGTH"] = 1 << 20

    @app.post("/flask/form")
    def form() -> dict[str, Any]:
        files = {name: len(file.read()) for name, file in request.files.items()}
        return {"form": request.form.to_dict(), "files": files, "url": request.url, "secure": request.is_secure}

    @app.post("/flask/raw")
    def raw() -> dict[str, Any]:
        return {"size": len(request.get_data()), "length": request.content_length}

    return app


def bottle_application() -> Any:
    """Bottle, likewise."""
    import bottle

    app = bottle.Bottle()

    @app.post("/bottle/form")
    def form() -> dict[str, Any]:
        files = {name: len(file.file.read()) for name, file in bottle.request.files.items()}
        return {"form": dict(bottle.request.forms), "files": files, "url": bottle.request.url, "secure": True}

    @app.post("/bottle/raw")
    def raw() -> dict[str, Any]:
        return {"size": len(bottle.request.body.read()), "length": bottle.request.content_length}

    return app


PAGES: dict[str, Callable[..., Body]] = {
    page.__name__: page
    for page in (hello, env, digest, lazy, size, stream, slow, tick, status, short, long, die, refuse, talkative, file)
}
FRAMEWORKS = {"flask": flask_application(), "bottle": bottle_application()}
