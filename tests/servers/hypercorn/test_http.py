"""HTTP/1.1 over Hypercorn, raw over TLS: what no server of ours takes, it does not take either."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http1.malformed import MALFORMED
from tests.support.certs import Paths
from tests.support.clients import Address, free_port
from tests.support.process import ROOT, Server
from tests.support.servers import need
from tests.support.talk import Talk

_NEXT = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def address(localhost_cert: Paths) -> Iterator[Address]:
    """A server whose application says what it sees."""
    need("hypercorn")
    port = free_port()
    command = [
        sys.executable, "-m", "tlsrun", "run", "tests.applications.request:app", "--server", "hypercorn",
        "--port", str(port), "--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key),
    ]  # fmt: skip
    with Server(command, cwd=ROOT) as server:
        server.until_tls(("127.0.0.1", port))
        yield ("127.0.0.1", port)
        assert "Traceback" not in server.log()


@pytest.fixture
def talk(address: Address, ca_file: Path) -> Iterator[Talk]:
    """A connection."""
    with Talk(address, ca_file) as one:
        yield one


def test_good_before_bad(talk: Talk) -> None:
    """Requests before a malformed one are answered, in order, and nothing behind it."""
    good = b"GET /?%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
    chunked = (
        b"POST /?2 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nX-T: u\r\n\r\n"
    )
    length = b"POST /?3 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nGET "
    talk.send(good % 1 + chunked + b"\r\n" + length + MALFORMED["two lengths"] + _NEXT)
    for query, body in (("1", ""), ("2", "abc"), ("3", "GET ")):
        status, _, answer = talk.answer()
        seen = json.loads(answer)
        assert (status, seen["QUERY_STRING"], seen["body"]) == (200, query, body)
        assert "HTTP_TRANSFER_ENCODING" not in seen
    assert talk.answer()[0] == 400
    assert talk.is_over()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_cut(talk: Talk, size: int) -> None:
    """How the bytes are cut into packets makes no difference."""
    body = b"".join(b"%x;x=y\r\n%b\r\n" % (len(part), part) for part in (b"a" * 5, b"b" * 300, b"c")) + b"0\r\n\r\n"
    request = b"POST /cut HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    for at in range(0, len(request), size):
        talk.send(request[at : at + size])
    assert json.loads(talk.answer()[2])["body"] == "a" * 5 + "b" * 300 + "c"


def test_methods_and_large_heads(talk: Talk) -> None:
    """Any token is a method, as it came; a head of 60 KiB in 190 lines is served (RFC 9110, section 16.1)."""
    lines = [f"X-{number}: {'a' * 300}" for number in range(190)]
    seen = json.loads(talk.get("/large", *lines, method="m-search").answer()[2])
    assert (seen["REQUEST_METHOD"], seen["HTTP_X_189"]) == ("m-search", "a" * 300)
