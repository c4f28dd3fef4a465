"""A request's header lines, strictly by RFC 9112, section 5: bytes in, what they say out, or a refusal.

Rules: every line ends with CRLF and with nothing else; no control character but tab in values; no folded lines; a
name, a colon and a value, nothing between name and colon; a body's length is said once and in one way. Whatever two
parsers could read differently is refused, so that nobody can smuggle a request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tlsrun.edge.limits import Limits
from tlsrun.edge.names import CODING, CONNECTION, EXPECT, HOST, LENGTH, RULES, TOKEN, TYPE, Rule
from tlsrun.edge.refusal import Refused, malformed
from tlsrun.edge.variables import sized

_CONTROLS = bytes(set(range(32)) - {0x09, 0x0A, 0x0D}) + b"\x7f"

# RFC 3986, section 3.2, without user information.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]+)(?::[0-9]{0,5})?")

_COOKIE = sized(b"HTTP_COOKIE")
_CONTENT_TYPE = sized(b"CONTENT_TYPE")


@dataclass(slots=True, frozen=True, kw_only=True)
class Fields:
    """What the header lines of one request say.

    Attributes:
        host: the Host; None without one.
        length: the Content-Length; None without one.
        chunked: the body comes in chunks.
        close, keep_alive: what Connection asks for.
        expects: there is an expectation, and it is 100-continue.
        variables: those that are handed on, as they stand in a packet.
    """

    host: bytes | None
    length: int | None
    chunked: bool
    close: bool
    keep_alive: bool
    expects: bool
    variables: bytes


def parse_fields(block: bytes, limits: Limits, rules: Mapping[bytes, Rule] = RULES) -> Fields:
    """Read header lines.

    Arguments:
        rules: what becomes of each header.
        block: between the request line and the empty line, without the CRLF at both ends.

    Raises:
        Refused: 400, 417 or 431.
    """
    lines = block.split(b"\r\n") if block else []
    breaks = max(0, len(lines) - 1)
    if block.count(b"\r") != breaks or block.count(b"\n") != breaks:
        raise bare()
    if len(block.translate(None, _CONTROLS)) != len(block):
        raise malformed("a control character")
    if len(lines) > limits.headers:
        raise Refused(431, f"The request has more than {limits.headers} header lines.")
    told: dict[bytes, bytes] = {}
    read: dict[int, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise malformed("a header line without a colon")
        rule = rules[name]
        if isinstance(rule, bytes):
            value = value.strip(b" \t")
            if rule in told:
                value = told[rule] + (b"; " if rule == _COOKIE else b", ") + value
            told[rule] = value
        elif rule:
            _keep(read, rule, value.strip(b" \t"))
    return _fields(told, read, rules)


def bare() -> Refused:
    """Some parsers end a line with CR or LF alone."""
    return malformed("a line that ends with a bare CR or LF")


def check_host(host: bytes) -> None:
    """Refuse what is no host, perhaps with a port."""
    if _HOST.fullmatch(host) is None:
        raise malformed("a Host that is not a name or an address, perhaps with a port")


def _keep(read: dict[int, bytes], rule: int, value: bytes) -> None:
    """Keep a header that the edge itself reads; lists may come in several lines, the others once only."""
    if rule in read:
        if rule not in (CODING, CONNECTION):
            raise malformed("Host, Content-Length, Content-Type or Expect is there twice")
        value = read[rule] + b", " + value
    read[rule] = value


def _fields(told: dict[bytes, bytes], read: dict[int, bytes], rules: Mapping[bytes, Rule]) -> Fields:
    options = _options(read[CONNECTION], told, rules) if CONNECTION in read else []
    if TYPE in read:
        told[_CONTENT_TYPE] = read[TYPE]
    parts: list[bytes] = []
    for name, value in told.items():
        parts += (name, len(value).to_bytes(2, "little"), value)
    length, chunked = _framing(read)
    if EXPECT in read and read[EXPECT].lower() != b"100-continue":
        raise Refused(417, "The only expectation that this server knows is 100-continue.")
    if HOST in read:
        check_host(read[HOST])
    return Fields(
        host=read.get(HOST),
        length=length,
        chunked=chunked,
        close=b"close" in options,
        keep_alive=b"keep-alive" in options,
        expects=EXPECT in read,
        variables=b"".join(parts),
    )


def _options(value: bytes, told: dict[bytes, bytes], rules: Mapping[bytes, Rule]) -> list[bytes]:
    """What Connection lists; the headers that it names belong to it and go no further (RFC 9110, section 7.6.1)."""
    options = [option.strip(b" \t") for option in value.lower().split(b",")]
    for option in options:
        if option not in (b"close", b"keep-alive", b""):
            if TOKEN.fullmatch(option) is None:
                raise malformed("Connection names something that is no header")
            rule = rules[option]
            if isinstance(rule, bytes):
                told.pop(rule, None)
    return options


def _framing(read: dict[int, bytes]) -> tuple[int | None, bool]:
    """Content-Length, and whether the body is chunked (RFC 9112, section 6)."""
    if CODING in read:
        if LENGTH in read:
            raise malformed("both Content-Length and Transfer-Encoding")
        if read[CODING].lower() != b"chunked":
            raise malformed("a Transfer-Encoding other than chunked")
        return None, True
    if LENGTH not in read:
        return None, False
    value = read[LENGTH]
    # bytes.isdigit() is true for 0 to 9 alone; more digits are a size that overflows somewhere.
    if not value.isdigit() or len(value) > 18:
        raise malformed("a Content-Length that is not a number")
    return int(value), False
