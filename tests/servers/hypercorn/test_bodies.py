"""When Hypercorn's requests get a thread: with their body, or with as much of it as is waited for."""

from __future__ import annotations

import contextlib
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.applications.pep_3333 import FOLDER
from tests.servers.site import Serve, Site, serving
from tests.support.certs import Paths
from tests.support.clients import free_port, tls_connect
from tests.support.http2 import Http2Client
from tests.support.process import ROOT, Server, eventually
from tests.support.servers import need

_MIB = 1 << 20


def _post(path: str, length: int, *more: str) -> bytes:
    fields = "\r\n".join(("Host: localhost", f"Content-Length: {length}", *more))
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode()


def _to_the_end(tls: ssl.SSLSocket) -> bytes:
    return b"".join(iter(lambda: tls.recv(1000), b""))


@pytest.fixture(scope="module")
def single(localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One worker with one thread, for all tests that have it wait."""
    need("hypercorn")
    folder = tmp_path_factory.mktemp("site")
    with serving(localhost_cert, ca_file, folder, "--threads", "1", server="hypercorn", workers=1) as running:
        yield running


@pytest.fixture
def site(single: Site) -> Site:
    """It, with nothing from the test before."""
    for note in single.folder.iterdir():
        note.unlink()
    return single


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_single_thread_waits_for_no_body(site: Site, version: str) -> None:
    """The application is called once the body is there; a client that pauses before that keeps nobody waiting."""
    with contextlib.ExitStack() as stack:
        if version == "1.1":
            tls = stack.enter_context(tls_connect(site.address, site.ca))
            tls.sendall(_post("/mark/whole", 2) + b"x")
        else:
            client = stack.enter_context(Http2Client(site.address, site.ca))
            stream = client.begin("/mark/whole", body=True)
            client.send(stream, b"x")
            client.ping()
        for _ in range(3):
            assert site.get("/slow/0.5").status == 200  # so that the pause is one
        assert not (site.folder / "mark-whole").exists()
        if version == "1.1":
            tls.sendall(b"x")
            assert tls.recv(1000).startswith(b"HTTP/1.1 200")
        else:
            client.send(stream, b"x", end=True)
            assert client.answer(stream) == b"whole"


def test_of_many_threads_one_has_a_request_whose_client_pauses(hypercorn: Serve) -> None:
    """It may wait for what the application says to the part that has come: here, without a look at it."""
    with (
        hypercorn("--threads", "2", workers=1) as site,
        tls_connect(site.address, site.ca) as tls,
        Http2Client(site.address, site.ca) as client,
    ):
        tls.sendall(_post("/mark/a", 2) + b"x")
        stream = client.begin("/mark/b", body=True)
        client.send(stream, b"x")
        assert tls.recv(1000).startswith(b"HTTP/1.1 200")
        assert client.answer(stream) == b"b"


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_long_body_is_read_as_it_comes(site: Site, version: str) -> None:
    """Of more than 8 MiB the application has the begin before the end is there; and then every byte."""
    with contextlib.ExitStack() as stack:
        if version == "1.1":
            tls = stack.enter_context(tls_connect(site.address, site.ca))
            tls.sendall(_post("/first/a", 20 * _MIB, "Connection: close"))
            send = tls.sendall
        else:
            client = stack.enter_context(Http2Client(site.address, site.ca))
            stream = client.begin("/first/a", body=True)

            def send(data: bytes) -> None:
                client.send(stream, data)

        send(bytes(8 * _MIB))
        assert site.get("/pid").status == 200
        assert not (site.folder / "first-a").exists()
        send(bytes(1000))
        eventually((site.folder / "first-a").exists, what="a part that was read")
        send(bytes(12 * _MIB - 1001))
        if version == "1.1":
            send(b"x")
            assert _to_the_end(tls).endswith(b"\r\n\r\n%d" % (20 * _MIB))
        else:
            client.send(stream, b"x", end=True)
            assert client.answer(stream) == b"%d" % (20 * _MIB)


def test_who_sends_all_before_the_answer_is_read(site: Site) -> None:
    """The application has answered meanwhile, with more than is on the way to a client that does not look."""
    with tls_connect(site.address, site.ca) as tls:
        tls.sendall(_post("/ample/12", 24 * _MIB))
        tls.sendall(bytes(24 * _MIB))
        answer = b""
        while len(answer.partition(b"\r\n\r\n")[2]) < 12 * _MIB:
            assert (part := tls.recv(1 << 20))
            answer += part
        assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_who_waits_for_leave_to_send_has_it(site: Site, version: str) -> None:
    """100, before the application is called (RFC 9110, section 10.1.1)."""
    with contextlib.ExitStack() as stack:
        if version == "1.1":
            tls = stack.enter_context(tls_connect(site.address, site.ca))
            tls.sendall(_post("/read/a", 5, "Expect: 100-continue", "Connection: close"))
            assert tls.recv(1000).startswith(b"HTTP/1.1 100 ")
            tls.sendall(b"12345")
            assert _to_the_end(tls).endswith(b"\r\n\r\n5")
        else:
            client = stack.enter_context(Http2Client(site.address, site.ca))
            stream = client.begin("/read/a", body=True, expect="100-continue")
            assert client.status(stream) == 100
            client.send(stream, b"12345", end=True)
            assert client.answer(stream) == b"5"
            assert client.statuses[stream] == [100, 200]


@pytest.fixture
def impatient(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> Iterator[Site]:
    """One thread, and two seconds of silence at most."""
    need("hypercorn")
    port = free_port()
    run = "from tlsrun.servers.hypercorn import threads; threads.PATIENCE = 2.0; from tlsrun.cli import main; main()"
    command = [
        sys.executable, "-c", run, "run", "tests.applications.pep_3333:app", "--server", "hypercorn",
        "--port", str(port),
        "--workers", "1", "--threads", "1", "--cert", localhost_cert.fullchain, "--key", localhost_cert.key,
    ]  # fmt: skip
    with Server(command, env={FOLDER: str(tmp_path)}, cwd=ROOT) as process:
        process.until_tls(("127.0.0.1", port))
        process.until_logged("serving on https://")
        yield Site(process, ("127.0.0.1", port), ca_file, tmp_path)


def test_who_sends_nothing_is_told_so(impatient: Site, tmp_path: Path) -> None:
    """408, and over HTTP/1.1 the end of the connection; no thread was ever asked."""
    site = impatient
    with tls_connect(site.address, site.ca) as tls, Http2Client(site.address, site.ca) as client:
        tls.sendall(_post("/mark/silent", 10) + b"x")
        stream = client.begin("/mark/silent", body=True)
        assert client.answer(stream) == b"Nothing more of the request came for 2 seconds.\n"
        assert client.statuses[stream] == [408]
        assert client.ask("/mark/next") == b"next"
        answer = _to_the_end(tls)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"\r\nconnection: close\r\n" in answer.lower()
    assert site.get("/pid").status == 200
    assert sorted(note.name for note in tmp_path.iterdir()) == ["mark-next"]
    assert "Traceback" not in site.server.log()
