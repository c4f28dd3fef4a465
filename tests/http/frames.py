"""HTTP/2 by hand, for clients that no library would be (RFC 9113)."""

from __future__ import annotations

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, PING = 1, 4, 6
_END_HEADERS, _END_STREAM = 4, 1


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """One frame (section 4.1)."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def http_2_hello() -> bytes:
    """What a client sends first."""
    return PREFACE + frame(SETTINGS)


def http_2_get(path: str, port: int) -> bytes:
    """A connection's first bytes, with a request on stream 1; header names from HPACK's table, values as they are."""
    authority = f"localhost:{port}".encode()
    # RFC 7541, appendix A: 2 is GET, 7 is https, 4 the name :path, 1 the name :authority.
    fields = b"\x82\x87" + b"\x04" + _text(path.encode()) + b"\x01" + _text(authority)
    return http_2_hello() + frame(HEADERS, fields, flags=_END_HEADERS | _END_STREAM, stream=1)


def _text(value: bytes) -> bytes:
    return bytes([len(value)]) + value
