"""An upload that the application does not want, from a client that reads no answer before it has sent everything."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import tls_connect
from tests.support.process import APPLICATIONS
from tests.support.sites import Serve, Site, serving

_SIZE = 12 << 20
_PAGES = APPLICATIONS / "flask_pages.py"


@pytest.fixture(scope="module")
def site(serve_all: Serve) -> Iterator[Site]:
    """One site for all of them."""
    with serve_all(app=f"{_PAGES}:app") as running:
        yield running


def test_it_does_not_cost_the_answer_of_a_busy_worker(ca_file: Path, localhost_cert: Paths) -> None:
    """gunicorn's sync workers are one thread each, which reads away between two requests, or beside a long one."""
    flags = ("--server-options", "worker_class=sync")
    serve = serving("gunicorn", ca_file, localhost_cert)
    with serve(*flags, app=f"{_PAGES}:app", threads=None) as site, ThreadPoolExecutor(4) as pool:
        for answer in [pool.submit(_upload, site, "Connection: close\r\n") for _ in range(12)]:
            answer.result()


def _upload(site: Site, words: str) -> None:
    with tls_connect(site.address, site.ca, timeout=60) as client:
        head = f"POST /ignored HTTP/1.1\r\nHost: localhost\r\n{words}Content-Length: {_SIZE}\r\n\r\n"
        client.sendall(head.encode() + bytes(_SIZE))
        assert client.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("words", ["", "Connection: close\r\n"])
def test_it_does_not_cost_the_answer(site: Site, words: str) -> None:
    """Many HTTP libraries are such clients; a reset would take away what they had not read yet."""
    _upload(site, words)
    assert site.get().status == 200
