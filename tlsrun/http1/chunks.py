"""Chunked bodies, read strictly (RFC 9112, section 7.1)."""

from __future__ import annotations

import re
from collections.abc import Callable

from tlsrun.http1.fields import TOKEN

# Extensions are skipped; spaces may stand before their semicolon and nowhere else.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_FIELD_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")

_LINE = 4096  # bytes of one line
_OVERHEAD = 65536  # bytes of extensions and trailers in one body

_IN_SIZE, _IN_DATA, _AFTER_DATA, _IN_TRAILER, _DONE = range(5)


class Chunked:
    """An incremental decoder of a chunked body.

    Arguments:
        malformed: makes the exception to raise, from a message.

    Attributes:
        done: the last chunk and the trailer have been read.
    """

    __slots__ = ("_left", "_line", "_malformed", "_overhead", "_state", "done")

    def __init__(self, malformed: Callable[[str], Exception]) -> None:
        self._malformed = malformed
        self._state = _IN_SIZE
        self._line = b""
        self._left = 0
        self._overhead = 0
        self.done = False

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Decode more bytes.

        Returns:
            pieces of the body, and what lies behind its end (empty until `done`).

        Raises:
            what ``malformed`` makes: the framing is broken, nothing after it can be trusted.
        """
        pieces: list[bytes] = []
        if self._line:
            data, self._line = self._line + data, b""
        at, size = 0, len(data)
        while at < size:
            if self._state == _IN_DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _AFTER_DATA
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._keep(data[at:])
                break
            line = data[at:end]
            at = end + 2
            self._take_line(line)
            if self._state == _DONE:
                self.done = True
                return pieces, data[at:]
        return pieces, b""

    def _keep(self, part: bytes) -> None:
        """Keep an incomplete line. It may end with CR, but must contain no other CR and no LF."""
        if b"\n" in part or b"\r" in part[:-1]:
            raise self._malformed("a bare CR or LF in a chunked body")
        if self._state == _AFTER_DATA and part != b"\r":
            raise self._malformed("a chunk longer than its size")
        if len(part) > _LINE:
            raise self._malformed("a line of a chunked body that does not end")
        self._line = part

    def _take_line(self, line: bytes) -> None:
        if self._state == _IN_SIZE:
            self._take_size(line)
        elif self._state == _AFTER_DATA:
            if line:
                raise self._malformed("a chunk longer than its size")
            self._state = _IN_SIZE
        elif line:
            self._skip_trailer(line)
        else:
            self._state = _DONE

    def _take_size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise self._malformed("a chunk size that is no hexadecimal number")
        self._count(len(line) - len(match[1]))
        self._left = int(match[1], 16)
        self._state = _IN_DATA if self._left else _IN_TRAILER

    def _skip_trailer(self, line: bytes) -> None:
        name, colon, value = line.partition(b":")
        if not colon or TOKEN.fullmatch(name) is None or _FIELD_VALUE.fullmatch(value) is None:
            raise self._malformed("a trailer line that is not a name, a colon and a value")
        self._count(len(line))

    def _count(self, size: int) -> None:
        """Limit the bytes that are not body (see CVE-2023-39326)."""
        self._overhead += size
        if self._overhead > _OVERHEAD or size > _LINE:
            raise self._malformed("a chunked body with too many extensions or trailers")
