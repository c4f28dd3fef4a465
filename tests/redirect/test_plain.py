"""Plain HTTP on the TLS port, as pure functions."""

from __future__ import annotations

import pytest

from tlsrun.http1.inbox import Inbox
from tlsrun.redirect.answer import Redirect, respond
from tlsrun.redirect.plain import MAX_HEAD, First, answer, head_is_whole, kind_of
from tlsrun.redirect.request import LIMITS
from tlsrun.wsgi.front import Front
from tlsrun.wsgi.to_https import answer as behind_a_proxy

OURS = {"example.org", "10.0.0.1", "::1"}


def ask(head: bytes) -> tuple[int, dict[str, str], str]:
    """Status, fields and body of the answer."""
    response = answer(head, OURS.__contains__)
    assert response is not None
    top, _, body = response.decode("ascii").partition("\r\n\r\n")
    status, *fields = top.split("\r\n")
    return int(status.split(" ")[1]), dict(field.split(": ", 1) for field in fields), body


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (b"", First.INCOMPLETE),
        (b"\x16", First.TLS),
        (b"\x16\x03\x01\x02\x00\x01", First.TLS),
        (b"G", First.INCOMPLETE),
        (b"GET /", First.HTTP),
        (b"OPTIONS", First.INCOMPLETE),
        (b"PRI * HTTP/2.0\r\n", First.HTTP),
        (b"SSH-2.0-", First.OTHER),
        (b"\x80\x2e\x01\x00\x02", First.OTHER),
        (b"PROXY TCP4 ", First.OTHER),
        (b"get / HTTP/1.1", First.OTHER),
        (b"\x00", First.OTHER),
    ],
)
def test_tells_by_the_first_bytes(first: bytes, kind: First) -> None:
    """TLS, HTTP and everything else are told apart, or more bytes are asked for."""
    assert kind_of(first) is kind


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 301), ("HEAD", 301), ("POST", 308), ("PUT", 308), ("DELETE", 308)]
)
def test_sends_a_person_on_to_https(method: str, status: int) -> None:
    """Our own host gets a redirect to itself, by a status that keeps the method where it matters."""
    got, fields, body = ask(f"{method} /a/b?c=d HTTP/1.1\r\nHost: Example.org:8443\r\n\r\n".encode())
    assert got == status
    assert fields["Location"] == "https://Example.org:8443/a/b?c=d"
    assert fields["Connection"] == "close"
    assert fields["Cache-Control"] == "no-store"
    assert int(fields["Content-Length"]) > 0
    assert ("https://Example.org:8443/a/b?c=d" in body) == (method != "HEAD")


@pytest.mark.parametrize(
    ("target", "host", "location"),
    [
        ("/", "10.0.0.1", "https://10.0.0.1/"),
        ("/", "[::1]:5000", "https://[::1]:5000/"),
        ("http://example.org:81/x", "10.0.0.1", "https://example.org:81/x"),
        ("http://example.org?x", "10.0.0.1", "https://example.org/?x"),
        ("//evil.test/", "example.org", "https://example.org//evil.test/"),
    ],
)
def test_takes_the_host_of_the_request(target: str, host: str, location: str) -> None:
    """The redirect keeps authority and path as they were asked for."""
    assert ask(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())[1]["Location"] == location


@pytest.mark.parametrize(
    "rest",
    [
        b"\r\n",
        b"Host: evil.test\r\n\r\n",
        b"Host: example.org\r\nHost: example.org\r\n\r\n",
        b"Host: example.org@evil.test\r\n\r\n",
        b"Host: example.org/evil\r\n\r\n",
        b"Host: \r\n\r\n",
        b"Host: example.org",
        b"Host: example.org\r\nX: " + b"x" * MAX_HEAD + b"\r\n\r\n",
    ],
)
def test_says_in_words_what_this_port_speaks(rest: bytes) -> None:
    """Without a host that we serve, or without a whole head, the answer is 400 with one sentence."""
    status, fields, body = ask(b"GET / HTTP/1.1\r\n" + rest)
    assert status == 400
    assert "Location" not in fields
    assert "https://" in body


@pytest.mark.parametrize("target", ["*", "example.org:443", "ftp://example.org/", "/\x7f", "/%0d%0a\r"])
def test_redirects_to_paths_only(target: str) -> None:
    """A target that is no path of a page is not sent on."""
    response = answer(f"GET {target} HTTP/1.1\r\nHost: example.org\r\n\r\n".encode(), OURS.__contains__)
    assert response is None or response.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "head",
    [b"", b"GET", b"GET / HTTP/2.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n", b"GET /\r\n\r\n", b"\x16\x03\x01"],
)
def test_says_nothing_to_what_is_no_http_1(head: bytes) -> None:
    """No answer at all where an HTTP/1 client would not understand it."""
    assert answer(head, OURS.__contains__) is None


def test_stops_reading_at_a_bound() -> None:
    """A head is whole at its empty line, or when it is too long to go on."""
    assert not head_is_whole(b"GET / HTTP/1.1\r\nHost: a\r\n")
    assert head_is_whole(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head_is_whole(b"x" * MAX_HEAD)


def test_one_answer_everywhere() -> None:
    """The page is the same on the TLS port, on the redirect port and behind a proxy."""
    inbox = Inbox(LIMITS)
    inbox.put(b"GET /a?b HTTP/1.1\r\nHost: example.org\r\n\r\n")
    head = inbox.next_head()
    assert head is not None
    page = respond(head, Redirect(https_port=443, allowed=OURS.__contains__)).body.decode()
    assert ask(b"GET /a?b HTTP/1.1\r\nHost: example.org\r\n\r\n")[2] == page
    environ = {"HTTP_HOST": "example.org", "PATH_INFO": "/a", "QUERY_STRING": "b", "REQUEST_METHOD": "GET"}
    redirect = behind_a_proxy(environ, Front())
    assert redirect is not None
    seen: list[object] = []
    assert b"".join(redirect(environ, lambda *more: seen.extend(more))).decode() == page
    assert seen[0] == "308 Permanent Redirect"
    assert "HTTPS" in page
    assert 'href="https://example.org/a?b"' in page
