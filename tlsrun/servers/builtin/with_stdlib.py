"""Requests with the standard library's environ, for Bottle and every other WSGI application."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

import tlsrun
from tlsrun.servers.builtin.handler import Handler


class StandardHandler(Handler):
    """The environ of PEP 3333, without the process environment."""

    def version_string(self) -> str:
        """The value of the Server header."""
        return "tlsrun"

    def base(self) -> dict[str, Any]:
        """As `Handler.base`."""
        address, port = self.sock.here
        return {
            "SCRIPT_NAME": "",
            "SERVER_NAME": address,
            "SERVER_PORT": str(port),
            "SERVER_SOFTWARE": f"tlsrun/{tlsrun.__version__}",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_PORT": str(self.client_address[1]),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.multithread": self.site.multithread,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "tlsrun.socket": self.sock,
        }

    def make_environ(self) -> dict[str, Any]:
        """The environ of the current request."""
        path, query = self.target()
        environ = self.new_environ()
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
        environ["QUERY_STRING"] = query
        return environ

    def failure(self) -> Callable[..., Iterable[bytes]]:
        """A plain 500."""
        return internal_error


def internal_error(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A WSGI application that answers 500 without details."""
    start_response("500 Internal Server Error", [("Content-Type", "text/plain; charset=utf-8")], sys.exc_info())
    return [b"The application failed. Its log says why.\n"]
