"""A request's head: what is refused, and what is told of the rest."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.http1.malformed import CHUNKED_HEAD, MALFORMED, OTHERWISE_REFUSED
from tlsrun.http1.head import Head, Heads, check_part, parse_head
from tlsrun.http1.limits import LIMITS
from tlsrun.http1.refusal import Refused

# Those whose fault is in the head, not behind or before it.
_IN_HEAD = {name: data for name, data in MALFORMED.items() if not data.startswith((CHUNKED_HEAD, b"\r\n", b"\n"))}


def parse(text: str | bytes) -> Head:
    """A head, its lines given with LF alone."""
    data = text.encode("latin-1") if isinstance(text, str) else text
    return parse_head(data.replace(b"\n", b"\r\n"), LIMITS)


def get(*lines: str, line: str = "GET /a HTTP/1.1", host: str = "localhost") -> Head:
    """A head with these header lines."""
    return parse("\n".join([line, f"Host: {host}", *lines]))


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
    [(b"G" * 16385, None), (b"G" * 16386, 414), (b"GET / HTTP/1.1\r\nX: " + b"a" * 65536, 431)],
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
    line = "GET /" + "a" * (16384 - len("GET / HTTP/1.1")) + " HTTP/1.1"
    assert get(line=line)
    assert get(*["X-A: b"] * 199)
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "
    assert parse_head(head + b"a" * (65536 - len(head)), LIMITS)
    with pytest.raises(Refused):
        parse_head(head + b"a" * (65537 - len(head)), LIMITS)


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
        head += filler * ((65536 - len(head)) // len(filler))
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


@pytest.mark.timeout(20)
@pytest.mark.parametrize("filling", [b" ", b"\t", b"a", b"a "], ids=repr)
def test_line_that_ends_badly_is_refused_at_once(filling: bytes) -> None:
    """However long it is: half a minute of the processor for each request would be an invitation."""
    line = b"X:" + filling * (60_000 // len(filling)) + b"\x01"
    with pytest.raises(Refused, match="control character"):
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
    assert head.fields.lines == (
        (b"Host", b"a"), (b"X", b"a \t b"), (b"Empty", b""), (b"Space", b""), (b"High", b"\xe9\x80"),
    )  # fmt: skip


def test_any_token_is_a_method() -> None:
    """Extension methods too, which llhttp does not know (RFC 9110, section 16.1)."""
    for method in ("PROPFIND", "PURGE", "BREW", "m-search", "X_Y"):
        assert get(line=f"{method} / HTTP/1.1").method == method.encode()


def test_upgrades_are_requests() -> None:
    """Whether to change the protocol is not decided here."""
    head = get("Connection: Upgrade", "Upgrade: websocket", "Content-Length: 5", line="POST / HTTP/1.1")
    assert (head.length, head.keep_alive, head.fields.connection) == (5, True, {b"upgrade"})
