"""HTTP/2 by hand, for clients that no library would be (RFC 9113)."""

from __future__ import annotations

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING = 0, 1, 3, 4, 6
#: Codes of errors (section 7).
INTERNAL_ERROR, CANCEL = 2, 8
_END_HEADERS, _END_STREAM = 4, 1


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """One frame (section 4.1)."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def http_2_hello() -> bytes:
    """What a client sends first."""
    return PREFACE + frame(SETTINGS)


def http_2_get(path: str, port: int) -> bytes:
    """A connection's first bytes, with a request on stream 1; header names from HPACK's table, values as they are."""
    return http_2_hello() + frame(HEADERS, _fields(2, path, port), flags=_END_HEADERS | _END_STREAM, stream=1)


def http_2_post(path: str, port: int, length: int | None) -> bytes:
    """A connection's first bytes, with the head of an upload on stream 1 whose body is to follow.

    Arguments:
        length: what Content-Length says of it; None leaves that out.
    """
    fields = _fields(3, path, port)
    if length is not None:
        fields += b"\x0f\x0d" + _text(b"%d" % length)  # 28 is the name content-length
    return http_2_hello() + frame(HEADERS, fields, flags=_END_HEADERS, stream=1)


def _fields(method: int, path: str, port: int) -> bytes:
    # RFC 7541, appendix A: 2 is GET, 3 is POST, 7 is https, 4 the name :path, 1 the name :authority.
    fields = bytes([0x80 | method]) + b"\x87" + b"\x04" + _text(path.encode())
    return fields + b"\x01" + _text(f"localhost:{port}".encode())


def _text(value: bytes) -> bytes:
    return bytes([len(value)]) + value
