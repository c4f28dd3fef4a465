"""Requests as Werkzeug's server has them: its environ, its log lines, its words for errors. For Flask."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.debug.tbtools import DebugTraceback
from werkzeug.exceptions import ClientDisconnected, InternalServerError
from werkzeug.serving import WSGIRequestHandler

from tlsrun.servers.builtin.handler import BrokenBody, Handler
from tlsrun.servers.builtin.reader import ClientGone

#: A path, with a query perhaps, that a log shows as it is.
_PLAIN = re.compile(r"/(?:[A-Za-z0-9._~-][A-Za-z0-9._~/-]*)?(?:\?[A-Za-z0-9._~/=&-]+)?")


class BrokenFlaskBody(BrokenBody, ClientDisconnected):
    """Flask answers 400 to it by itself, and logs no traceback."""

    def __init__(self, words: str) -> None:
        BrokenBody.__init__(self, words)
        self.description = words
        self.response = None


class WerkzeugHandler(Handler, WSGIRequestHandler):
    """Werkzeug's handler, with our connections below it."""

    broken_body = BrokenFlaskBody
    #: As Werkzeug: an extension that took the socket over (WebSocket) ends with a ConnectionError.
    client_gone = (ClientGone, ConnectionError)
    server_version = f"Werkzeug/{importlib.metadata.version('werkzeug')}"

    def make_environ(self) -> dict[str, Any]:
        """Werkzeug's environ; all of it text, as PEP 3333 wants it."""
        environ: dict[str, Any] = WSGIRequestHandler.make_environ(self)
        environ["REMOTE_PORT"] = str(environ["REMOTE_PORT"])
        host, port = self.sock.here
        environ |= {"SERVER_NAME": host, "SERVER_PORT": str(port)}
        self.environ = environ
        return environ

    def failure(self) -> Callable[..., Iterable[bytes]]:
        """Werkzeug's page."""
        return InternalServerError()

    def report(self, error: BaseException) -> None:
        """In Werkzeug's words."""
        self.log_error("Error on request:\n%s", DebugTraceback(error).render_traceback_text())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The line as Werkzeug's server writes it, which names no size."""
        if self.site.quiet:
            return
        if code == 200 and _PLAIN.fullmatch(self.path):
            # There is nothing to decode, to escape or to colour, and to find that out takes longer than all the rest.
            self.log("info", '"%s" %s %s', f"{self.command} {self.path} {self.request_version}", "200", "-")
        else:
            super().log_request(code)
