"""WSGI (PEP 3333) to the letter, for servers whose own adapters are not.

Granian's merges the process environment into environ, wants ``start_response`` called before the first part of the
answer is made, knows no ``write()``, and ends the worker for a status that HTTP has not. Hypercorn's answers 500 to
every empty body, and reads the whole request before it asks the application.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from tlsrun.servers.body import Body
from tlsrun.servers.slots import Outside, Slots

_log = logging.getLogger("tlsrun.servers")

Headers = list[tuple[str, str]]


class Answering(Protocol):
    """The server's side of one request."""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer that is there as a whole."""

    def response_iter(self, status: int, headers: Headers, body: Parts) -> None:
        """Send an answer part by part, and close ``body`` in the end."""


class Response:
    """What ``start_response`` said; it is called with what WSGI says it is.

    Arguments:
        unsendable: why the server cannot send a header of this value; None when it can.
    """

    __slots__ = ("_unsendable", "headers", "sent", "status", "written")

    def __init__(self, unsendable: Callable[[str], str | None]) -> None:
        self._unsendable = unsendable
        self.status = 0
        self.headers: Headers = []
        self.written: list[bytes] = []
        self.sent = False

    def __call__(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        """Take status and headers; those that cannot be sent are left out, with a warning.

        Raises:
            RuntimeError: it was called before, or ``status`` is none.
        """
        try:
            if exc_info and self.sent:
                raise exc_info[1].with_traceback(exc_info[2])
            if self.status and not exc_info:
                raise RuntimeError("start_response() was called before, and is not given an exception now")
        finally:
            exc_info = None  # a cycle through the frame
        self.status = _code(status)
        self.headers = list(headers)
        # Mostly nothing is odd, and every server can send that.
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
    """The parts of an answer, for the server to ask for one by one.

    Arguments:
        first: what is there already.
        parts: the rest.
        result: what the application returned; closed once.
        slots: one is taken while a part is made.
    """

    __slots__ = ("_first", "_parts", "_result", "_slots")

    def __init__(self, first: Sequence[bytes], parts: Iterator[bytes], result: Any, slots: Slots) -> None:
        self._slots = slots
        self._first = [part for part in first if part]
        self._parts = parts
        self._result = result

    def __next__(self) -> bytes:
        if self._first:
            return self._first.pop(0)
        with self._slots:
            part = next(self._parts)
            while not part:
                part = next(self._parts)
        if not isinstance(part, (bytes, bytearray, memoryview)):
            raise TypeError(f"the application's answer has a part of type {type(part).__name__}, and not bytes")
        return bytes(part)

    def whole(self, headers: Headers) -> bytes | None:
        """The body, when it is there already by its declared length; None when it is not."""
        body = self._first[0] if len(self._first) == 1 else b""
        return body if type(body) is bytes and body and len(body) == declared_length(headers) else None

    def exhaust(self) -> None:
        """The rest, when the whole body has been sent: it may do something, and has nothing more to say."""
        for part in self._parts:
            if part:
                _log.warning("an answer is longer than its Content-Length; the rest of it was left out")
                return

    def close(self) -> None:
        """Called by the server at the end, and when the client has gone."""
        if self._result is not None:
            with self._slots:
                self.close_here()

    def close_here(self) -> None:
        """The same, with a slot in hand."""
        close_result, self._result = getattr(self._result, "close", None), None
        if close_result is not None:
            _close(close_result)


def declared_length(headers: Headers) -> int:
    """The length of a body; one that no body has when it is not known."""
    for name, value in headers:
        if name.lower() == "content-length" and value.isdecimal():
            return int(value)
    return -1


def _close(close_result: Callable[[], Any]) -> None:
    try:
        close_result()
    except Exception:  # a server would pass over it in silence
        _log.exception("the application's answer could not be closed")


def callback(
    application: Callable[..., Any],
    base: dict[str, Any],
    slots: Slots,
    *,
    unsendable: Callable[[str], str | None],
    sends_at_once: bool,
) -> Callable[[Answering, dict[str, Any]], int]:
    """What a server calls for each request, with its side of it and its part of environ; returns the status.

    Arguments:
        base: the part of environ that is the same for every request.
        unsendable: as in `Response`.
        sends_at_once: whether the server's ``response_bytes`` waits for no client.
    """
    prefix, waiting = len(base["SCRIPT_NAME"]), Outside(slots)
    sending = contextlib.nullcontext() if sends_at_once else waiting

    def answer(protocol: Answering, scope: dict[str, Any]) -> int:
        environ = base | scope
        if prefix:
            environ["PATH_INFO"] = environ["PATH_INFO"][prefix:] or "/"
        if environ["SERVER_PROTOCOL"] == "HTTP/1":
            environ["SERVER_PROTOCOL"] = "HTTP/1.0"
        length = environ.get("CONTENT_LENGTH", "")
        environ["wsgi.input"] = Body(environ["wsgi.input"], int(length) if length.isdecimal() else None, waiting)
        response = Response(unsendable)
        with slots:
            result = application(environ, response)
            whole = response.status and type(result) in (list, tuple)
            parts = None if whole else _begin(response, result, slots)
            body = None if parts is None else parts.whole(response.headers)
            response.sent = True
            if parts is not None and body is not None:
                # A generator, whose first part had to be made to know the status, and is all that there is: no stream
                # has to be made. Where the status is known before, making the first part here was seen to be slower.
                _send_whole(protocol, response, parts, body, sending)
                return response.status
        if parts is None:
            protocol.response_bytes(response.status, response.headers, b"".join((*response.written, *result)))
        else:
            protocol.response_iter(response.status, response.headers, parts)
        return response.status

    return answer


def _send_whole(
    protocol: Answering, response: Response, parts: Parts, body: bytes, sending: AbstractContextManager[None]
) -> None:
    """Send the answer, then let the application come to its end; with a slot in hand."""
    try:
        with sending:
            protocol.response_bytes(response.status, response.headers, body)
        parts.exhaust()
    finally:
        parts.close_here()


def _begin(response: Response, result: Any, slots: Slots) -> Parts:
    """The parts of ``result``, of which so many are made already that ``response`` has its status."""
    first = []
    try:
        parts = iter(result)
        while not response.status:
            part = next(parts, None)
            if part is None:
                break
            first.append(part)
            if part and not response.status:
                break
        if not response.status:
            raise RuntimeError("the application answered without a call of start_response()")
    except BaseException:
        if hasattr(result, "close"):
            _close(result.close)
        raise
    return Parts([*response.written, *first], parts, result, slots)
