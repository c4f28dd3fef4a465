"""Parses handshake messages: the name in a ClientHello, the certificates in a Certificate message.

Each begins with its type and its length in three bytes (RFC 5246, section 7.4; RFC 8446, section 4). OpenSSL may not
have examined a message yet; a malformed one raises ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator

#: The types that are examined (RFC 8446, section 4; RFC 8879, section 4).
CLIENT_HELLO, CERTIFICATE, FINISHED, COMPRESSED_CERTIFICATE = 1, 11, 20, 25

_TLS_1_3 = 0x0304
_SERVER_NAME = 0  # RFC 6066, section 3
_HOST_NAME = 0
_HEADER = 4
_RANDOM = 34  # with the version before it


class _Reader:
    """Reads the fields of a message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise ValueError("the message is too short")
        self._at += size
        return taken

    def number(self, size: int) -> int:
        """A number of ``size`` bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """A vector, preceded by its length in ``size`` bytes."""
        return self.take(self.number(size))


def server_name(hello: bytes) -> str | None:
    """The host name that a ClientHello asks for (RFC 6066, section 3); None without one.

    Arguments:
        hello: the message with its header.

    Raises:
        ValueError: it is malformed, or the name is not ASCII.
    """
    reader = _Reader(hello)
    reader.take(_HEADER + _RANDOM)
    reader.vector(1)  # the session's identifier
    reader.vector(2)  # the cipher suites
    reader.vector(1)  # the compression methods
    if not reader:
        return None
    extensions = _Reader(reader.vector(2))
    while extensions:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind != _SERVER_NAME:
            continue
        names = _Reader(_Reader(content).vector(2))
        while names:
            sort, name = names.number(1), names.vector(2)
            if sort == _HOST_NAME:
                return name.decode("ascii")
    return None


def certificates(message: bytes, version: int) -> tuple[bytes, ...]:
    """The certificates that a peer sends, in DER, its own first; may be empty.

    Arguments:
        message: the Certificate message with its header (RFC 5246, section 7.4.2; RFC 8446, section 4.4.2).
        version: the protocol version, as on the wire.

    Raises:
        ValueError: it is malformed.
    """
    reader = _Reader(message)
    reader.take(_HEADER)
    if version >= _TLS_1_3:
        reader.vector(1)  # the request's context
    return tuple(_entries(_Reader(reader.vector(3)), with_extensions=version >= _TLS_1_3))


def _entries(reader: _Reader, *, with_extensions: bool) -> Iterator[bytes]:
    while reader:
        yield reader.vector(3)
        if with_extensions:
            reader.vector(2)
