"""A worker's response: parsed strictly, and framed anew for the client. Bytes in, bytes out."""

from __future__ import annotations

import re

from tlsrun.http1.chunks import Chunked
from tlsrun.http1.fields import TOKEN
from tlsrun.http1.framing import HOP_BY_HOP
from tlsrun.http1.head import Head

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")
_CONTROLS = bytes(set(range(32)) - {0x09, 0x0A, 0x0D}) + b"\x7f"
_LARGEST_HEAD = 131072

_PASS, _DROP, _LENGTH, _DATE, _CODING = range(5)
_READ = {
    **dict.fromkeys((name.encode("ascii") for name in HOP_BY_HOP), _DROP),
    b"upgrade": _DROP,
    b"content-length": _LENGTH,
    b"date": _DATE,
    b"transfer-encoding": _CODING,
}


class BadAnswer(Exception):
    """What the worker sent is not a response, or only a part of one; the message says what is wrong."""


class _Names(dict[bytes, int]):
    def __missing__(self, name: bytes) -> int:
        if TOKEN.fullmatch(name) is None:
            raise BadAnswer("a header line that is not a name, a colon and a value")
        rule = _READ.get(name.lower(), _PASS)
        if len(self) < 2048:
            self[name] = rule
        return rule


_NAMES = _Names()


class _Head:
    """A worker's status line and headers; ``lines`` are those to pass on, each with its CRLF."""

    __slots__ = ("chunked", "dated", "length", "lines", "status")

    def __init__(self, status: int, lines: list[bytes]) -> None:
        self.status = status
        self.lines = lines
        self.length: int | None = None
        self.chunked = False
        self.dated = False


def _read_head(block: bytes) -> _Head:
    lines = block.split(b"\r\n")
    breaks = len(lines) - 1
    if block.count(b"\r") != breaks or block.count(b"\n") != breaks:
        raise BadAnswer("a bare CR or LF in its headers")
    if len(block.translate(None, _CONTROLS)) != len(block):
        raise BadAnswer("a control character in its headers")
    match = _STATUS.fullmatch(lines[0])
    if match is None:
        raise BadAnswer("no status line")
    status, reason = match.groups()
    head = _Head(int(status), [b"HTTP/1.1 %b %b\r\n" % (status, reason or b"")])
    del lines[0]
    for line in lines:
        name, colon, value = line.partition(b":")
        rule = _NAMES[name]
        if not colon:
            raise BadAnswer("a header line without a colon")
        if rule == _PASS:
            head.lines.append(line + b"\r\n")
        elif rule != _DROP:
            _read_line(head, rule, line, value.strip(b" \t"))
    return head


def _read_line(head: _Head, rule: int, line: bytes, value: bytes) -> None:
    if rule == _DATE:
        head.dated = True
        head.lines.append(line + b"\r\n")
    elif rule == _CODING:
        if value.lower() != b"chunked" or head.chunked:
            raise BadAnswer("a Transfer-Encoding other than chunked")
        head.chunked = True
    else:
        if not value.isdigit() or len(value) > 18 or head.length not in (None, int(value)):
            raise BadAnswer("a Content-Length that is not one number")
        head.length = int(value)


class Answer:
    """One response on its way from a worker to the client: first `take_head`, then `feed`.

    Arguments:
        request: the request that is answered.

    Attributes:
        status: 0 until the head was read.
        keep_alive: whether the client's connection may stay open; may be set to False until the head is sent.
        date: the Date header line to add.
        begun: bytes for the client were returned: it is too late for another response.
        open_ended: the body ends when the worker closes.
        done: the response is complete.
    """

    __slots__ = (
        "_chunking", "_chunks", "_head", "_left", "_read", "_request", "begun", "date", "done", "keep_alive",
        "open_ended", "status",
    )  # fmt: skip

    def __init__(self, request: Head) -> None:
        self._request = request
        self._read = b""  # the head so far
        self._head: _Head | None = None
        self._left = 0  # bytes of the body still to come, when their number is known
        self._chunks: Chunked | None = None  # the worker's own chunks
        self._chunking = False  # chunks for the client
        self.status = 0
        self.keep_alive = request.keep_alive
        self.date = b""
        self.begun = False
        self.open_ended = False
        self.done = False

    def take_head(self, data: bytes) -> bytes | None:
        """Take the first bytes from the worker; interim answers (1xx) are skipped.

        Returns:
            what follows the head; None as long as it is incomplete.

        Raises:
            BadAnswer: it is not HTTP.
        """
        if self._read:
            data = self._read + data
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0 or end > _LARGEST_HEAD:
                if len(data) > _LARGEST_HEAD:
                    raise BadAnswer(f"a head of more than {_LARGEST_HEAD} bytes")
                self._read = data
                return None
            head = _read_head(data[:end])
            data = data[end + 4 :]
            if head.status == 101:
                raise BadAnswer("101 to a client that asked for no other protocol")
            if head.status >= 200:
                break
        self._head = head
        self.status = head.status
        if self._bodyless:
            self.done = True
        elif head.chunked:
            self._chunks = Chunked(BadAnswer)
        elif head.length is None:
            self.open_ended = True
        else:
            self._left = head.length
            self.done = not self._left
        return data

    def feed(self, data: bytes, ended: bool = False) -> bytes:
        """Take bytes of the body.

        Arguments:
            data: what was received; may be empty.
            ended: the worker has closed; these are its last bytes.

        Returns:
            bytes for the client. The head comes with the first bytes of the body, not before: workers send them
            separately, the client gets them in one write (and PEP 3333 sends no head before there is a body).

        Raises:
            BadAnswer: the response broke off, or its framing is malformed.
        """
        head = self._head
        if head is None:
            raise BadAnswer("half a head" if self._read else "nothing")
        if self.done:
            return b"" if self.begun else self._opening(head)
        if self._chunks is not None:
            pieces, _ = self._chunks.feed(data)
            self.done = self._chunks.done
            data = b"".join(pieces)
        elif not self.open_ended:
            data = data[: self._left]
            self._left -= len(data)
            self.done = not self._left
        if ended and not self.done:
            if not self.open_ended:
                raise BadAnswer("less than it promised")
            self.done = True
        if self.begun:
            return self._framed(data)
        if not data and not self.done:
            return b""
        if self.done and (self.open_ended or head.chunked):  # the end has arrived as well: now the length is known
            head.length, head.chunked = len(data), False
        return self._opening(head) + self._framed(data)

    @property
    def _bodyless(self) -> bool:
        """Whether no body follows the head (RFC 9112, section 6.3)."""
        return self._request.method == b"HEAD" or self.status in (204, 304)

    def _framed(self, data: bytes) -> bytes:
        if not self._chunking:
            return data
        end = b"0\r\n\r\n" if self.done else b""
        return b"%x\r\n%b\r\n%b" % (len(data), data, end) if data else end

    def _opening(self, head: _Head) -> bytes:
        """The head for the client; decides how the body is framed."""
        self.begun = True
        lines = head.lines
        if not head.dated:
            lines.append(self.date)
        if head.length is not None and not head.chunked:
            if head.status != 204:  # RFC 9110, section 8.6
                lines.append(b"Content-Length: %d\r\n" % head.length)
        elif not self._bodyless:
            self._chunking = not self._request.http10
            if self._chunking:
                lines.append(b"Transfer-Encoding: chunked\r\n")
            else:
                self.keep_alive = False
        if not self.keep_alive:
            lines.append(b"Connection: close\r\n")
        elif self._request.http10:
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)
