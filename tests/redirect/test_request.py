"""Request heads at the plain-HTTP port: what is understood, and what is refused."""

from __future__ import annotations

import pytest

from tlsrun.http1.inbox import Inbox
from tlsrun.http1.refusal import Refused
from tlsrun.redirect.request import LIMITS, Request, is_hopeless, request_of


def parse(data: bytes) -> Request:
    """What the redirect port makes of a request."""
    inbox = Inbox(LIMITS)
    inbox.put(data)
    head = inbox.next_head()
    assert head is not None
    return request_of(head)


def head(line: str, *fields: str) -> bytes:
    return "\r\n".join([line, *fields, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("example.org", "example.org"), ("EXAMPLE.org", "example.org"), ("example.org:80", "example.org"),
     ("example.org:", "example.org"), ("example.org.", "example.org"), (" example.org\t", "example.org"),
     ("127.0.0.1:8080", "127.0.0.1"), ("[::1]", "::1"), ("[::1]:80", "::1"), ("[0:0:0:0:0:0:0:1]", "::1"),
     ("[2001:DB8::A]", "2001:db8::a"), ("a", "a"), ("my_host", "my_host")],
)  # fmt: skip
def test_host_is_normal(host: str, expected: str) -> None:
    """The host comes without port, brackets, capitals and the root's dot."""
    assert parse(head("GET / HTTP/1.1", f"Host: {host}")) == Request(method="GET", host=expected, path="/")


@pytest.mark.parametrize(
    "host",
    ["", "user@example.org", "user:pw@example.org", "example.org:99999", "example.org:123456",
     "example.org:-1", "example.org:80:80", "example.org/evil", "example.org?", "example.org#",
     "exa mple.org", "example.org, b.org", "*.example.org", "[::1", "::1", "[::1]evil", "[evil]",
     "[::1%eth0]", "[:::]", "-a", "bücher.example",
     "evil.org\\@example.org", "x" * 256, "example.org\x00", "example.org\x7f", "http://example.org", "<b>"],
)  # fmt: skip
def test_bad_host_is_malformed(host: str) -> None:
    """A Host header that names no host, or more than one, is refused in words."""
    with pytest.raises(Refused):
        parse(head("GET / HTTP/1.1", f"Host: {host}"))


@pytest.mark.parametrize(
    ("target", "expected"),
    [("/a?b=c&d", "/a?b=c&d"), ("//evil.org/x", "//evil.org/x"), ("/%0d%0aX:y", "/%0d%0aX:y"),
     ("/\\evil.org", "/\\evil.org"), ("/?q=http://x", "/?q=http://x"),
     ("http://example.org", "/"), ("http://example.org?x", "/?x"), ("HTTP://example.org:80/y?z", "/y?z")],
)  # fmt: skip
def test_path_is_kept(target: str, expected: str) -> None:
    """The path stays as it was sent."""
    assert parse(head(f"GET {target} HTTP/1.1", "Host: example.org")).path == expected


def test_absolute_form_goes_before_host() -> None:
    """The host of an absolute target counts, not the Host header's."""
    assert parse(head("GET http://b.org/x HTTP/1.1", "Host: a.org")).host == "b.org"


@pytest.mark.parametrize(
    "line",
    ["GET  / HTTP/1.1", "GET /a b HTTP/1.1", "GET /a\tb HTTP/1.1", "GET /a\rb HTTP/1.1", "GET /\x00 HTTP/1.1",
     "GET /\x7f HTTP/1.1", "GET /#x HTTP/1.1", "GET / HTTP/2.0", "PRI * HTTP/2.0", "GET / http/1.1", "GET /",
     " GET / HTTP/1.1", "G(T / HTTP/1.1", "GET / HTTP/1.1 ", "OPTIONS * HTTP/1.1", "GET /b\xc3\xbccher HTTP/1.1",
     "CONNECT a.org:443 HTTP/1.1", "GET a.org HTTP/1.1", "GET ftp://a.org/ HTTP/1.1",
     "GET javascript:x HTTP/1.1", "GET http:///x HTTP/1.1",
     "GET http://u@a.org/ HTTP/1.1", "GET http://a.org\\@b.org/ HTTP/1.1", "GET http://a.org:x/ HTTP/1.1"],
)  # fmt: skip
def test_bad_request_line_is_malformed(line: str) -> None:
    """What RFC 9112 does not allow in a request line, and what is no request to a server, is refused."""
    with pytest.raises(Refused):
        parse(head(line, "Host: a.org"))


@pytest.mark.parametrize(
    "fields",
    [[], ["Host: a.org", "Host: a.org"], ["Host: a.org", "host: b.org"], ["Host : a.org"],
     ["Host: a.org", " folded"], ["Host: a.org", "X: a\rb"], ["Host: a.org", "X: \x00"],
     ["Host: a.org", "nonsense"], ["Host: a.org", ": x"], ["Host: a\r.org"]],
)  # fmt: skip
def test_bad_fields_are_malformed(fields: list[str]) -> None:
    """No Host or two of them, white space before a colon, folded lines and control characters are refused."""
    with pytest.raises(Refused):
        parse(head("GET / HTTP/1.1", *fields))


def test_http_1_0_may_name_no_host() -> None:
    """An HTTP/1.0 request without Host is valid, and has none."""
    assert parse(head("GET / HTTP/1.0")).host is None


def test_https_target_is_misdirected() -> None:
    """An https resource is never served over plain HTTP."""
    with pytest.raises(Refused) as refusal:
        parse(head("GET https://a.org/ HTTP/1.1", "Host: a.org"))
    assert refusal.value.status == 421


def test_bare_line_feeds_are_refused() -> None:
    """As by every server of ours: not all parsers end a line there."""
    with pytest.raises(Refused) as refusal:
        parse(b"GET /x HTTP/1.1\nHost: a.org\n\n")
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"\x80\x2e\x01", b"\x00", b"SSH-2.0-x\r\n", b"hello world\r\n",
     b"GET /\r\n", b"<html>", b"\xff\xfb", b" GET", b"x" * 25, b"EHLO x\r\n", b"\n"],
)  # fmt: skip
def test_noise_is_hopeless(data: bytes) -> None:
    """TLS, other protocols and noise are known by their first bytes or line."""
    assert is_hopeless(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"G", b"GET", b"GET ", b"GET /x HT", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\r\nHo",
     b"VERSION-CONTROL /", b"get / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     b"GET /a b HTTP/1.1\r\n"],
)  # fmt: skip
def test_http_is_not_hopeless(data: bytes) -> None:
    """What may still become a request, or deserves an answer in words, is waited for."""
    assert not is_hopeless(data)
