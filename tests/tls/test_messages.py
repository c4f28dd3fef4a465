"""Handshake messages that clients send: read as they are, and whatever is none of them is no surprise."""

from __future__ import annotations

import contextlib
import random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.certs import Authority
from tests.support.clients import client_hello
from tlsrun.tls.messages import certificates, server_name

TLS_1_2, TLS_1_3 = 0x0303, 0x0304
RECORD = 5  # bytes of its header
ROW = tuple(certificate.public_bytes(Encoding.DER) for certificate, _ in Authority("row", intermediates=2).line)


def hello(name: str = "a.test") -> bytes:
    """What OpenSSL sends, without its record."""
    return client_hello(name)[RECORD:]


def vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def shown(version: int, *row: bytes, context: bytes = b"") -> bytes:
    """A Certificate message (RFC 5246, section 7.4.2; RFC 8446, section 4.4.2)."""
    if version == TLS_1_2:
        body = vector(3, b"".join(vector(3, one) for one in row))
    else:
        body = vector(1, context) + vector(3, b"".join(vector(3, one) + vector(2, b"") for one in row))
    return b"\x0b" + vector(3, body)


@pytest.mark.parametrize("name", ["a.test", "A.Test", "x" * 60 + ".test", "127.0.0.1"])
def test_a_name(name: str) -> None:
    """As the client spells it; an address is sent by nobody."""
    assert server_name(hello(name)) == (None if name == "127.0.0.1" else name)


def test_a_hello_without_extensions() -> None:
    """As those of old clients."""
    whole = b"\x01" + vector(3, bytes(34) + vector(1, b"") + vector(2, b"\x13\x01") + vector(1, b"\x00"))
    assert server_name(whole) is None


def test_a_name_that_is_not_ascii() -> None:
    """No name is guessed."""
    with pytest.raises(ValueError, match="ascii"):
        server_name(hello().replace(b"a.test", b"\xff.test"))


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_certificates(version: int) -> None:
    """The client's first; none is an answer, too."""
    assert certificates(shown(version, *ROW), version) == ROW
    assert certificates(shown(version), version) == ()


def test_a_request_with_a_context() -> None:
    """Of TLS 1.3; after the handshake they have one."""
    assert certificates(shown(TLS_1_3, *ROW, context=b"again"), TLS_1_3) == ROW


def test_cut_anywhere() -> None:
    """A message that ends too soon has neither name nor certificates; a hello may end before its extensions."""
    whole, told = hello(), []
    for end in range(len(whole)):
        with contextlib.suppress(ValueError):
            told.append(server_name(whole[:end]))
    assert told == [None]
    for version in (TLS_1_2, TLS_1_3):
        message = shown(version, *ROW)
        for end in range(0, len(message), 7):
            with pytest.raises(ValueError, match="too short"):
                certificates(message[:end], version)


def test_other_bytes() -> None:
    """Raise nothing but ValueError, and take no time: nothing is asked for twice."""
    chance = random.Random(14)  # noqa: S311 -- no secret
    for _ in range(3000):
        message = bytearray(chance.choice([hello(), shown(TLS_1_2, *ROW), shown(TLS_1_3, *ROW)]))
        for _ in range(chance.randint(1, 6)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        with contextlib.suppress(ValueError):
            server_name(bytes(message))
        with contextlib.suppress(ValueError):
            certificates(bytes(message), chance.choice([TLS_1_2, TLS_1_3]))
