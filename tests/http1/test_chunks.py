"""Chunked bodies, cut into reads in every way."""

from __future__ import annotations

import random

import pytest

from tests.http1.malformed import CHUNKED_HEAD, MALFORMED
from tlsrun.http1.chunks import Chunked
from tlsrun.http1.refusal import Refused, malformed

_BAD = {name: data[len(CHUNKED_HEAD) :] for name, data in MALFORMED.items() if data.startswith(CHUNKED_HEAD)}

_GOOD = [
    (b"0\r\n\r\n", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b'5;a=b;c="d e"\r\nhello\r\n000\r\nX-A: b\r\nX-B:\r\n\r\n', b"hello"),
    (b"5 ;a\r\nhello\r\n0;z\r\n\r\n", b"hello"),
    (b"1\r\n\r\r\n1\r\n\n\r\n2\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
]


def read(*parts: bytes) -> tuple[bytes, bytes, bool]:
    """The body in these reads, what lies behind it, and whether it is whole."""
    chunks = Chunked(malformed)
    body, rest = b"", b""
    for part in parts:
        if chunks.done:
            rest += part
            continue
        pieces, rest = chunks.feed(part)
        body += b"".join(pieces)
    return body, rest, chunks.done


@pytest.mark.parametrize(("data", "body"), _GOOD)
def test_whole(data: bytes, body: bytes) -> None:
    """A body in one read, with the next request behind it."""
    assert read(data + b"GET") == (body, b"GET", True)


@pytest.mark.parametrize(("data", "body"), _GOOD)
def test_cut(data: bytes, body: bytes) -> None:
    """The same body, cut in two at every place, and byte by byte."""
    for at in range(1, len(data)):
        assert read(data[:at], data[at:] + b"X") == (body, b"X", True)
        assert not read(data[:at])[2]
    assert read(*[data[at : at + 1] for at in range(len(data))]) == (body, b"", True)


@pytest.mark.parametrize("name", _BAD)
def test_malformed(name: str) -> None:
    """A malformed body is refused, in one read, byte by byte, and cut at random; never is it whole."""
    data = _BAD[name]
    chance = random.Random(1)  # noqa: S311 -- the same cuts in every run
    cuts = sorted(chance.sample(range(len(data)), min(20, len(data) - 1)))
    for places in ([], range(1, min(len(data), 20000)), cuts):
        edges = [0, *places, len(data)]
        with pytest.raises(Refused) as refusal:
            read(*[data[a:b] for a, b in zip(edges, edges[1:], strict=False)])
        assert refusal.value.status == 400
