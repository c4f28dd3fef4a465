"""The PROXY protocol, versions 1 and 2: the first bytes of a connection in, the client's address out. Pure.

HAProxy's doc/proxy-protocol.txt. The header comes before the first byte of TLS. An incomplete one is read on; bytes
that cannot become a header are refused at the first wrong one. Version 2's extra fields (TLVs) are ignored: what they
say about TLS concerns another connection than the one that we terminate. Written by hand, as no library for it is
maintained.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from dataclasses import dataclass

from tlsrun.proxies.peers import address

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V1 = b"PROXY "
_V1_MOST = 107  # bytes, section 2.1
#: Bytes after the first 16 of version 2: addresses, and TLVs up to a client certificate.
_V2_MOST = 16384

# Compiled when the first header comes, as most servers see none.
_V1_LINE = rb"PROXY (?:UNKNOWN(?: [!-~ ]*)?|(TCP[46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) ([0-9]{1,5}) ([0-9]{1,5}))"

#: Family and transport -> layout of addresses and ports; stream sockets only (section 2.2).
_ADDRESSES = {0x11: struct.Struct("!4s4sHH"), 0x21: struct.Struct("!16s16sHH"), 0x31: struct.Struct("!108s108s")}


class Malformed(ValueError):
    """The bytes are not a PROXY header; the text says so for the log."""


@dataclass(frozen=True, kw_only=True)
class ProxyHeader:
    """A parsed header.

    Arguments:
        size: its length in bytes; the connection proper begins after it.
        source: the client's address and port; None if the proxy speaks for itself (a health check) or gives none.
    """

    size: int
    source: tuple[str, int] | None


def parse(data: bytes) -> ProxyHeader | None:
    """Parse the beginning of a connection.

    Returns:
        None as long as the header is incomplete: all the bytes belong to it.

    Raises:
        Malformed: the bytes are not a header and cannot become one.
    """
    if data.startswith(SIGNATURE):
        return _parse_v2(data)
    if data.startswith(_V1):
        return _parse_v1(data)
    if SIGNATURE.startswith(data) or _V1.startswith(data):
        return None
    raise Malformed(f"no PROXY header, though it is a trusted proxy's connection (it began with {data[:8].hex(' ')})")


def _parse_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _V1_MOST)
    if end < 0:
        if len(data) >= _V1_MOST or b"\n" in data:
            raise Malformed("a PROXY header (version 1) that does not end")
        return None
    match = re.fullmatch(_V1_LINE, data[:end])
    if match is None:
        raise Malformed("a malformed PROXY header (version 1)")
    if match[1] is None:
        return ProxyHeader(size=end + 2, source=None)
    family, source, destination = (part.decode("ascii") for part in match.group(1, 2, 3))
    ports = int(match[4]), int(match[5])
    version = 4 if family == "TCP4" else 6
    if max(ports) > 65535 or not (_is_address(source, version) and _is_address(destination, version)):
        raise Malformed("a malformed PROXY header (version 1)")
    return ProxyHeader(size=end + 2, source=(str(address(source)), ports[0]))


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _parse_v2(data: bytes) -> ProxyHeader | None:
    if len(data) > 12 and data[12] not in (0x20, 0x21):
        raise Malformed("a PROXY header of an unknown version or command")
    if len(data) < 16:
        return None
    command, family, length = struct.unpack_from("!BBH", data, 12)
    local = command == 0x20
    if length > _V2_MOST:
        raise Malformed(f"a PROXY header of {length} bytes")
    packed = _ADDRESSES.get(family)
    if not local and family != 0 and (packed is None or length < packed.size):
        raise Malformed("a PROXY header (version 2) with addresses that are none")
    size = 16 + length
    if len(data) < size:
        return None
    if local or packed is None or family == 0x31:
        return ProxyHeader(size=size, source=None)
    source, _, port, _ = packed.unpack_from(data, 16)
    return ProxyHeader(size=size, source=(str(address(str(ipaddress.ip_address(source)))), port))
