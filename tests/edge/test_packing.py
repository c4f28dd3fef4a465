"""What a worker is told of a request."""

from __future__ import annotations

import struct

import pytest

from tlsrun.edge.packing import Packing
from tlsrun.http1.head import Head, parse_head


def parse(text: str) -> Head:
    """A head, its lines given with LF alone."""
    return parse_head(text.encode("latin-1").replace(b"\n", b"\r\n"))


def get(*lines: str, line: str = "GET /a HTTP/1.1", host: str = "localhost") -> Head:
    """A head with these header lines."""
    return parse("\n".join([line, f"Host: {host}", *lines]))


def variables(head: Head, packing: Packing | None = None) -> dict[str, str]:
    """What a worker is told, read as uWSGI reads it."""
    found: dict[str, str] = {}
    data = (packing or Packing()).variables(head)
    while data:
        (size,) = struct.unpack_from("<H", data)
        name, data = data[2 : 2 + size], data[2 + size :]
        (size,) = struct.unpack_from("<H", data)
        value, data = data[2 : 2 + size], data[2 + size :]
        assert name.decode() not in found
        found[name.decode()] = value.decode("latin-1")
    return found


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


def test_lines_that_come_again() -> None:
    """Header lines that are the same as before mean the same; others, and another client's rights, are packed anew."""
    packing = Packing()
    first, second = get("X-A: b"), get("X-A: c")
    for head in (first, first, second, first):
        assert variables(head, packing) == variables(head)
    told = get("X-Forwarded-For: 192.0.2.1")
    assert "HTTP_X_FORWARDED_FOR" not in variables(told, packing)
    assert variables(told, Packing(trusted=True))["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"
