"""The opening of a connection as a pure state machine: what lies on the wire in, what is to be done out."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.clients import client_hello
from tlsrun.connections.opening import Opening, OpeningStep, Then, nobody
from tlsrun.proxies import proxy_protocol
from tlsrun.proxies.peers import Peers, read_peers

PROXY = ("10.0.0.1", 4000)
HEADER = b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 443\r\n"
REQUEST = b"GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Context:
    """What an opening asks of a `ServerContext`."""

    proxy_protocol_peers: Peers = read_peers(["10.0.0.1"], "test")
    allowed_host: Callable[[str], bool] = nobody


def opening(peer: Any = ("192.0.2.9", 5), *, allowed: Callable[[str], bool] = nobody) -> Opening:
    context: Any = Context(allowed_host=allowed)
    return Opening(context, peer, 10)


def show(one: Opening, pieces: list[bytes]) -> tuple[OpeningStep, bytes]:
    """Show pieces one after the other, as a socket does: what was not taken is seen again, with what came since.

    Returns:
        the last step, and what was not taken.
    """
    wire, step = b"", OpeningStep()
    for piece in pieces:
        wire += piece
        while wire or not piece:
            step = one.see(wire)
            wire = wire[step.take :]
            if step.then is not Then.READ:
                return step, wire
    return step, wire


def cuts(data: bytes) -> list[list[bytes]]:
    """``data`` whole, in each two parts, and byte by byte."""
    return [[data], *([data[:at], data[at:]] for at in range(1, len(data))), [bytes((one,)) for one in data]]


def test_a_client_hello_is_left_to_openssl() -> None:
    """Nothing of it is taken, and its first byte is enough."""
    for hello in (client_hello(), b"\x16"):
        assert show(opening(), [hello]) == (OpeningStep(then=Then.SHAKE), hello)


@pytest.mark.parametrize("header", [HEADER, proxy_protocol.SIGNATURE + b"\x21\x11\0\x0c" + bytes(
    [192, 0, 2, 7, 192, 0, 2, 1]) + (1234).to_bytes(2, "big") + (443).to_bytes(2, "big")], ids=["1", "2"])  # fmt: skip
def test_a_proxy_says_who_the_client_is(header: bytes) -> None:
    """Its header is taken, and not one byte of what follows, however both are cut."""
    for pieces in cuts(header + b"\x16\x03\x01"):
        one = opening(PROXY)
        step, left = show(one, pieces)
        assert (step.then, left[:1], one.peer, one.proxied_client) == (
            Then.SHAKE, b"\x16", ("192.0.2.7", 1234), ("192.0.2.7", 1234),
        ), pieces  # fmt: skip


def test_a_proxy_that_speaks_for_itself() -> None:
    """It stays the client: UNKNOWN (version 1), LOCAL (version 2)."""
    for header in (b"PROXY UNKNOWN\r\n", proxy_protocol.SIGNATURE + b"\x20\0\0\0"):
        one = opening(PROXY)
        assert show(one, [header + b"\x16"]) == (OpeningStep(then=Then.SHAKE), b"\x16")
        assert (one.peer, one.proxied_client) == (PROXY, None)


def test_a_proxy_that_says_nothing_is_refused() -> None:
    """A trusted proxy's connection begins with a header, or with nothing; and nobody else's does."""
    step, _ = show(opening(PROXY), [b"\x16\x03\x01"])
    assert (step.then, step.level) == (Then.CLOSE, logging.INFO)
    assert step.words.startswith("no PROXY header, though it is a trusted proxy's connection")
    step, _ = show(opening(), [HEADER])
    assert (step.then, step.words) == (Then.CLOSE, "not TLS (it began with 50 52 4f 58 59 20 54 43)")


@pytest.mark.parametrize("header", [b"", HEADER], ids=["direct", "introduced"])
def test_plain_http_is_answered(header: bytes) -> None:
    """All of it is taken, then comes the answer, then the client has time to read it; however it is cut."""
    for pieces in cuts(header + REQUEST):
        one = opening(PROXY if header else ("192.0.2.9", 5), allowed=lambda host: host == "example.org")
        step, left = show(one, pieces)
        assert (step.then, step.words, step.level, left) == (
            Then.LINGER, "plain HTTP on the HTTPS port", logging.INFO, b"",
        )  # fmt: skip
        assert step.send.startswith(b"HTTP/1.1 301 ")
        assert b"\r\nLocation: https://example.org/a\r\n" in step.send


def test_plain_http_that_breaks_off() -> None:
    """A client that ends its side in a request is told what this port speaks; before it was one, nothing."""
    step, _ = show(opening(), [b"GET / HTTP/1.1\r\nHo", b""])
    assert (step.then, step.send[:13]) == (Then.LINGER, b"HTTP/1.1 400 ")
    step, _ = show(opening(), [b"GET /", b""])
    assert (step.then, step.send, step.words) == (Then.CLOSE, b"", "plain HTTP on the HTTPS port")
    step, _ = show(opening(), [b"GE", b""])
    assert (step.then, step.words, step.level) == (Then.CLOSE, "client closed", logging.INFO)


def test_a_head_that_does_not_end() -> None:
    """So much is taken, and no more is waited for."""
    step, left = show(opening(), [b"GET / HTTP/1.1\r\nX: ", *[b"x" * 4096] * 3])
    assert (step.then, step.send[:13]) == (Then.LINGER, b"HTTP/1.1 400 ")
    assert len(left) < 4096


@pytest.mark.parametrize(
    ("error", "then", "words", "level"),
    [
        (TimeoutError(), Then.CLOSE, "timed out after 10 s, without a byte", logging.INFO),
        (ConnectionResetError(), Then.CLOSE, "client closed, without a byte", logging.DEBUG),
    ],
)
def test_before_the_first_byte(error: OSError, then: Then, words: str, level: int) -> None:
    """Who says no word is logged quietly, unless it kept us waiting; in front of a proxy's header, too."""
    for one in (opening(), opening(PROXY)):
        assert one.fail(error) == OpeningStep(then=then, words=words, level=level)
    step, _ = show(opening(PROXY), [HEADER[:9], b""])
    assert (step.words, step.level) == ("client closed, without a byte", logging.DEBUG)


@pytest.mark.parametrize(
    ("error", "then", "words"),
    [
        (ssl.SSLError(1, "x"), Then.LINGER, "the TLS library gave no reason"),
        (ssl.SSLEOFError(8, "x"), Then.CLOSE, "client closed"),
        (ConnectionResetError(), Then.CLOSE, "client closed"),
        (TimeoutError(), Then.CLOSE, "timed out after 10 s"),
    ],
)
def test_a_handshake_that_fails(error: OSError, then: Then, words: str) -> None:
    """After an alert the client has time to read it; who has gone, or took too long, has had it."""
    one = opening()
    show(one, [client_hello()])
    assert one.fail(error) == OpeningStep(then=then, words=words)
