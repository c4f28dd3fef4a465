"""Answers: streamed, large, empty, failed, and abandoned by the client."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.applications.pages import BLOCK
from tests.support.clients import client_context, tls_connect
from tests.support.frames import http_2_get
from tests.support.frameworks import Begin, Site
from tests.support.process import eventually, in_time

VERSIONS = ("--http2", "--http1.1")
pytestmark = [pytest.mark.parametrize("version", VERSIONS), pytest.mark.representatives(shared="site")]


def test_a_generator(site: Site, version: str) -> None:
    """An answer without a length arrives whole, many parts or none."""
    assert site.curl("/parts/1000", version).body == "".join(f"{number}," for number in range(1000))
    answer = site.curl("/parts/0", version)
    assert (answer.returncode, answer.status, answer.body) == (0, 200, "")


def test_events_come_one_by_one(begin: Begin, version: str, tmp_path: Path) -> None:
    """Server-sent events arrive when they are made, not at the end."""
    with begin() as site:
        command = [
            "curl", "-q", "-sSN", version, "--cacert", str(site.ca), "--resolve",
            f"localhost:{site.port}:127.0.0.1", f"{site.url}/events",
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
            assert client.stdout is not None
            for number in (1, 2, 3):
                (tmp_path / f"event-{number}").touch()
                assert client.stdout.readline() == b"data: %d\n" % number
                assert client.stdout.readline() == b"\n"
            assert client.wait(60) == 0


@pytest.mark.representatives
def test_100_mebibytes_down(site: Site, version: str, tmp_path: Path) -> None:
    """A download of 100 MiB is what was sent."""
    size, path = 100 << 20, tmp_path / "got"
    answer = site.curl(f"/download/{size}", version, "-o", str(path), deadline=180)
    assert (answer.returncode, answer.status) == (0, 200), answer
    expected, got = hashlib.sha256(), hashlib.sha256()
    for _ in range(size // len(BLOCK)):
        expected.update(BLOCK)
    got.update(path.read_bytes())
    assert got.digest() == expected.digest()


@pytest.mark.parametrize("path", ["/", "/parts/3", "/download/1000000"])
def test_head(site: Site, version: str, path: str) -> None:
    """The headers of GET, and no body; the connection serves on."""
    once = site.curl(path, version, "-I")
    assert (once.returncode, once.status) == (0, 200), once
    head = [version, "-I", "-o", "/dev/null", f"{site.url}{path}"]
    resolve = f"localhost:{site.port}:127.0.0.1"
    then = ["-sS", version, "--cacert", str(site.ca), "--resolve", resolve, "-w", "\n%{http_code} %{http_version}"]
    twice = site.curl("/parts/2", *head, "--next", *then)
    assert (twice.returncode, twice.status) == (0, 200), twice
    assert twice.body.endswith("0,1,"), twice


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("status", [200, 204, 304, 404, 503])
def test_answers_without_a_body(site: Site, version: str, status: int, method: str) -> None:
    """Empty answers are neither errors nor waited for."""
    flags = ["-I"] if method == "HEAD" else ["-X", method]
    answer = site.curl(f"/status/{status}", version, *flags)
    assert (answer.returncode, answer.status) == (0, status), answer


def test_a_failure_is_a_500(site: Site, version: str) -> None:
    """An application that raises costs its request, nothing else."""
    assert site.curl("/fails", version).status == 500
    assert site.curl("/", version).status == 200


def test_a_client_that_leaves(begin: Begin, version: str, tmp_path: Path) -> None:
    """The generator of an abandoned answer is closed, and its thread is free again."""
    with begin(threads=1) as site:
        command = [
            "curl", "-q", "-sSN", version, "--cacert", str(site.ca), "--resolve",
            f"localhost:{site.port}:127.0.0.1", f"{site.url}/forever",
        ]  # fmt: skip
        for _ in range(4):  # more than there are threads
            (tmp_path / "closed").unlink(missing_ok=True)
            with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
                assert client.stdout is not None
                assert client.stdout.read(1)
                client.kill()
            eventually((tmp_path / "closed").exists, what="the generator's close()")
        assert site.curl("/", version).status == 200
        assert "Traceback" not in site.server.log()


def test_clients_that_do_not_read(begin: Begin, version: str) -> None:
    """More of them than there are threads, each with an endless answer: another client has its page within a second."""
    with begin(threads=4) as site, contextlib.ExitStack() as stack:
        context = client_context(site.ca)
        context.set_alpn_protocols(["h2" if version == "--http2" else "http/1.1"])
        for _ in range(12):
            tls = stack.enter_context(tls_connect(site.address, None, context=context))
            tls.sendall(http_2_get("/forever", site.port) if version == "--http2" else _GET_FOREVER)
            assert tls.recv(1)
        for _ in range(10):
            assert in_time(lambda: site.curl("/", version), 1).status == 200


_GET_FOREVER = b"GET /forever HTTP/1.1\r\nHost: localhost\r\n\r\n"
