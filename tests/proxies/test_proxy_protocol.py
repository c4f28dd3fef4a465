"""The PROXY protocol: whole headers are read, byte by byte if need be; what is none is refused at sight."""

from __future__ import annotations

import struct

import pytest

from tlsrun.proxies.proxy_protocol import SIGNATURE, Malformed, ProxyHeader, parse


def v2(family: int, body: bytes, *, command: int = 0x21) -> bytes:
    """A header of version 2."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


IPV4 = bytes((192, 0, 2, 7, 127, 0, 0, 1)) + struct.pack("!HH", 4711, 443)
IPV6 = bytes.fromhex("20010db8000000000000000000000007" + "0" * 31 + "1") + struct.pack("!HH", 4711, 443)
#: A field behind the addresses: PP2_TYPE_SSL.
TLV = b"\x20\0\x05\x01\0\0\0\0"

GOOD = [
    (b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n", ("192.0.2.7", 4711)),
    (b"PROXY TCP6 2001:DB8::7 ::1 4711 443\r\n", ("2001:db8::7", 4711)),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", ("192.0.2.7", 1)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN what ever it says\r\n", None),
    (v2(0x11, IPV4), ("192.0.2.7", 4711)),
    (v2(0x11, IPV4 + TLV), ("192.0.2.7", 4711)),
    (v2(0x21, IPV6), ("2001:db8::7", 4711)),
    (v2(0x31, bytes(216)), None),
    (v2(0x00, b""), None),
    (v2(0x00, b"", command=0x20), None),
    (v2(0x11, IPV4, command=0x20), None),
]


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_a_header(header: bytes, source: tuple[str, int] | None) -> None:
    """Its source and its size; nothing behind it is looked at, and no part of it is taken for the whole."""
    assert parse(header + b"\x16\x03\x01") == ProxyHeader(size=len(header), source=source)
    assert all(parse(header[:end]) is None for end in range(len(header)))


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\0",  # a ClientHello without one
        b"GET / HTTP/1.1\r\n",
        b"proxy TCP4 192.0.2.7 127.0.0.1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.7 127.0.0.1 4711\r\n",
        b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 443 \r\n",
        b"PROXY TCP4 192.0.2.256 127.0.0.1 4711 443\r\n",
        b"PROXY TCP4 2001:db8::7 ::1 4711 443\r\n",
        b"PROXY TCP6 192.0.2.7 127.0.0.1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.7 127.0.0.1 65536 443\r\n",
        b"PROXY TCP4 192.0.2.7 127.0.0.1 -1 443\r\n",
        b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\n",
        b"PROXY UNKNOWN\n",
        b"PROXY " + b"A" * 120,
        SIGNATURE + b"\x11\x11\0\x0c" + IPV4,  # version 1 in the binary form
        v2(0x11, IPV4, command=0x22),
        v2(0x12, IPV4),  # UDP
        v2(0x11, IPV4[:11]),
        v2(0x21, IPV4),
        v2(0x31, IPV6),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_no_header(data: bytes) -> None:
    """Refused, with words for the log that hold no bytes a terminal could take amiss."""
    with pytest.raises(Malformed) as raised:
        parse(data)
    assert str(raised.value).isprintable()
