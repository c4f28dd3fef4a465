"""TLS on a connection: handshakes that fail, plain HTTP, ends, versions, other clients."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import warnings

import pytest

from tests.edge.conftest import RunningEdge
from tests.support.clients import client_context, client_hello, openssl_s_client
from tests.support.process import eventually


def plainly(edge: RunningEdge, *data: bytes) -> bytes:
    """What comes back when these bytes are sent without TLS, up to the end of the connection."""
    with socket.create_connection(edge.address, timeout=60) as plain:
        for part in data:
            plain.sendall(part)
        received = b""
        while part := plain.recv(65536):
            received += part
        return received


def logged(edge: RunningEdge, words: str) -> bool:
    """Whether a failed handshake was logged with these words, or lines are being held back."""
    log = edge.server.log()
    return re.search(rf"INFO tlsrun.handshake handshake with 127.0.0.1:\d+ failed: {words}", log) is not None or (
        log.count("failed: ") % 10 == 0 and "failed: " in log
    )


@pytest.mark.parametrize("cut", [None, 1, 5, 17])
def test_plain_http(edge: RunningEdge, cut: int | None) -> None:
    """A person who typed http:// is sent to https, however the request is cut."""
    request = b"GET /a?b HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % edge.address[1]
    answer = plainly(edge, *([request] if cut is None else [request[:cut], request[cut:]]))
    assert answer.startswith(b"HTTP/1.1 301 ")
    assert b"\r\nLocation: https://localhost:%d/a?b\r\n" % edge.address[1] in answer


def test_plain_http_to_another_host(edge: RunningEdge) -> None:
    """A host that is not served is not redirected to."""
    assert plainly(edge, b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n", b"\x00", b"\xff" * 100, b"\x80\x2e\x01\x00\x02", b"hello\r\n\r\n"])
def test_neither(edge: RunningEdge, data: bytes) -> None:
    """What is neither TLS nor HTTP is closed without a word."""
    assert plainly(edge, data) == b""


def test_broken_hello(edge: RunningEdge) -> None:
    """A broken ClientHello gets an alert and the end."""
    hello = bytearray(client_hello())
    hello[40:60] = bytes(20)
    hello[9:12] = b"\xff\xff\xff"
    assert plainly(edge, bytes(hello))[:1] in (b"\x15", b"")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("old", "client offered only TLS 1.1"),
        ("distrust", "(unknown CA|certificate unknown).*does not trust our certificate"),
    ],
)
def test_failed_handshake(edge: RunningEdge, change: str, words: str) -> None:
    """A handshake that fails is logged once in words, without a traceback."""
    context = client_context(edge.ca)
    if change == "distrust":
        context = ssl.create_default_context()
    else:
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that TLS 1.1 is old is the point
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        edge.talk(context=context)
    eventually(lambda: logged(edge, words), what=f"log with {words}")
    with edge.talk() as talk:
        assert talk.get().status == 200


def test_client_leaves_in_the_handshake(edge: RunningEdge) -> None:
    """Clients that leave at any point of the handshake are a line in words at most."""
    hello = client_hello()
    for size in (0, 1, 6, len(hello) - 1, len(hello)):
        for reset in (False, True):
            plain = socket.create_connection(edge.address)
            plain.sendall(hello[:size])
            if reset:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            plain.close()
    with edge.talk() as talk:
        assert talk.get().status == 200
    assert "Traceback" not in edge.server.log()


def test_damaged_record(edge: RunningEdge) -> None:
    """A damaged record ends the connection without an answer."""
    with edge.talk() as talk:
        assert talk.get().status == 200
        socket.socket.send(talk.tls, b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(ssl.SSLError):
            talk.answer()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_versions(edge: RunningEdge, version: str) -> None:
    """TLS 1.2 and 1.3 are served, large and small records, and many of them in one write."""
    context = client_context(edge.ca)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with edge.talk(context=context) as talk:
        body = b"x" * 500000
        talk.ask("/digest", method="POST", body=body)
        assert talk.answer().words.startswith("500000 ")
        assert len(talk.get("/size?500000").body) == 500000


def test_s_client(edge: RunningEdge) -> None:
    """openssl verifies the chain, gets its page and sees a clean end."""
    seen = openssl_s_client(edge.address, edge.ca)
    assert seen.verified
    assert "\n\nhello" in seen.http
    assert "unexpected eof" not in seen.errors


def test_key_update(edge: RunningEdge) -> None:
    """A client that renews its keys in the middle of a connection goes on."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.address[1]}", "-servername", "localhost",
               "-CAfile", str(edge.ca), "-tls1_3"]  # fmt: skip
    request = "GET /size?5 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        try:
            for say, wait in ((request, b"01234"), ("K\n", b"KEYUPDATE"), (request, b"01234")):
                client.stdin.write(say.encode())
                client.stdin.flush()
                heard = b""
                while wait not in heard:
                    byte = client.stdout.read1(1)
                    assert byte, heard
                    heard += byte
        finally:
            client.kill()


def test_curl(edge: RunningEdge) -> None:
    """curl reuses a connection, uploads with and without a length, and finds nothing to complain about."""
    url = f"{edge.url}/digest"
    command = ["curl", "-sSv", "--http1.1", "--cacert", str(edge.ca), "-X", "POST", "--data-binary", "@-", url]
    chunked = ["--next", "-sSv", "--cacert", str(edge.ca), "-H", "Transfer-Encoding: chunked", "-d", "hello", url]
    done = subprocess.run([*command, *chunked], input=b"x" * 3000000, capture_output=True, timeout=120, check=True)
    assert done.stdout.startswith(b"3000000 ")
    assert b"5 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 5" in done.stdout
    assert b"using existing" in done.stderr
