"""One response: from the application (PEP 3333), framed for the client (RFC 9112, section 6)."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TypeAlias

from tlsrun.http1.framing import HOP_BY_HOP, Unfinished, content_length
from tlsrun.http1.head import Head

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType]

_STATUS = re.compile(r"([1-5][0-9][0-9])(?: ([\t -~\x80-\xff]*))?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")

_OURS, _LENGTH, _COMMON = "ours", "content-length", ("server", "date")

_JOINED = 65536  # bytes of body up to which it is sent in one write with the head


class BuiltinResponse:
    """A response on its way to the client.

    Arguments:
        head: the request's head.
        send: writes bytes to the client.
        common: returns the server's own headers (Server, Date); each is omitted if the application sets it.
        may_keep: whether the connection may stay open after this response; called once, when the head is written.

    Attributes:
        status: the status code; 0 until start_response() is called.
        size: bytes of the body sent so far.
        begun: the head was sent, so it is too late for an error response.
        done: the whole response was sent.
        keeps: the connection stays open after this response.
    """

    def __init__(
        self,
        head: Head,
        send: Callable[[bytes], None],
        *,
        common: Callable[[], Iterable[tuple[str, str]]],
        may_keep: Callable[[], bool],
    ) -> None:
        self._request = head
        self._send = send
        self._common = common
        self._may_keep = may_keep
        self._line = ""
        self._fields: list[tuple[str, str, str | None]] | None = None
        self._lines: list[str] = []
        self._said: set[str] = set()
        self._announced: int | None = None
        self._chunks = False
        self._bodyless = False
        self._single = False
        self.status = 0
        self.size = 0
        self.begun = False
        self.done = False
        self.keeps = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """The callable that PEP 3333 describes.

        Raises:
            ValueError: status or headers are invalid.
            AssertionError: it was called a second time without ``exc_info``.
        """
        try:
            if exc_info is not None:
                if self.begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            elif self._fields is not None:
                raise AssertionError("start_response() was called twice, without exc_info")
        finally:
            exc_info = None  # avoid a reference cycle: the traceback refers to this frame
        self.status, self._line = _code(status), status
        self._fields = [(name, value, _own(name)) for name, value in headers]
        for name, value, own in self._fields:
            if own is None or _VALUE.fullmatch(value) is None:
                raise ValueError(f"no HTTP header: {name!r}: {value!r}")
        return self.write

    def take(self, result: Iterable[bytes]) -> None:
        """Send all of what the application returned. The caller must call its ``close()``.

        Raises:
            Unfinished: the body is shorter than its Content-Length.
        """
        try:
            self._single = len(result) == 1  # type: ignore[arg-type]
        except TypeError:
            self._single = False
        for data in result:
            self.write(data)
        self._finish()
        self.done = True

    def write(self, data: bytes) -> None:
        """Send a part of the body; the head is sent with the first part that is not empty.

        Raises:
            AssertionError: start_response() was not called before.
            TypeError: ``data`` is not bytes.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"the application must return bytes, not {type(data).__name__}")
        if self._fields is None:
            raise AssertionError("the application must call start_response() before it sends a body")
        if not data:
            return
        if self.begun:
            framed = self._framed(data)
            if framed:
                self._send(framed)
            return
        self._frame(len(data) if self._single else None)
        head, body = self._head(), self._framed(data)
        self.begun = True
        if len(body) <= _JOINED:
            self._send(head + body)
        else:
            self._send(head)
            self._send(body)

    def _finish(self) -> None:
        if self._fields is None:
            raise AssertionError("the application must call start_response()")
        if not self.begun:
            self._frame(0)
            self.begun = True
            self._send(self._head())
        if self._bodyless:
            return
        if self._chunks:
            self._send(b"0\r\n\r\n")
        elif self._announced is not None and self.size < self._announced:
            raise Unfinished(self._announced, self.size)

    def _frame(self, known: int | None) -> None:
        """Decide how the client recognizes the end of the body.

        Arguments:
            known: length of the whole body; None if unknown.
        """
        assert self._fields is not None  # noqa: S101 -- for the type checker; both callers looked
        request, status = self._request, self.status
        empty = status < 200 or status == 204
        lines = self._lines = []
        lengths = []
        closes = False
        for name, value, own in self._fields:
            if own == _LENGTH:
                lengths.append(value.encode("latin-1"))
                if empty:
                    continue
            elif own == _OURS:
                closes = closes or (name.lower() == "connection" and "close" in value.lower())
                continue
            elif own:
                self._said.add(own)
            lines.append(f"{name}: {value}")
        if empty:
            pass
        elif lengths:
            self._announced = content_length(lengths)
        elif status != 304 and known is not None and not (request.method == b"HEAD" and known == 0):
            self._announced = known
            lines.append(f"Content-Length: {known}")
        self._bodyless = empty or status == 304 or request.method == b"HEAD"
        unknown = not self._bodyless and self._announced is None
        self._chunks = unknown and not request.http10
        until_close = unknown and not self._chunks
        if self._chunks:
            lines.append("Transfer-Encoding: chunked")
        self.keeps = request.keep_alive and not closes and not until_close and self._may_keep()

    def _head(self) -> bytes:
        lines = [f"HTTP/1.1 {self._line}", *self._lines]
        for name, value in self._common():
            if _own(name) not in self._said:
                lines.append(f"{name}: {value}")
        if not self.keeps:
            lines.append("Connection: close")
        elif self._request.http10:
            lines.append("Connection: keep-alive")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _framed(self, data: bytes) -> bytes:
        if self._bodyless:
            return b""
        if self._chunks:
            self.size += len(data)
            return b"%x\r\n%b\r\n" % (len(data), data)
        if self._announced is not None and self.size + len(data) > self._announced:
            # The client would take the excess for the beginning of the next response.
            data = data[: self._announced - self.size]
            self.keeps = False
        self.size += len(data)
        return data


@functools.lru_cache(maxsize=256)
def _code(status: str) -> int:
    match = _STATUS.fullmatch(status)
    if match is None:
        raise ValueError(f"no HTTP status: {status!r}")
    return int(match[1])


@functools.lru_cache(maxsize=512)
def _own(name: str) -> str | None:
    """How to treat a header: `_OURS`, its lower-case name if it is special, "" if not; None if the name is invalid."""
    if _NAME.fullmatch(name) is None:
        return None
    lower = name.lower()
    if lower in HOP_BY_HOP:
        return _OURS
    return lower if lower in (_LENGTH, *_COMMON) else ""
