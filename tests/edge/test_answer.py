"""A worker's answer, framed anew."""

from __future__ import annotations

import pytest

from tlsrun.edge.answer import Answer, BadAnswer
from tlsrun.http1.head import parse_head

_DATE = b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"


def answer(line: str = "GET / HTTP/1.1", *lines: str) -> Answer:
    """The answer to such a request."""
    head = "\r\n".join([line, "Host: x", *lines]).encode()
    made = Answer(parse_head(head))
    made.date = _DATE
    return made


def give(made: Answer, data: bytes, ended: bool = False) -> bytes:
    """What the client gets for these bytes of the worker."""
    if not made.status:
        rest = made.take_head(data)
        if rest is None:
            return made.feed(b"", ended) if ended else b""
        data = rest
    return made.feed(data, ended)


def whole(data: bytes, made: Answer | None = None) -> tuple[bytes, Answer]:
    """What the client gets when the worker sends ``data`` in one piece and closes."""
    made = made or answer()
    return give(made, data, ended=True), made


def split(out: bytes) -> tuple[list[bytes], bytes]:
    """Header lines without Date, and the body."""
    head, _, body = out.partition(b"\r\n\r\n")
    return [line for line in head.split(b"\r\n") if line + b"\r\n" != _DATE], body


def test_length() -> None:
    """A given length is handed on, and its last byte ends the answer without the worker's end."""
    made = answer()
    out = give(made, b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\n")
    assert out == b""
    assert made.status == 200
    out = give(made, b"hel")
    assert split(out) == ([b"HTTP/1.1 200 OK", b"Content-Type: a/b", b"Content-Length: 5"], b"hel")
    assert not made.done
    assert give(made, b"lo") == b"lo"
    assert made.done
    assert made.keep_alive


def test_every_cut() -> None:
    """How the worker's bytes are cut makes no difference to what a client understands."""
    data = b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello"
    for at in range(1, len(data)):
        made = answer()
        assert give(made, data[:at]) + give(made, data[at:]) == whole(data)[0]


def test_excess_is_cut() -> None:
    """What goes beyond the length never reaches the client."""
    out, made = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello HTTP/1.1 200 OK\r\n\r\n")
    assert split(out)[1] == b"hello"
    assert made.done


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
def test_short(data: bytes) -> None:
    """An answer that breaks off is told from one that is whole."""
    with pytest.raises(BadAnswer):
        whole(data)


@pytest.mark.parametrize(
    "data",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\nX: y\n\n\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX y: z\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : z\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 140000,
    ],
)
def test_no_http(data: bytes) -> None:
    """What is no HTTP is no answer."""
    with pytest.raises(BadAnswer):
        whole(data)


