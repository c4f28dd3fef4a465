"""gunicorn 25 and 26, which people have: they serve, and what their parsers let through is refused all the same."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import Address, free_port, https_get, tls_connect
from tests.support.process import ROOT, Server, run

_APPLICATION = """
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{len(body)} {environ['SERVER_SOFTWARE']}".encode()]
"""

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"

#: What 27 answers 400 to. The line of the fourth never ends.
REFUSED = {
    "two hosts": HEAD + b"Host: other\r\n\r\n",
    "no chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "bare LF in an extension": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;a\nabc\r\n0\r\n\r\n",
    "endless extension": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;a=" + b"x" * 8192,
}


@pytest.fixture(scope="module", params=["25", "26"])
def older(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with such a gunicorn, for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("gunicorn")
    words = ("--quiet", "--no-deps", "--no-compile", "--retries", "0", "--target", folder)
    done = run([sys.executable, "-m", "pip", "install", *words, f"gunicorn=={request.param}.*"])
    if done.returncode != 0:
        pytest.skip(f"gunicorn {request.param} cannot be had here: {done.stderr.strip()[-200:]}")
    return folder


@pytest.fixture(scope="module")
def site(
    older: Path, localhost_cert: Paths, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Address]]:
    """It serves, with one thread."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "plain.py").write_text(_APPLICATION, encoding="utf-8")
    address = ("127.0.0.1", free_port())
    cert = ("--cert", localhost_cert.fullchain, "--key", localhost_cert.key, "--port", str(address[1]))
    command = [sys.executable, "-m", "tlsrun", "run", "plain:app", "--server", "gunicorn", "--threads", "1", *cert]
    path = os.pathsep.join([str(older), str(ROOT)])
    with Server(command, cwd=folder, env={"PYTHONPATH": path}) as server:
        yield server.until_tls(address), address
        assert "Traceback" not in server.log()


def test_serves(site: tuple[Server, Address], ca_file: Path) -> None:
    """Kept connections, uploads."""
    server, address = site
    for body in (b"", b"x" * 300_000):
        answer = https_get("https://localhost/", ca_file, address=address, method="POST", body=body)
        assert answer.text.startswith(f"{len(body)} gunicorn/2")
    assert "Starting gunicorn 2" in server.log()
    assert "Starting gunicorn 27" not in server.log()


@pytest.mark.parametrize("what", REFUSED)
def test_what_27_refuses(site: tuple[Server, Address], ca_file: Path, what: str) -> None:
    """Is refused, at sight."""
    with tls_connect(site[1], ca_file) as client:
        client.sendall(REFUSED[what])
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_heads_that_end_otherwise_hold_no_thread(site: tuple[Server, Address], ca_file: Path) -> None:
    """Lines that end in a bare LF: the parser waits for a better end, and no thread with it."""
    clients = [tls_connect(site[1], ca_file) for _ in range(5)]
    try:
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\nHost: localhost\n\n")
        answer = https_get("https://localhost/", ca_file, address=site[1], timeout=8)
        assert answer.status == 200
    finally:
        for client in clients:
            client.close()
