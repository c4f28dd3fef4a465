"""The requests of a connection, one after the other: each is passed to the application, answered and finished."""

from __future__ import annotations

import functools
import io
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from tlsrun.http1.fields import Fields
from tlsrun.http1.head import Head
from tlsrun.http1.refusal import Refused
from tlsrun.http1.variables import variables
from tlsrun.servers.broken import Broken, BrokenBody
from tlsrun.servers.builtin.background_sender import BackgroundSender
from tlsrun.servers.builtin.body import NO_BODY, Body, NoBody
from tlsrun.servers.builtin.min_data_rate import MinDataRate
from tlsrun.servers.builtin.reader import ClientGone
from tlsrun.servers.builtin.response import BuiltinResponse
from tlsrun.servers.builtin.session import Session

_log = logging.getLogger("tlsrun.builtin")

#: The most unread bytes of a body that are discarded to keep the connection.
_DRAINED = 1024 * 1024
_DRAIN_SECONDS = 5.0


class Handler(Session):
    """Has the application answer the requests of a connection.

    Subclasses define how environ is made, and how errors are handled.
    """

    #: Makes the exception for an application that reads a body that broke off.
    broken_body: Broken = BrokenBody
    #: Exceptions by which an application says that the client is gone.
    client_gone: tuple[type[Exception], ...] = (ClientGone,)
    #: Created for the first request that waits for its turn.
    _sender: BackgroundSender | None = None
    _head: Head
    _base: dict[str, Any] | None = None
    #: The header lines of the previous request, and their variables: most clients send the same lines again.
    _fields: Fields | None = None
    _variables: dict[str, str]

    def make_environ(self) -> dict[str, Any]:
        """The environ of the current request, without ``wsgi.input``."""
        raise NotImplementedError

    def failure(self) -> Callable[..., Iterable[bytes]]:
        """A WSGI application that answers 500."""
        raise NotImplementedError

    def report(self, error: BaseException) -> None:
        """Log an error of the application, with its traceback."""
        _log.error("error in %s", self.requestline, exc_info=error)

    def _answer(self, head: Head) -> bool:
        """Run the application for one request; returns whether the connection goes on."""
        # Until the response is complete, closing the connection must look like a failure.
        self._broken = True
        self._take(head)
        body: Body | NoBody
        if not head.chunked and not head.length:
            body, self.rfile = NO_BODY, io.BytesIO()
        else:
            body = self._body(head)
            # The raw body may return fewer bytes than asked for; applications expect all of them.
            self.rfile = io.BufferedReader(body)
        response = self._response(head, body)
        limited = self.site.work.limited
        outcome = self._in_turn(head, body, response) if limited else self._call(head, body, response)
        if outcome is None:
            return False
        self._broken = False
        if outcome.begun:
            self.log_request(outcome.status, outcome.size)
        ended = body.end(at_most=_DRAINED if outcome.keeps else 0, seconds=_DRAIN_SECONDS)
        self._unread = not ended
        return outcome.keeps and ended

    def _in_turn(self, head: Head, body: Body | NoBody, response: BuiltinResponse) -> BuiltinResponse | None:
        """As `_call`, in one of few threads, which wait neither for the body nor for the client."""
        body.collect(self.site.bodies)
        if self._sender is None:
            self._sender = BackgroundSender(self.sock, seconds=self.site.options.write_timeout, room=self.site.answers)
        sender = self.sender = self._sender
        sender.begin()
        try:
            outcome = self.site.work.run(functools.partial(self._call, head, body, response), self)
            if outcome is not None:
                sender.finish()
            return outcome
        finally:
            self.sender = None
            sender.end()
            body.discard()

    def _call(self, head: Head, body: Body | NoBody, response: BuiltinResponse) -> BuiltinResponse | None:
        """Make environ and run the application; returns the same as `_run`."""
        environ = self.make_environ()
        environ["wsgi.input"] = self.rfile
        if head.chunked:
            environ["wsgi.input_terminated"] = True
        if "HTTP_UPGRADE" in environ:
            # Another protocol (WebSocket) takes over the socket, without our time limits.
            self.sock.settimeout(None)
        return self._run(head, body, environ, response)

    def _take(self, head: Head) -> None:
        """Set the attributes that the standard library's class and its subclasses read."""
        self._head = head
        self.requestline = head.line.decode("ascii")
        self.command = head.method.decode("ascii")
        self.request_version = "HTTP/1.0" if head.http10 else "HTTP/1.1"
        self.close_connection = not head.keep_alive
        # As http.server: in a redirect, two slashes at the start would be a URL without a scheme.
        target = head.target.decode("ascii")
        self.path = "/" + target.lstrip("/") if target.startswith("//") else target
        self._rate = MinDataRate(self.site.options.write_timeout)

    def _body(self, head: Head) -> Body:
        return Body(
            self._reader,
            head.length,
            seconds=self.site.options.body_timeout,
            error=self.broken_body,
            ask=self._ask if head.expects else None,
        )

    def base(self) -> dict[str, Any]:
        """The part of environ that is the same for every request of this connection."""
        raise NotImplementedError

    def new_environ(self) -> dict[str, Any]:
        """An environ with everything that does not depend on the target, for subclasses to complete."""
        if self._base is None:
            self._base = self.base()
        environ = self._base.copy()
        environ["wsgi.errors"] = sys.stderr
        environ["REQUEST_METHOD"] = self.command
        environ["SERVER_PROTOCOL"] = self.request_version
        environ["REQUEST_URI"] = self.path
        head = self._head
        if head.fields is not self._fields:
            self._variables = variables(head.fields.lines)
            self._fields = head.fields
        environ.update(self._variables)
        if head.scheme and head.host is not None:
            # RFC 9112, section 3.2.2: the host of a target that is a URL replaces Host.
            environ["HTTP_HOST"] = head.host.decode("ascii")
        return environ

    def target(self) -> tuple[str, str]:
        """The path, not decoded, and the query of the target."""
        head = self._head
        path = head.path.decode("ascii")
        return path if not path.startswith("//") else "/" + path.lstrip("/"), (head.query or b"").decode("ascii")

    def _ask(self) -> None:
        self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _response(self, head: Head, body: Body | NoBody) -> BuiltinResponse:
        def may_keep() -> bool:
            left = body.left
            return not (
                self.site.connections.stopping or body.broken or body.awaited or (left is not None and left > _DRAINED)
            )

        return BuiltinResponse(head, self._send, common=self._common, may_keep=may_keep)

    def _common(self) -> Iterable[tuple[str, str]]:
        return (("Server", self.version_string()), ("Date", self.date_time_string()))

    def _run(
        self, head: Head, body: Body | NoBody, environ: dict[str, Any], response: BuiltinResponse
    ) -> BuiltinResponse | None:
        """Run the application.

        Returns:
            the response, which may be another one than ``response``; None if it broke off and must not look complete.
        """
        # An extension that took over the socket (WebSocket) ends with a ConnectionError.
        upgraded = (ConnectionError,) if "HTTP_UPGRADE" in environ else ()
        try:
            _serve(self.site.application, environ, response)
        except BrokenBody as error:
            if response.begun:
                return None
            self._unread = True
            self._refuse(Refused(400, str(error)))
        except (*self.client_gone, *upgraded):
            return None if response.begun else response
        except (Exception, SystemExit) as error:
            # SystemExit, too: sys.exit() in a request must not end the server.
            self.report(error)
            if response.begun and not response.done:
                self.log_request(response.status, response.size)
                return None
            if not response.begun:
                response = self._response(head, body)
                _serve(self.failure(), environ, response)
        return response

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """As in the base class, unless the server is quiet."""
        if not self.site.quiet:
            super().log_request(code, size)


def _serve(application: Callable[..., Iterable[bytes]], environ: dict[str, Any], response: BuiltinResponse) -> None:
    result = application(environ, response.start_response)
    try:
        response.take(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
