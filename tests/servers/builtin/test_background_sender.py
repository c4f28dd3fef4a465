"""Few threads and slow clients: bodies are there before a thread is asked, and answers leave without one."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.builtin.site import serving
from tests.support.certs import Paths
from tests.support.clients import Address
from tests.support.process import PATIENCE, eventually
from tests.support.talk import Talk
from tlsrun.connections.output_buffer import OutputBuffer
from tlsrun.connections.stages import ConnectionLimits
from tlsrun.servers.builtin import background_sender
from tlsrun.servers.builtin.server import BuiltinServer
from tlsrun.servers.builtin.with_stdlib import StandardHandler

MIB = 1 << 20
GO_ON = threading.Event()
SEEN: list[str] = []


def app(environ: dict[str, Any], start: Any) -> Any:
    """Some more pages than the site's: what a request's thread has come to is told by SEEN."""
    name, _, argument = environ["PATH_INFO"].strip("/").partition("/")
    start("200 OK", [])
    if name == "parts":  # so many bytes, and the end once the test lets go
        return parts(int(argument))
    if name == "read":
        try:
            SEEN.append(f"{len(environ['wsgi.input'].read())}")
        except Exception as error:
            SEEN.append(type(error).__name__)
            raise
    if name == "upload":
        return [hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()]
    return [b"hello"]


def parts(size: int) -> Iterator[bytes]:
    """Bytes first, then the end."""
    yield bytes(size)
    SEEN.append("made")
    assert GO_ON.wait(PATIENCE)
    yield b"end"


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def site(request: pytest.FixtureRequest, localhost_cert: Paths) -> Iterator[tuple[Address, BuiltinServer]]:
    """The server; nothing is left in memory or files when its clients are gone."""
    GO_ON.clear()
    SEEN.clear()
    with serving(localhost_cert, StandardHandler, threads=request.param, app=app) as (address, server):
        yield address, server
        GO_ON.set()
        eventually(lambda: len(server.connections) == 0, what="the end of the connections")
        for room in (server.bodies, server.answers):
            assert room._left == ConnectionLimits.room


def test_an_event_stream_passes_at_once(site: tuple[Address, BuiltinServer], ca_file: Path) -> None:
    """Each part is sent when it is made."""
    with Talk(site[0], ca_file) as talk:
        talk.get("/parts/10")
        assert talk.file.readline() == b"HTTP/1.1 200 OK\r\n"
        while talk.file.readline() != b"\r\n":
            pass
        assert talk._chunk() == bytes(10)
        GO_ON.set()
        assert talk._chunk() == b"end"
        assert talk._chunk() == b""
        assert talk.get("/").answer()[2] == b"hello"


@pytest.mark.parametrize("size", [4 * MIB, 20 * MIB])
def test_what_waits_is_sent_while_the_request_goes_on(
    site: tuple[Address, BuiltinServer], ca_file: Path, size: int
) -> None:
    """To a client that reads later; beyond the bound the request waits for it."""
    with Talk(site[0], ca_file) as talk:
        talk.get(f"/parts/{size}")
        if size < ConnectionLimits.max_answer:
            eventually(lambda: SEEN == ["made"], what="the application to go on")
        assert talk.file.readline() == b"HTTP/1.1 200 OK\r\n"
        while talk.file.readline() != b"\r\n":
            pass
        assert talk._chunk() == bytes(size)
        GO_ON.set()
        assert talk._chunk() == b"end"
        assert talk._chunk() == b""
        assert talk.get("/").answer()[2] == b"hello"


@pytest.mark.parametrize("size", [4 * MIB, 40 * MIB])
def test_a_client_that_goes_in_mid_answer(
    site: tuple[Address, BuiltinServer], ca_file: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread is free for others, and nobody complains."""
    with Talk(site[0], ca_file) as talk:
        talk.get(f"/parts/{size}")
        if size < ConnectionLimits.max_answer:
            eventually(lambda: SEEN == ["made"], what="the application to go on")
        else:
            talk.tls.recv(1)
        talk.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    GO_ON.set()
    with Talk(site[0], ca_file) as talk:
        assert talk.get("/").answer()[2] == b"hello"
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("size", [0, 1, 300_000, ConnectionLimits.max_body + 1, ConnectionLimits.max_body * 2])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_bodies_of_every_size(site: tuple[Address, BuiltinServer], ca_file: Path, size: int, chunked: bool) -> None:
    """Whole, and the next request of the connection behind them."""
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    framed = b"".join([b"%x\r\n%b\r\n" % (size, body) if size else b"", b"0\r\n\r\n"]) if chunked else body
    with Talk(site[0], ca_file) as talk:
        talk.get("/upload", framing, method="POST", body=framed)
        assert talk.answer()[2].decode() == hashlib.sha256(body).hexdigest()
        talk.get("/", framing, method="POST", body=framed[:1000] if size <= 1000 else framed)
        assert talk.answer()[2] == b"hello"


def test_a_body_that_is_broken_off(site: tuple[Address, BuiltinServer], ca_file: Path) -> None:
    """Is told to who reads it, and to nobody else."""
    with Talk(site[0], ca_file) as talk:
        talk.get("/read", "Transfer-Encoding: chunked", method="POST", body=b"5\r\nhello\r\nno size\r\n")
        assert talk.answer()[0] == 400
    assert SEEN == ["BrokenBody"]
    with Talk(site[0], ca_file) as talk:
        talk.get("/", "Transfer-Encoding: chunked", method="POST", body=b"5\r\nhello\r\nno size\r\n")
        status, fields, body = talk.answer()
        assert (status, fields["connection"], body) == (200, "close", b"hello")


def test_what_is_made_for_an_answer(
    site: tuple[Address, BuiltinServer], ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing, where the client takes it at once; and what one that does not has needed serves its next answers too."""
    made: list[str] = []

    class Counted(OutputBuffer):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            made.append("outbox")
            super().__init__(*arguments, **more)

    monkeypatch.setattr(background_sender, "OutputBuffer", Counted)
    with Talk(site[0], ca_file) as talk:
        for _ in range(5):
            assert talk.get("/").answer()[2] == b"hello"
        assert made == []
        GO_ON.set()
        for size in (6 * MIB, 4 * MIB):
            SEEN.clear()
            talk.get(f"/parts/{size}")
            eventually(lambda: SEEN == ["made"], what="the application to go on")
            assert len(talk.answer()[2]) == size + 3
            assert talk.get("/").answer()[2] == b"hello"
        assert made == ["outbox"]
