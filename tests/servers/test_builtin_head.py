"""A request's head: what is found of it byte by byte is what is found at once, and no head takes long to be refused."""

from __future__ import annotations

import pytest

from tlsrun.edge.refusal import Refused
from tlsrun.servers.builtin.head import end_of_head, parse_head
from tlsrun.servers.builtin.variables import variables

_HEADS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nbody\r\n\r\n\n",
    b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\n\r\n",
    b"\rGET / HTTP/1.1\r\n\r\n",
]


def _verdict(data: bytes, step: int) -> int | str:
    """Where the end is, or the refusal; the head comes in pieces of ``step`` bytes."""
    end, seen = -1, 0
    try:
        for upto in [*range(step, len(data), step), len(data)]:
            end = end_of_head(data[:upto], seen=seen)
            if end >= 0:
                break
            seen = upto
    except Refused as refusal:
        return refusal.words
    return end


@pytest.mark.parametrize("head", _HEADS, ids=repr)
@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_piece_by_piece(head: bytes, step: int) -> None:
    """The same as when all of it comes at once."""
    assert _verdict(head, step) == _verdict(head, len(head))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("filling", [b" ", b"\t", b"a", b"a "], ids=repr)
def test_line_that_ends_badly_is_refused_at_once(filling: bytes) -> None:
    """However long it is: half a minute of the processor for each request would be an invitation."""
    line = b"X:" + filling * (60_000 // len(filling)) + b"\x01"
    with pytest.raises(Refused, match="header line"):
        parse_head(b"GET / HTTP/1.1\r\nHost: a\r\n" + line)


@pytest.mark.parametrize(
    "line",
    [b"no colon", b": no name", b"a b: c", b" folded: line", b"\tfolded", b"a\x00: b", b"a: b\x00", b"a : b", b""],
    ids=repr,
)
@pytest.mark.parametrize("position", ["first", "between", "last"])
def test_bad_lines(line: bytes, position: str) -> None:
    """Wherever they are."""
    good = [b"Host: a", b"X-Good: so"]
    good.insert({"first": 0, "between": 1, "last": 2}[position], line)
    with pytest.raises(Refused):
        parse_head(b"\r\n".join([b"GET / HTTP/1.1", *good]))


def test_values_without_the_space_around_them() -> None:
    """RFC 9112, section 5: it is no part of the value; nor is a value's inner space touched."""
    head = parse_head(b"GET / HTTP/1.1\r\nHost:a\r\nX: \t a \t b \t \r\nEmpty:\r\nSpace:   \r\nHigh: \xe9\x80")
    assert head.fields == (("Host", "a"), ("X", "a \t b"), ("Empty", ""), ("Space", ""), ("High", "\xe9\x80"))


def test_variables_of_fields() -> None:
    """As CGI has them, lists joined, cookies as browsers join them; none that could be taken for another's."""
    fields = [
        ("Content-Type", "text/plain"), ("content-length", "3"), ("X-One", "a"), ("x-ONE", "b"), ("X_One", "forged"),
        ("Cookie", "a=1"), ("Cookie", "b=2"), ("Proxy", "http://evil"), ("Content_Length", "9"),
    ]  # fmt: skip
    assert variables(fields) == {
        "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "3", "HTTP_X_ONE": "a,b", "HTTP_COOKIE": "a=1; b=2",
    }  # fmt: skip
