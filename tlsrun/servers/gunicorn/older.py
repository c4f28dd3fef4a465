"""Refuse under gunicorn 25 and 26 what 27 refuses of a request; under 27 and later nothing is done here.

- A chunk's line that never ends, or has a bare LF in it (RFC 9112, 7.1.1), which some proxies take for its end;
  trailers without end. Both were kept in memory, and searched again with every read.
- A head whose lines end in a bare LF: they wait for its end in the thread. So the loop does, and no thread.
- Two Host or Content-Type fields (RFC 9110, 5.3), of which 25 took the last one.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import gunicorn
from gunicorn.http import errors, message
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import InvalidChunkSize, InvalidHeader, NoMoreData

from tlsrun.connections.request_socket import RequestSocket

#: Most bytes in a chunk's line, and in all trailers together.
_LINE, _TRAILERS = 4096, 65536
_SINGLE = ("HOST", "CONTENT-TYPE")

#: Whether the installed gunicorn is older than 27.
IS_OLDER: bool = gunicorn.version_info[0] < 27
#: gunicorn 25.0 has none of its own for this.
InvalidChunkExtension: type[Exception] = getattr(errors, "InvalidChunkExtension", InvalidChunkSize)


class BoundedChunks(ChunkedReader):  # type: ignore[misc]  # gunicorn ships no types
    """A chunked body, with limits on the length of its chunk lines and trailers."""

    def parse_chunk_size(self, unreader: Any, data: bytes | None = None) -> Any:
        """As gunicorn's; reads the line itself before that looks at it."""
        line = bytearray(data or b"")
        while (end := line.find(b"\r\n")) < 0 and b"\n" not in line and len(line) <= _LINE:
            line += self._more(unreader)
        if b"\n" in line[: max(0, end)] or (end < 0 and b"\n" in line):
            raise InvalidChunkExtension("bare LF not allowed")
        if end < 0 or end > _LINE:
            raise InvalidChunkSize(b"a line of more than %d bytes" % _LINE)
        return super().parse_chunk_size(unreader, bytes(line))

    def get_data(self, unreader: Any, buf: Any) -> None:
        """As gunicorn's, with a limit on the trailers."""
        if buf.tell() > _TRAILERS:
            raise InvalidHeader(f"trailers of more than {_TRAILERS} bytes")
        buf.write(self._more(unreader))

    def _more(self, unreader: Any) -> bytes:
        data: bytes = unreader.read()
        if not data:
            raise NoMoreData()
        return data


def make_stricter() -> None:
    """Make the installed gunicorn read bodies this way; call it in this process before it serves."""
    if IS_OLDER:
        message.ChunkedReader = BoundedChunks
        RequestSocket.refuses_bare_lf = False


def refuse_doubled(request: Any) -> None:
    """Refuse a field that is repeated but may occur only once.

    Raises:
        InvalidHeader: gunicorn answers 400.
    """
    if IS_OLDER:
        counted = Counter(name for name, _ in request.headers if name in _SINGLE)
        for name, times in counted.items():
            if times > 1:
                raise InvalidHeader(name, req=request)
