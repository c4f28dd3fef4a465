"""Where a body ends, of a request or a response (RFC 9112, section 6.3): bytes in, parts of the body out. Pure."""

from __future__ import annotations

from collections.abc import Callable

from tlsrun.http1.chunks import Chunked


class BodyReader:
    """Takes one body from the bytes received, however they are split.

    Arguments:
        length: in bytes; None for a chunked body.
        malformed: makes the exception to raise from its message.

    Attributes:
        done: the body is complete.
        left: bytes still to come; None until the end of a chunked body.
    """

    __slots__ = ("_chunks", "done", "left")

    def __init__(self, length: int | None, malformed: Callable[[str], Exception]) -> None:
        self._chunks = Chunked(malformed) if length is None else None
        self.left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Take what was received.

        Returns:
            parts of the body, and what follows its end (empty until `done`).

        Raises:
            what ``malformed`` makes: the chunks are malformed, and nothing after them can be trusted.
        """
        chunks, left = self._chunks, self.left
        if chunks is not None:
            pieces, rest = chunks.feed(data)
            if chunks.done:
                self.done, self.left = True, 0
            return pieces, rest
        assert left is not None  # noqa: S101 -- for the type checker: only chunks leave it open
        size, rest = len(data), b""
        if size >= left:
            self.done = True
            if size > left:
                size, rest, data = left, data[left:], data[:left]
        self.left = left - size
        return [data] if size else [], rest
