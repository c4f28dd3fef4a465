"""What of a body is waited for before a thread of gunicorn's is asked: read off its head."""

from __future__ import annotations

import pytest

from tlsrun.servers.gunicorn.awaited import awaited

_MOST = 100


def head(*fields: str, version: str = "1.1") -> bytes:
    """Of a request with these fields."""
    return "\r\n".join([f"POST / HTTP/{version}", "Host: a", *fields, "", ""]).encode()


@pytest.mark.parametrize(
    "data",
    [
        head(),
        head("Content-Length: 0"),
        head("Content-Length: 5") + b"hello",
        head("Content-Length: 5") + b"hello, and the next request",
        head("Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
        head("Content-Length: 0", "Expect: 100-continue"),
    ],
    ids=["no body", "an empty one", "all of it", "more", "all chunks", "an empty one that is asked for"],
)
def test_nothing_is_waited_for(data: bytes) -> None:
    """All that there will be is there."""
    assert awaited(data, _MOST) is None


@pytest.mark.parametrize(
    "data",
    [
        head("Content-Length: 101"),
        head("Content-Length: 5", "Content-Length: 5"),
        head("Content-Length: 5", "Transfer-Encoding: chunked"),
        head("Content-Length: +5"),
        head("Content-Length: 5x"),
        head(f"Content-Length: {'9' * 19}"),
        head("Transfer-Encoding: gzip, chunked"),
        head("X-Content-Length: 5"),
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n",
        b"",
    ],
    ids=[
        "too long",
        "twice",
        "both",
        "a sign",
        "no number",
        "too many digits",
        "coded",
        "another name",
        "part",
        "nothing",
    ],
)
def test_left_to_gunicorn(data: bytes) -> None:
    """What there would be no room for, and what it refuses or reads otherwise."""
    assert awaited(data, _MOST) is None


@pytest.mark.parametrize("name", ["Content-Length", "content-length", "CONTENT-LENGTH"])
def test_a_body_by_its_length(name: str) -> None:
    """Until its last byte has come, however it is cut."""
    rest = awaited(head(f"{name}:  10 ") + b"12", _MOST)
    assert rest is not None
    assert not rest.feed(b"3456789")
    assert rest.feed(b"0")


def test_a_body_as_long_as_may_be() -> None:
    """The bound itself is within."""
    assert awaited(head(f"Content-Length: {_MOST}"), _MOST) is not None


def test_a_body_in_chunks() -> None:
    """Until the last chunk's trailers have come; byte by byte too."""
    rest = awaited(head("Transfer-Encoding: chunked") + b"3\r\nab", _MOST)
    assert rest is not None
    framed = b"c\r\n2;x=y\r\nde\r\n0\r\nTrailer: a\r\n\r\n"
    assert [rest.feed(framed[at : at + 1]) for at in range(len(framed))] == [False] * (len(framed) - 1) + [True]


def test_chunks_that_are_none() -> None:
    """gunicorn is to refuse them: it is asked at once."""
    assert awaited(head("Transfer-Encoding: chunked") + b"no size\r\n", _MOST) is None
    rest = awaited(head("Transfer-Encoding: chunked"), _MOST)
    assert rest is not None
    assert rest.feed(b"no size\r\n")


@pytest.mark.parametrize(
    ("data", "expects"),
    [
        (head("Content-Length: 5", "Expect: 100-continue"), True),
        (head("Transfer-Encoding: chunked", "expect: 100-Continue"), True),
        (head("Content-Length: 5"), False),
        (head("Content-Length: 5", "Expect: 100-continue") + b"h", False),
        (head("Content-Length: 5", "Expect: 100-continue", version="1.0"), False),
        (head("Content-Length: 5", "Expect: something"), False),
    ],
    ids=["length", "chunks", "not said", "it has begun", "HTTP/1.0", "something else"],
)
def test_who_waits_to_be_told(data: bytes, expects: bool) -> None:
    """A client that has begun to send has not waited, and HTTP/1.0 has no such answer."""
    rest = awaited(data, _MOST)
    assert rest is not None
    assert rest.expects is expects
