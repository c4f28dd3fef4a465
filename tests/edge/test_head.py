"""A request's head: what is refused, and what a worker is told of the rest."""

from __future__ import annotations

import contextlib
import struct
import time

import pytest

from tests.edge.malformed import CHUNKED_HEAD, MALFORMED, OTHERWISE_REFUSED
from tlsrun.edge.head import Heads, Request, check_part
from tlsrun.edge.limits import Limits
from tlsrun.edge.refusal import Refused

LIMITS = Limits()

# Those whose fault is in the head, not behind or before it.
_IN_HEAD = {name: data for name, data in MALFORMED.items() if not data.startswith((CHUNKED_HEAD, b"\r\n", b"\n"))}


def parse_head(head: bytes, limits: Limits) -> Request:
    """The head, read by a fresh reader."""
    return Heads(limits).read(head)


def parse(text: str | bytes) -> Request:
    """A head, its lines given with LF alone."""
    data = text.encode("latin-1") if isinstance(text, str) else text
    return parse_head(data.replace(b"\n", b"\r\n"), LIMITS)


def get(*lines: str, line: str = "GET /a HTTP/1.1", host: str = "localhost") -> Request:
    """A head with these header lines."""
    return parse("\n".join([line, f"Host: {host}", *lines]))


def variables(request: Request) -> dict[str, str]:
    """What a worker is told, read as uWSGI reads it."""
    found: dict[str, str] = {}
    data = request.variables
    while data:
        (size,) = struct.unpack_from("<H", data)
        name, data = data[2 : 2 + size], data[2 + size :]
        (size,) = struct.unpack_from("<H", data)
        value, data = data[2 : 2 + size], data[2 + size :]
        assert name.decode() not in found
        found[name.decode()] = value.decode("latin-1")
    return found


@pytest.mark.parametrize("name", _IN_HEAD)
def test_malformed(name: str) -> None:
    """A malformed head is refused with 400, whole or as far as it has come."""
    head, _, _ = _IN_HEAD[name].partition(b"\r\n\r\n")
    with pytest.raises(Refused) as refusal:
        parse_head(head, LIMITS)
    assert refusal.value.status == 400


@pytest.mark.parametrize("name", OTHERWISE_REFUSED)
def test_refused(name: str) -> None:
    """What is well formed but not served has a status of its own."""
    data, status = OTHERWISE_REFUSED[name]
    head, _, _ = data.partition(b"\r\n\r\n")
    with pytest.raises(Refused) as refusal:
        parse_head(head, LIMITS)
    assert refusal.value.status == status


@pytest.mark.parametrize(
    "part",
    [
        b"GET / HTTP/1.1\nHost: x",
        b"GET / HTTP/1.1\r\nHost: x\n",
        b"GET / HTTP/1.1\r\nHost: x\rY",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"\x16\x03\x01\r\n",
    ],
)
def test_part_refused(part: bytes) -> None:
    """What cannot become a good head is refused before it is whole."""
    with pytest.raises(Refused) as refusal:
        check_part(part, LIMITS)
    assert refusal.value.status == 400


def test_part_by_bytes() -> None:
    """A good head passes at every byte, and a bare LF is seen at the byte where it comes."""
    good = b"GET /a HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"
    for end in range(1, len(good) + 1):
        check_part(good[:end], LIMITS, end - 1)
    with pytest.raises(Refused):
        check_part(good + b"Y: z\n", LIMITS, len(good) + 4)


@pytest.mark.parametrize(
    ("part", "status"),
    [(b"G" * 8193, None), (b"G" * 8194, 414), (b"GET / HTTP/1.1\r\nX: " + b"a" * 32768, 431)],
)
def test_part_too_long(part: bytes, status: int | None) -> None:
    """A line or head that grows beyond its limit is refused before it ends, but not at the limit."""
    if status is None:
        check_part(part, LIMITS)
        return
    with pytest.raises(Refused) as refusal:
        check_part(part, LIMITS)
    assert refusal.value.status == status


def test_limits_are_exact() -> None:
    """A request line, a head and a number of headers at the limit are served."""
    line = "GET /" + "a" * (8192 - len("GET / HTTP/1.1")) + " HTTP/1.1"
    assert get(line=line)
    assert get(*["X-A: b"] * 99)
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "
    assert parse_head(head + b"a" * (32768 - len(head)), LIMITS)
    with pytest.raises(Refused):
        parse_head(head + b"a" * (32769 - len(head)), LIMITS)


def test_variables() -> None:
    """A worker is told the request as CGI variables."""
    request = get(
        "User-Agent: me", "Accept:  a/b ", "X-Odd: \xe4", "Content-Type: text/x", "Content-Length: 5",
        line="POST /a%20b/%C3%A9?q=%20&r HTTP/1.1", host="Example.org:8443",
    )  # fmt: skip
    assert variables(request) == {
        "REQUEST_METHOD": "POST",
        "REQUEST_URI": "/a%20b/%C3%A9?q=%20&r",
        "PATH_INFO": "/a b/\xc3\xa9",
        "QUERY_STRING": "q=%20&r",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "Example.org:8443",
        "CONTENT_TYPE": "text/x",
        "HTTP_USER_AGENT": "me",
        "HTTP_ACCEPT": "a/b",
        "HTTP_X_ODD": "\xe4",
    }
    assert request.length == 5


def test_repeated_headers() -> None:
    """Repeated headers are joined by commas, cookies by semicolons."""
    told = variables(get("Accept: a", "accept: b", "Cookie: c=1", "Cookie: d=2"))
    assert told["HTTP_ACCEPT"] == "a, b"
    assert told["HTTP_COOKIE"] == "c=1; d=2"


