"""The pages from Bottle; run as a program, served by its default server over a wrapped socket, as tutorials have it."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from wsgiref.simple_server import WSGIServer

import bottle

from benchmarks.apps.pages import HELLO, KIB64, MIB64, parts

app = bottle.Bottle()


@app.get("/")  # type: ignore[untyped-decorator]  # Bottle ships no types
def hello() -> str:
    """A few bytes."""
    return HELLO


@app.get("/64k")  # type: ignore[untyped-decorator]  # Bottle ships no types
def page() -> bytes:
    """64 KiB at once."""
    return KIB64


@app.get("/64m")  # type: ignore[untyped-decorator]  # Bottle ships no types
def download() -> Iterator[bytes]:
    """64 MiB, streamed."""
    bottle.response.content_length = MIB64
    return parts()


def _serve_wrapped(port: str, certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class WrappedServer(WSGIServer):
        """The standard library's server over a socket that the ssl module wraps."""

        def server_activate(self) -> None:
            super().server_activate()
            self.socket = context.wrap_socket(self.socket, server_side=True)

    bottle.run(app, host="127.0.0.1", port=int(port), server_class=WrappedServer)


if __name__ == "__main__":
    _serve_wrapped(*sys.argv[1:])
