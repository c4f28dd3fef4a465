"""Hypercorn as a WSGI server: PEP 3333 to the letter, and an environ that says what is true."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.site import FORGED, Serve, Site, serving
from tests.support.certs import Paths
from tests.support.http2 import Http2Client
from tests.support.process import until_replaced
from tests.support.servers import need


@pytest.fixture(scope="module")
def site(localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, started with an environment that lies."""
    need("hypercorn")
    folder = tmp_path_factory.mktemp("site")
    with serving(localhost_cert, ca_file, folder, server="hypercorn", **FORGED) as running:
        yield running


def test_environ_holds_the_request_and_nothing_else(site: Site) -> None:
    """The process environment is no part of it."""
    seen = site.environ(**{"X-Mine": "1"})
    assert not {name for name, value in seen.items() if "forged" in str(value)}, seen
    assert "HOME" not in seen
    wanted = {
        "HTTPS": "on", "SSL_PROTOCOL": "TLSv1.3", "SSL_TLS_SNI": "localhost", "SSL_CLIENT_VERIFY": "NONE",
        "wsgi.url_scheme": "https", "HTTP_X_MINE": "1", "SERVER_PORT": str(site.address[1]),
        "REMOTE_ADDR": "127.0.0.1", "wsgi.multiprocess": True, "wsgi.multithread": True,
    }  # fmt: skip
    assert {name: seen[name] for name in wanted} == wanted


def test_headers(site: Site) -> None:
    """Octets beyond ASCII are sent; nothing is injected."""
    assert site.get("/header/latin-1").headers["X-Odd"] == "caf\xe9"
    answer = site.get("/header/injection")
    assert (answer.status, answer.headers["X-Odd"], answer.headers["X-Even"]) == (200, None, "yes")
    assert answer.headers["Set-Cookie"] is None
    site.server.until_logged("the header X-Odd was left out of an answer")
    assert site.get("/header/tab").headers["X-Odd"] == "a\tb"


@pytest.mark.parametrize("path", ["/half", "/short"])
def test_an_answer_that_ends_before_its_end(site: Site, path: str) -> None:
    """Over HTTP/2 its stream is reset, and others of the connection go on."""
    with Http2Client(site.address, site.ca) as client:
        with pytest.raises(ConnectionError, match="the stream was reset: 2"):
            client.ask(path)
        assert client.ask("/write") == b"written, returned"
    site.server.until_logged("in mid-answer" if path == "/half" else "Content-Length was 1000, and 5 bytes came")


def test_headers_of_a_connection(site: Site) -> None:
    """They are heard over HTTP/1.1, and left out over HTTP/2, which has none (RFC 9113, section 8.2.2)."""
    headers = site.get("/connection").headers
    assert (headers["Connection"], headers["Keep-Alive"], headers["X-Even"]) == ("close", None, "yes")
    with Http2Client(site.address, site.ca) as client:
        assert [client.ask("/connection") for _ in range(2)] == [b"body"] * 2


def test_a_header_that_there_cannot_be(site: Site) -> None:
    """It is a 500 and a line in the log, over each version of HTTP."""
    assert site.get("/odd-name").status == 500
    with Http2Client(site.address, site.ca) as client:
        stream = client.begin("/odd-name")
        client.answer(stream)
        assert client.statuses[stream] == [500]
    site.server.until_logged("no name of an HTTP header: b'x odd'")


def test_a_host_that_is_not_served(hypercorn: Serve) -> None:
    """It is a 404, by Hypercorn's own option; the connection ends like others that nobody uses."""
    options = ("--server-options", "server_names=other.example", "--server-options", "keep_alive_timeout=1")
    with hypercorn(*options, workers=1) as site:
        assert site.get("/pid").status == 404
        with Http2Client(site.address, site.ca) as client:
            streams = [client.begin("/pid"), client.begin("/pid")]
            assert [client.status(stream) for stream in streams] == [404, 404]
            client.until_over()


def test_nothing_is_imported_twice(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """One import for the supervisor and all its workers, one that took the place of another too."""
    imports = tmp_path / "imports"
    options = {"WSGI_SITE_IMPORTS": str(imports)}
    with serving(localhost_cert, ca_file, tmp_path, server="hypercorn", **options) as site:
        killed = min(site.workers())
        os.kill(killed, signal.SIGKILL)
        until_replaced(site.workers, [killed], 2)
        assert site.get("/pid").status == 200
        assert len(imports.read_text().split()) == 1
