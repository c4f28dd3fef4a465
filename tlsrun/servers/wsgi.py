"""WSGI exactly as in PEP 3333, for servers whose own adapters deviate from it.

Granian's adapter merges the process environment into environ, requires ``start_response`` to be called before the first
part of the response is generated, has no ``write()``, and ends the worker on an invalid status. Hypercorn's responds
500 to every empty body, and reads the whole request before it calls the application.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any, Protocol

from tlsrun.servers.body import InputStream
from tlsrun.servers.broken import Broken, BrokenBody
from tlsrun.servers.slots import Outside, Slots

_log = logging.getLogger("tlsrun.servers")

Headers = list[tuple[str, str]]

_PLAIN: Headers = [("Content-Type", "text/plain; charset=utf-8")]


class Answering(Protocol):
    """The server's side of one request."""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete response."""

    def response_iter(self, status: int, headers: Headers, body: Parts) -> None:
        """Send a response part by part, and close ``body`` at the end."""


class Response:
    """The ``start_response`` callable of one request, and what it was called with.

    Arguments:
        unsendable: returns why the server cannot send a header with this value; None if it can.
    """

    __slots__ = ("_unsendable", "headers", "sent", "status", "written")

    def __init__(self, unsendable: Callable[[str], str | None]) -> None:
        self._unsendable = unsendable
        self.status = 0
        self.headers: Headers = []
        self.written: list[bytes] = []
        self.sent = False

    def __call__(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        """Store status and headers; headers that cannot be sent are omitted, with a warning.

        Raises:
            RuntimeError: it was called before without ``exc_info``, or ``status`` is invalid.
        """
        try:
            if exc_info and self.sent:
                raise exc_info[1].with_traceback(exc_info[2])
            if self.status and not exc_info:
                raise RuntimeError("start_response() was called before, and is not given an exception now")
        finally:
            exc_info = None  # avoid a reference cycle: the traceback refers to this frame
        self.status = _code(status)
        self.headers = list(headers)
        # Fast path: every server can send printable ASCII.
        values = "".join([value for _, value in self.headers])
        if not (values.isascii() and values.isprintable()):
            self.headers = [field for field in self.headers if self._sendable(*field)]
        return self.written.append

    def _sendable(self, name: str, value: str) -> bool:
        objection = self._unsendable(value)
        if objection is None:
            return True
        _log.warning("the header %s was left out of an answer: %s, and it is %r", name, objection, value)
        return False


@functools.lru_cache(maxsize=256)
def _code(status: str) -> int:
    code = status.partition(" ")[0]
    if len(code) != 3 or not code.isdecimal() or not 200 <= int(code) <= 999:
        raise RuntimeError(f"{status!r} is no status of an HTTP answer")
    return int(code)


class Parts:
    """The parts of a response, which the server fetches one by one.

    Arguments:
        first: parts that have been generated already.
        parts: iterator over the rest.
        result: what the application returned; its ``close()`` is called once.
        slots: a slot is held while the application generates a part.
    """

    __slots__ = ("_asked", "_away", "_first", "_parts", "_result", "_slots")

    def __init__(self, first: Sequence[bytes], parts: Iterator[bytes], result: Any, slots: Slots) -> None:
        self._slots = slots
        self._first = [part for part in first if part]
        self._parts = parts
        self._result = result
        self._asked = self._away = False

    def __next__(self) -> bytes:
        if self._asked and not self._away:
            # The second part: from now on the server may wait for the client before it fetches the next one.
            self._away = True
            self._slots.away()
        self._asked = True
        if self._first:
            return self._first.pop(0)
        with self._slots:
            part = next(self._parts)
            while not part:
                part = next(self._parts)
        return part if type(part) is bytes else _octets(part)

    def close(self) -> None:
        """Called by the server at the end, and when the client has disconnected."""
        if self._away:
            self._away = False
            self._slots.back()
        result, self._result = self._result, None
        if hasattr(result, "close"):
            with self._slots:
                _close(result)


def declared_length(headers: Headers) -> int:
    """Return Content-Length in bytes; -1 if there is none."""
    for name, value in headers:
        if name.lower() == "content-length" and value.isdecimal():
            return int(value)
    return -1


def _octets(part: Any) -> bytes:
    if not isinstance(part, (bytes, bytearray, memoryview)):
        raise TypeError(f"the application's answer has a part of type {type(part).__name__}, and not bytes")
    return bytes(part)


def _close(result: Any) -> None:
    if hasattr(result, "close"):
        try:
            result.close()
        except Exception:  # a server would ignore it silently
            _log.exception("the application's answer could not be closed")


def callback(
    application: Callable[..., Any],
    base: dict[str, Any],
    slots: Slots,
    *,
    unsendable: Callable[[str], str | None],
    sends_at_once: bool,
    admit: Callable[[Any], None] | None = None,
    broken: Broken = BrokenBody,
    complete: bool = False,
) -> Callable[[Answering, dict[str, Any]], int]:
    """Return the function that a server calls for each request with an `Answering` and environ; it returns the status.

    Arguments:
        base: the part of environ that is the same for every request.
        unsendable: as in `Response`.
        sends_at_once: whether the server's ``response_bytes`` never waits for the client.
        admit: called with the `Answering` once the request has its slot; raises if the client has disconnected.
        broken: exception class raised to the application for a truncated body; if it propagates, the response is 400.
        complete: whether the server's environ contains ``base`` already, and an empty BytesIO if there is no body.
    """
    prefix, waiting = len(base["SCRIPT_NAME"]), Outside(slots)
    send = _send_at_once if sends_at_once else functools.partial(_send_outside, waiting)

    def answer(protocol: Answering, scope: dict[str, Any]) -> int:
        environ = scope if complete else base | scope
        if prefix:
            environ = {**environ, "PATH_INFO": environ["PATH_INFO"][prefix:] or "/"}
        raw = environ["wsgi.input"]
        if type(raw) is not BytesIO:
            length = environ.get("CONTENT_LENGTH", "")
            environ["wsgi.input"] = InputStream(raw, int(length) if length.isdecimal() else None, waiting, broken)
        response = Response(unsendable)
        try:
            with slots:
                if admit is not None:
                    admit(protocol)
                result = application(environ, response)
                if response.status and type(result) in (list, tuple):
                    parts = None
                else:
                    first, rest = _begin(response, result)
                    response.sent = True
                    if not response.written and len(first) == declared_length(response.headers):
                        # A generator whose first part is the whole body: no need to stream it.
                        _send_whole(send, protocol, response, first, rest, result)
                        return response.status
                    parts = Parts([*response.written, first], rest, result, slots)
        except BrokenBody as error:
            if response.sent:
                raise
            _log.info("%s %s: %s", environ["REQUEST_METHOD"], environ["PATH_INFO"], error)
            protocol.response_bytes(400, _PLAIN, b"The request's body broke off.\n")
            return 400
        if parts is None:
            protocol.response_bytes(response.status, response.headers, b"".join((*response.written, *result)))
        else:
            protocol.response_iter(response.status, response.headers, parts)
        return response.status

    return answer


def _send_at_once(protocol: Answering, response: Response, body: bytes) -> None:
    protocol.response_bytes(response.status, response.headers, body)


def _send_outside(waiting: Outside, protocol: Answering, response: Response, body: bytes) -> None:
    with waiting:
        protocol.response_bytes(response.status, response.headers, body)


def _send_whole(
    send: Callable[[Answering, Response, bytes], None],
    protocol: Answering,
    response: Response,
    body: bytes,
    rest: Iterator[bytes],
    result: Any,
) -> None:
    """Send the response, then exhaust the iterator: the application may have work to do after its last part."""
    try:
        send(protocol, response, body)
        for part in rest:
            if part:
                _log.warning("an answer is longer than its Content-Length; the rest of it was left out")
                break
    finally:
        _close(result)


def _begin(response: Response, result: Any) -> tuple[bytes, Iterator[bytes]]:
    """Return the first part of ``result`` and an iterator over the rest; then ``response`` must have its status."""
    try:
        parts = iter(result)
        first: Any = next(parts, b"")
        while not (first or response.status):
            first = next(parts, None)
            if first is None:
                break
        if not response.status:
            raise RuntimeError("the application answered without a call of start_response()")
        # The result may be empty, or call start_response() without a part after it.
        first = first or b""
        return first if type(first) is bytes else _octets(first), parts
    except BaseException:
        _close(result)
        raise