def test_hop_by_hop() -> None:
    """What belongs to the connection stays with the edge, also what Connection names."""
    told = variables(
        get(
            "Connection: keep-alive, X-Mine", "X-Mine: 1", "X-Yours: 2", "Keep-Alive: 5", "TE: trailers",
            "Upgrade: websocket", "Trailer: X", "Proxy-Connection: keep-alive",
        )
    )  # fmt: skip
    assert {name for name in told if name.startswith("HTTP_")} == {"HTTP_HOST", "HTTP_X_YOURS"}


def test_connection_cannot_drop_what_frames() -> None:
    """Connection cannot take away the Host or the length of the body."""
    request = get("Connection: host, content-length, content-type", "Content-Length: 5", "Content-Type: a/b")
    assert request.length == 5
    assert variables(request)["HTTP_HOST"] == "localhost"
    assert variables(request)["CONTENT_TYPE"] == "a/b"


@pytest.mark.parametrize(
    ("line", "connection", "keep_alive"),
    [
        ("GET / HTTP/1.1", None, True),
        ("GET / HTTP/1.1", "close", False),
        ("GET / HTTP/1.1", "Keep-Alive, Close", False),
        ("GET / HTTP/1.1", "upgrade", True),
        ("GET / HTTP/1.0", None, False),
        ("GET / HTTP/1.0", "keep-alive", True),
        ("GET / HTTP/1.0", "keep-alive, close", False),
        ("GET / HTTP/1.7", None, True),
    ],
)
def test_keep_alive(line: str, connection: str | None, keep_alive: bool) -> None:
    """Whether the connection goes on follows RFC 9112, section 9.3."""
    lines = [] if connection is None else [f"Connection: {connection}"]
    assert get(*lines, line=line).keep_alive is keep_alive


def test_http10_needs_no_host() -> None:
    """HTTP/1.0 is served without a Host, and says so."""
    told = variables(parse("GET /a HTTP/1.0"))
    assert told["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert "HTTP_HOST" not in told


@pytest.mark.parametrize(
    ("target", "uri", "path", "query"),
    [
        ("http://other:81/a?b", "/a?b", "/a", "b"),
        ("HTTPS://other", "/", "/", ""),
        ("https://other?b=c", "/?b=c", "/", "b=c"),
        ("https://other//a", "//a", "//a", ""),
    ],
)
def test_absolute_form(target: str, uri: str, path: str, query: str) -> None:
    """A target with a host of its own is served as its path, and its host goes before Host (RFC 9112, 3.2.2)."""
    told = variables(get(line=f"GET {target} HTTP/1.1"))
    assert (told["REQUEST_URI"], told["PATH_INFO"], told["QUERY_STRING"]) == (uri, path, query)
    assert told["HTTP_HOST"].startswith("other")


def test_other_targets() -> None:
    """OPTIONS * is handed on; slashes, dots, stray percent signs and odd characters are left alone."""
    assert variables(get(line="OPTIONS * HTTP/1.1"))["PATH_INFO"] == "*"
    told = variables(get(line='GET //a/../%2e/%zz|{}"? HTTP/1.1'))
    assert told["PATH_INFO"] == '//a/.././%zz|{}"'
    assert told["REQUEST_URI"] == '//a/../%2e/%zz|{}"?'


@pytest.mark.parametrize("host", ["localhost", "[::1]", "[::1]:8443", "1.2.3.4:1", "a-b.c_d.example.", "x:"])
def test_hosts(host: str) -> None:
    """Names and addresses, with a port or without, are good Hosts."""
    assert variables(get(host=host))["HTTP_HOST"] == host


def test_expect() -> None:
    """100-continue counts for requests with a body in HTTP/1.1 only."""
    assert get("Expect: 100-Continue", "Content-Length: 5").expects
    assert get("Expect: 100-continue", "Transfer-Encoding: Chunked").expects
    assert not get("Expect: 100-continue").expects
    assert not get("Expect: 100-continue", "Content-Length: 5", line="POST / HTTP/1.0").expects


def test_parsing_takes_linear_time() -> None:
    """No head of the largest size takes long, whatever is in it."""
    for filler in (b"a", b" ", b"\t", b":", b",", b"%", b"a,", b"a:"):
        head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: "
        head += filler * ((32768 - len(head)) // len(filler))
        began = time.process_time()
        with contextlib.suppress(Refused):
            parse_head(head, LIMITS)
        assert time.process_time() - began < 0.5


def test_remembered_headers() -> None:
    """Header lines that are the same as before are read once, and mean the same; others are read anew."""
    heads = Heads(LIMITS)
    lines = b"\r\nHost: x\r\nX-A: b"
    first = heads.read(b"GET /a HTTP/1.1" + lines)
    for line, block in (
        (b"GET /b HTTP/1.1", lines), (b"POST /c HTTP/1.1", lines + b"\r\nContent-Length: 5"),
        (b"GET /d HTTP/1.0", lines), (b"GET /e HTTP/1.1", b"\r\nHost: y"), (b"GET /a HTTP/1.1", lines),
    ):  # fmt: skip
        assert heads.read(line + block) == parse_head(line + block, LIMITS)
    assert heads.read(b"GET /a HTTP/1.1" + lines) == first
    with pytest.raises(Refused):
        heads.read(b"GET /a HTTP/1.1")
    chunked = b"\r\nHost: x\r\nTransfer-Encoding: chunked"
    assert heads.read(b"POST /a HTTP/1.1" + chunked).chunked
    with pytest.raises(Refused):
        heads.read(b"POST /a HTTP/1.0" + chunked)
