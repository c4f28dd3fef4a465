"""A ClientHello for any version up to TLS 1.2, built by hand, and a parser for the server's first flight.

OpenSSL cannot offer what is probed here: old versions and weak suites are compiled out or disabled by its security
level. Up to TLS 1.2 the first flight is not encrypted (RFC 5246, section 7.4).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tlsrun.check.live.target import Deadline, ProbeTarget

#: Version -> its number on the wire.
VERSIONS = {"SSL 3.0": 0x0300, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302, "TLS 1.2": 0x0303}

_HANDSHAKE, _ALERT = 22, 21
_SERVER_HELLO, _CERTIFICATE, _CERTIFICATE_REQUEST, _DONE = 2, 11, 13, 14
_LONGEST_FLIGHT = 256 * 1024

_GROUPS = (29, 23, 24, 25)  # X25519, P-256, P-384, P-521
_SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0807, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201)


@dataclass(frozen=True, kw_only=True)
class Flight:
    """A server's first flight, by which it accepts a ClientHello.

    Arguments:
        version: its number on the wire.
        suite: the number of the chosen suite.
        certificates: as sent, in DER.
        asks: whether the server requests a client certificate.
    """

    version: int
    suite: int
    certificates: tuple[bytes, ...] = ()
    asks: bool = False


def ask(target: ProbeTarget, version: str, suites: Iterable[int], deadline: Deadline) -> Flight | None:
    """Offer a server one version and some suites.

    Returns:
        its first flight; None if it refuses, or chooses another version than the one offered.

    Raises:
        OSError: no connection can be made.
    """
    number = VERSIONS[version]
    with socket.create_connection(target.connect_to, timeout=deadline.left) as plain:
        try:
            plain.sendall(client_hello(number, tuple(suites), None if target.is_address else target.host))
            flight = read_flight(_Reader(plain, deadline))
        except (OSError, ValueError):
            return None
    return flight if flight is not None and flight.version == number else None


def client_hello(version: int, suites: tuple[int, ...], name: str | None) -> bytes:
    """A record with a ClientHello (RFC 5246, section 7.4.1.2).

    Arguments:
        version: its number on the wire.
        suites: the numbers of the suites to offer.
        name: the host name for SNI; None for no SNI.
    """
    body = struct.pack(">H", version) + os.urandom(32) + b"\0"
    body += _sized(2, b"".join(struct.pack(">H", suite) for suite in (*suites, 0x00FF))) + b"\1\0"
    if version > VERSIONS["SSL 3.0"]:
        body += _sized(2, b"".join(_extensions(version, name)))
    message = b"\1" + _sized(3, body)
    return struct.pack(">BH", _HANDSHAKE, min(version, 0x0301)) + _sized(2, message)


def _extensions(version: int, name: str | None) -> Iterator[bytes]:
    if name is not None:
        yield _extension(0, _sized(2, b"\0" + _sized(2, name.encode("idna"))))
    yield _extension(10, _sized(2, b"".join(struct.pack(">H", group) for group in _GROUPS)))
    yield _extension(11, _sized(1, b"\0"))
    if version == VERSIONS["TLS 1.2"]:
        yield _extension(13, _sized(2, b"".join(struct.pack(">H", one) for one in _SIGNATURES)))


def _extension(number: int, content: bytes) -> bytes:
    return struct.pack(">H", number) + _sized(2, content)


def _sized(octets: int, content: bytes) -> bytes:
    """``content``, preceded by its length."""
    return len(content).to_bytes(octets, "big") + content


class _Reader:
    """Reads the bytes that a server sends, until a deadline."""

    def __init__(self, plain: socket.socket, deadline: Deadline) -> None:
        self._plain = plain
        self._deadline = deadline
        self._total = 0

    def exactly(self, count: int) -> bytes:
        """Read ``count`` bytes.

        Raises:
            OSError: the connection ends before, or the deadline passes.
            ValueError: the flight is too long.
        """
        data = bytearray()
        self._total += count
        if self._total > _LONGEST_FLIGHT:
            raise ValueError("too long")
        while len(data) < count:
            self._plain.settimeout(self._deadline.left)
            part = self._plain.recv(count - len(data))
            if not part:
                raise ConnectionResetError("closed")
            data += part
        return bytes(data)


def read_flight(reader: _Reader) -> Flight | None:
    """Read the first flight up to ServerHelloDone; None if an alert comes instead.

    A server may fail after its ServerHello, so that one alone proves nothing.

    Raises:
        OSError: the connection ends.
        ValueError: it is not TLS.
    """
    version = suite = -1
    certificates: tuple[bytes, ...] = ()
    asks = False
    for kind, body in _messages(reader):
        if kind == _SERVER_HELLO:
            version = int.from_bytes(body[:2], "big")
            start = 35 + body[34]
            suite = int.from_bytes(body[start : start + 2], "big")
        elif kind == _CERTIFICATE:
            certificates = tuple(_certificates(body))
        elif kind == _CERTIFICATE_REQUEST:
            asks = True
        elif kind == _DONE:
            return Flight(version=version, suite=suite, certificates=certificates, asks=asks)
    return None


def _messages(reader: _Reader) -> Iterator[tuple[int, bytes]]:
    """Handshake messages, assembled from records, up to a fatal alert."""
    data = b""
    while True:
        kind, _, length = struct.unpack(">BHH", reader.exactly(5))
        content = reader.exactly(length)
        if kind == _ALERT:
            if content[:1] == b"\1":  # a warning, as "unrecognized name"
                continue
            return
        if kind != _HANDSHAKE:
            raise ValueError("no TLS handshake")
        data += content
        while len(data) >= 4 and len(data) >= 4 + (size := int.from_bytes(data[1:4], "big")):
            yield data[0], data[4 : 4 + size]
            data = data[4 + size :]


def _certificates(body: bytes) -> Iterator[bytes]:
    rest = body[3:]
    while len(rest) >= 3:
        size = int.from_bytes(rest[:3], "big")
        yield rest[3 : 3 + size]
        rest = rest[3 + size :]
