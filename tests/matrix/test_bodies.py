"""Request bodies: large, without a length, by lines, with trailers, expected, unread, and broken off."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.clients import tls_connect
from tests.support.frameworks import Begin, Site, program
from tests.support.process import eventually, in_time, run

VERSIONS = ("--http2", "--http1.1")

pytestmark = pytest.mark.representatives(shared="site")


def _digest(data: bytes) -> str:
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}"


@pytest.mark.representatives
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_100_mebibytes_up(site: Site, version: str, chunked: bool, tmp_path: Path) -> None:
    """An upload of 100 MiB arrives, with and without a length said before."""
    data = os.urandom(1 << 20) * 100
    path = tmp_path / "sent"
    path.write_bytes(data)
    source = ["-T", "-"] if chunked else ["-T", str(path)]
    # From a pipe, curl knows no length: chunked in HTTP/1.1, none in HTTP/2.
    command = [
        "curl", "-q", "-sS", version, "--cacert", str(site.ca), "--resolve", f"localhost:{site.port}:127.0.0.1",
        "-X", "POST", *source, f"{site.url}/upload",
    ]  # fmt: skip
    with path.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=180, check=False)
    assert done.stdout == _digest(data), done


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("body", ["", "one", "one\ntwo\n", "\n\n", "x" * 20000 + "\ny"])
def test_lines(site: Site, version: str, body: str) -> None:
    """A body can be read line by line, as from a file."""
    answer = site.curl("/lines", version, "--data-binary", body)
    assert json.loads(answer.body)["lines"] == body.splitlines(keepends=True)


def test_a_body_that_nobody_reads(site: Site, tmp_path: Path) -> None:
    """The answer comes all the same, and the server goes on."""
    path = tmp_path / "sent"
    path.write_bytes(bytes(5 << 20))
    answer = site.curl("/ignored", "--http1.1", "--data-binary", f"@{path}")
    assert (answer.status, answer.body) == (200, "not read"), answer
    # The stream is reset, without an error, behind the answer (RFC 9113, section 8.1); old versions of curl balk at it.
    done = run([program("nghttp", "nghttp2-client"), "-d", path, f"{site.url}/ignored"])
    assert done.stdout == "not read", done
    assert site.curl("/", "--http2").status == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_expect_100_continue(site: Site, version: str) -> None:
    """A client that waits for 100 (Continue) gets it, and the answer."""
    answer = site.curl("/upload", version, "-v", "-H", "Expect: 100-continue", "--data-binary", "x" * 2000)
    assert answer.body == _digest(b"x" * 2000)
    # In HTTP/2 a client need not wait (RFC 9110, section 10.1.1), and curl does not.
    assert version == "--http2" or "< HTTP/1.1 100 Continue" in answer.errors


def test_trailers_over_http_2_are_ignored(site: Site, tmp_path: Path) -> None:
    """nghttp sends trailers behind a body; the body arrives."""
    path = tmp_path / "sent"
    path.write_bytes(b"body")
    command = [program("nghttp", "nghttp2-client"), "-d", path, "--trailer", "x-checksum: 1", f"{site.url}/upload"]
    done = run(command)
    assert _digest(b"body") in done.stdout, done


def test_trailers_over_http_1_1_are_ignored(site: Site) -> None:
    """Trailers behind a chunked body neither arrive as headers nor disturb the next request."""
    with tls_connect(site.address, site.ca) as tls:
        for _ in range(2):
            tls.sendall(
                b"POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                b"4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n"
            )
            answer = b""
            while _digest(b"body").encode() not in answer:
                part = tls.recv(65536)
                assert part, answer
                answer += part
            assert answer.startswith(b"HTTP/1.1 200")


def test_an_upload_that_breaks_off(site: Site) -> None:
    """A client that leaves in its body does not look like one that has finished, and harms nobody."""
    with tls_connect(site.address, site.ca) as tls:
        tls.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly this")
        with contextlib.suppress(OSError):
            tls.unwrap()
    eventually(lambda: site.curl("/").status == 200, what="another page")


def test_clients_that_do_not_send(begin: Begin) -> None:
    """More of them than there are threads, each amid its body: another client has its page within a second."""
    with begin(threads=4) as site, contextlib.ExitStack() as stack:
        for _ in range(12):
            tls = stack.enter_context(tls_connect(site.address, site.ca))
            tls.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nonly this")
        for _ in range(10):
            assert in_time(lambda: site.curl("/"), 1).status == 200
