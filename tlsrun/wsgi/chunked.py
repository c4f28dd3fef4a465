"""Chunked request bodies for Bottle, which decodes the chunks itself."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

_CHUNK = 65536


class Rechunked(io.RawIOBase):
    """A decoded body, encoded in chunks again (RFC 9112, section 7.1).

    Arguments:
        body: a file whose end is the body's end.
    """

    def __init__(self, body: Any) -> None:
        self._body = body
        self._ready = memoryview(b"")
        self._over = False

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """As io.RawIOBase.readinto."""
        if not self._ready and not self._over:
            data = self._body.read(_CHUNK)
            self._over = not data
            self._ready = memoryview(b"%x\r\n%b\r\n" % (len(data), data))
        with memoryview(buffer) as view, view.cast("B") as target:
            size = min(len(target), len(self._ready))
            target[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


def for_bottle(app: Callable[..., Any], *, tells: bool = False) -> Callable[..., Any]:
    """Wrap an application that reads chunked bodies by itself.

    Servers decode a chunked body, and say so (``wsgi.input_terminated``); Bottle looks at Transfer-Encoding alone,
    and answers 400 to a body without chunks, or takes it for empty when the header is not there. HTTP/2 and HTTP/3
    have no such header, and need no length either; the built-in server does not hand it on.

    Arguments:
        tells: the server says ``wsgi.input_terminated`` of chunked bodies and of no others.
    """

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and (tells or _has_no_length(environ)):
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
            environ["wsgi.input"] = io.BufferedReader(Rechunked(environ["wsgi.input"]), _CHUNK)
            del environ["wsgi.input_terminated"]
        result: Iterable[bytes] = app(environ, start_response)
        return result

    return application


def _has_no_length(environ: dict[str, Any]) -> bool:
    if environ.get("SERVER_PROTOCOL") in ("HTTP/2", "HTTP/3"):
        return not environ.get("CONTENT_LENGTH") and environ["REQUEST_METHOD"] not in ("GET", "HEAD")
    return "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
