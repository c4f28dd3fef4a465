"""Requests with Werkzeug's environ, log lines and error pages, for Flask."""

from __future__ import annotations

import importlib.metadata
import logging
import re
import ssl
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from werkzeug.exceptions import InternalServerError
from werkzeug.serving import WSGIRequestHandler

from tlsrun.servers.broken import broken_for
from tlsrun.servers.builtin.handler import Handler
from tlsrun.servers.builtin.log_line import write
from tlsrun.servers.builtin.reader import ClientGone

_log = logging.getLogger("werkzeug")

#: A path, with or without a query, that needs neither decoding nor escaping in a log.
_PLAIN = re.compile(r"/(?:[A-Za-z0-9._~-][A-Za-z0-9._~/-]*)?(?:\?[A-Za-z0-9._~/=&-]+)?")


class WerkzeugHandler(Handler, WSGIRequestHandler):
    """Werkzeug's handler on our connections."""

    broken_body = broken_for("flask")
    #: As in Werkzeug: an extension that took over the socket (WebSocket) ends with a ConnectionError.
    client_gone = (ClientGone, ConnectionError)
    _plain = False
    server_version = f"Werkzeug/{importlib.metadata.version('werkzeug')}"

    def base(self) -> dict[str, Any]:
        """As `Handler.base`."""
        host, port = self.sock.here
        base = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.multithread": self.site.multithread,
            "wsgi.multiprocess": self.site.multiprocess,
            "wsgi.run_once": False,
            "werkzeug.socket": self.sock,
            "SERVER_SOFTWARE": self.server_version,
            "SCRIPT_NAME": "",
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_PORT": str(self.client_address[1]),
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
        }
        certificate = None if self.sock.context.verify_mode == ssl.CERT_NONE else self.sock.getpeercert(True)
        if certificate is not None:
            base["SSL_CLIENT_CERT"] = ssl.DER_cert_to_PEM_cert(certificate)
        return base

    def make_environ(self) -> dict[str, Any]:
        """Werkzeug's environ, all values as text (PEP 3333)."""
        environ = self.new_environ()
        self._plain = _PLAIN.fullmatch(self.path) is not None
        path, query = self.target()
        environ["PATH_INFO"] = path if self._plain else _as_octets(unquote(path))
        environ["QUERY_STRING"] = query
        environ["RAW_URI"] = environ["REQUEST_URI"]
        self.environ = environ
        return environ

    def failure(self) -> Callable[..., Iterable[bytes]]:
        """Werkzeug's error page."""
        return InternalServerError()

    def report(self, error: BaseException) -> None:
        """Log the error like Werkzeug."""
        # Imported late: with its debugger it would be a tenth of all imports at a start.
        from werkzeug.debug.tbtools import DebugTraceback

        self.log_error("Error on request:\n%s", DebugTraceback(error).render_traceback_text())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log a request like Werkzeug's server, without the size."""
        if self.site.quiet:
            return
        if code == 200 and self._plain:
            # Nothing needs decoding, escaping or colour; finding that out would take longer than everything else.
            what = f'"{self.command} {self.path} {self.request_version}" 200 -'
            if not write(_log, f"{self.address_string()} - - [{self.log_date_time_string()}] {what}"):
                self.log("info", '"%s" %s %s', f"{self.command} {self.path} {self.request_version}", "200", "-")
        else:
            super().log_request(code)


def _as_octets(text: str) -> str:
    """Text in the form of PEP 3333: its UTF-8 octets, each a character."""
    return text.encode("utf-8").decode("latin-1")