def test_unknown_length() -> None:
    """A body without a length goes out in chunks, the last of which says that it is whole."""
    made = answer()
    out = give(made, b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert split(out) == ([b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"], b"5\r\nhello\r\n")
    assert give(made, b"x" * 20) == b"14\r\n" + b"x" * 20 + b"\r\n"
    assert give(made, b"", ended=True) == b"0\r\n\r\n"
    assert made.done
    assert made.keep_alive


def test_unknown_length_known_after_all() -> None:
    """When the end comes with the body, the client is told its length."""
    for line in ("GET / HTTP/1.1", "GET / HTTP/1.0"):
        made = answer(line, "Connection: keep-alive")
        out, _ = whole(b"HTTP/1.0 200 OK\r\n\r\nhello", made)
        lines, body = split(out)
        assert b"Content-Length: 5" in lines
        assert body == b"hello"
        assert made.keep_alive
    assert b"Content-Length: 0" in split(whole(b"HTTP/1.1 200 OK\r\n\r\n")[0])[0]


def test_http10() -> None:
    """A client of HTTP/1.0 gets no chunks: a body without a length ends with the connection."""
    made = answer("GET / HTTP/1.0", "Connection: keep-alive")
    out = give(made, b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert split(out) == ([b"HTTP/1.1 200 OK", b"Connection: close"], b"hello")
    assert give(made, b"more") == b"more"
    assert give(made, b"", ended=True) == b""
    assert made.done
    assert not made.keep_alive


def test_persistence_is_said() -> None:
    """Connection says what the client cannot know."""
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert split(whole(data)[0])[0][-1] == b"Content-Length: 0"
    assert split(whole(data, answer("GET / HTTP/1.1", "Connection: close"))[0])[0][-1] == b"Connection: close"
    assert split(whole(data, answer("GET / HTTP/1.0"))[0])[0][-1] == b"Connection: close"
    kept = answer("GET / HTTP/1.0", "Connection: keep-alive")
    assert split(whole(data, kept)[0])[0][-1] == b"Connection: keep-alive"


@pytest.mark.parametrize(
    ("line", "data", "lines"),
    [
        ("HEAD / HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", [b"Content-Length: 5"]),
        ("HEAD / HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", [b"Content-Length: 5"]),
        ("HEAD / HTTP/1.1", b"HTTP/1.1 200 OK\r\n\r\n", []),
        ("HEAD / HTTP/1.1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", []),
        ("GET / HTTP/1.1", b"HTTP/1.1 204 No Content\r\n\r\n", []),
        ("GET / HTTP/1.1", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", []),
        ("GET / HTTP/1.1", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", [b"Content-Length: 5"]),
        ("HEAD / HTTP/1.0", b"HTTP/1.1 200 OK\r\n\r\n", [b"Connection: close"]),
    ],
)
def test_no_body(line: str, data: bytes, lines: list[bytes]) -> None:
    """HEAD, 204 and 304 have no body, no framing of one, and end with their head."""
    made = answer(line)
    out = give(made, data)
    assert split(out) == ([data.partition(b"\r\n")[0], *lines], b"")
    assert made.done


def test_hop_by_hop() -> None:
    """What the worker says about its own connection stays here; the rest is handed on as it is."""
    out, _ = whole(
        b"HTTP/1.0 200 Fine \xe4\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nTransfer-Encoding: chunked\r\n"
        b"Set-Cookie: a=1\r\nset-cookie:b=2\r\nUpgrade: h2c\r\nTrailer: x\r\nX-\xe4".replace(b"X-\xe4", b"X-A:  \xe4 ")
        + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    lines, body = split(out)
    assert lines == [
        b"HTTP/1.1 200 Fine \xe4", b"Set-Cookie: a=1", b"set-cookie:b=2", b"X-A:  \xe4 ", b"Content-Length: 3",
    ]  # fmt: skip
    assert body == b"abc"


def test_date() -> None:
    """A Date is added, unless the application gave one."""
    assert _DATE in whole(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")[0]
    own = whole(b"HTTP/1.1 200 OK\r\ndate: mine\r\nContent-Length: 0\r\n\r\n")[0]
    assert _DATE not in own
    assert b"date: mine\r\n" in own


def test_interim_answers_are_skipped() -> None:
    """1xx before the answer is not handed on."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    out, _ = whole(interim + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert split(out) == ([b"HTTP/1.1 200 OK", b"Content-Length: 0"], b"")


def test_the_workers_chunks_are_read() -> None:
    """A worker that chunks is believed only with its last chunk, and goes before a length."""
    made = answer()
    out = give(made, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
    assert split(out) == ([b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"], b"3\r\nhel\r\n")
    assert give(made, b"lo\r\n0\r\n") == b"2\r\nlo\r\n"
    assert not made.done
    assert give(made, b"\r\n") == b"0\r\n\r\n"
    assert made.done


def test_same_length_twice() -> None:
    """The same length said twice is one length (RFC 9110, section 8.6); the client gets it once."""
    out, _ = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello")
    assert split(out)[0] == [b"HTTP/1.1 200 OK", b"Content-Length: 5"]
