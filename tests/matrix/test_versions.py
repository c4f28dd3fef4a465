"""Which HTTP is spoken: by ALPN, by curl, by h2load, and what the application sees of it."""

from __future__ import annotations

import contextlib
import ssl
from functools import partial

import pytest

from tests.support.clients import client_context, tls_connect
from tests.support.frames import PING, frame, http_2_hello
from tests.support.frameworks import Begin, Site, program
from tests.support.process import in_time, run

pytestmark = pytest.mark.representatives(shared="site")


def _chosen(site: Site, *offered: str) -> str | None:
    context = client_context(site.ca)
    context.set_alpn_protocols(list(offered))
    with tls_connect(site.address, None, context=context) as tls:
        return tls.selected_alpn_protocol()


def test_alpn(site: Site) -> None:
    """h2 before http/1.1, and either alone."""
    assert _chosen(site, "http/1.1", "h2") == "h2"
    assert _chosen(site, "h2") == "h2"
    assert _chosen(site, "http/1.1") == "http/1.1"


@pytest.mark.parametrize(
    ("flags", "version", "protocol"),
    [
        (["--http2"], "2", "HTTP/2"),
        (["--http1.1"], "1.1", "HTTP/1.1"),
        (["--http1.1", "--no-alpn"], "1.1", "HTTP/1.1"),
        (["--http1.0", "--no-alpn"], "1", "HTTP/1.0"),
    ],
)
def test_curl(site: Site, flags: list[str], version: str, protocol: str) -> None:
    """curl gets its version, and the application sees it, https, and the URL."""
    answer = site.curl("/", *flags)
    assert (answer.returncode, answer.status) == (0, 200), answer
    assert answer.version.startswith(version)
    seen = site.seen(*flags)
    assert seen["SERVER_PROTOCOL"] == protocol
    assert (seen["wsgi.url_scheme"], seen["HTTPS"]) == ("https", "on")
    assert seen["HTTP_HOST"] == f"localhost:{site.port}"
    assert seen["SERVER_PORT"] == str(site.port)
    assert isinstance(seen.get("REMOTE_PORT", ""), str)
    assert seen["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_versions(site: Site, version: ssl.TLSVersion) -> None:
    """TLS 1.2 is spoken too, whatever a server's own default is."""
    context = client_context(site.ca)
    context.minimum_version = context.maximum_version = version
    with tls_connect(site.address, None, context=context) as tls:
        assert tls.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]


def test_modern_is_tls_1_3_only(begin: Begin) -> None:
    """The profile modern refuses TLS 1.2."""
    with begin("--profile", "modern") as site:
        context = client_context(site.ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            tls_connect(site.address, None, context=context)
        assert site.curl("/", "--http2").status == 200


@pytest.mark.parametrize("http", ["2", "1.1"])
def test_one_version_alone(begin: Begin, http: str) -> None:
    """``http`` says what is spoken, and nothing else is."""
    with begin("--http", http) as site:
        assert f"HTTP/{http}\n" in site.server.log()
        assert site.curl("/", "--http2").version == http
        if http == "1.1":
            assert _chosen(site, "h2", "http/1.1") == "http/1.1"
        else:
            assert site.curl("/", "--http1.1").status != 200


def test_h2load(site: Site) -> None:
    """2000 requests of 20 clients, 10 at once on each connection: not one fails."""
    done = run([program("h2load", "nghttp2-client"), "-n", "2000", "-c", "20", "-m", "10", site.url + "/parts/3"])
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, done.stdout + done.stderr
    assert "status codes: 2000 2xx" in done.stdout


def test_idle_and_pinging_connections_keep_nobody_waiting(begin: Begin) -> None:
    """With 4 threads, 8 idle and 8 pinging HTTP/2 connections: a new client has its page within a second."""
    with begin(threads=4) as site, contextlib.ExitStack() as stack:
        context = client_context(site.ca)
        context.set_alpn_protocols(["h2"])
        held = [stack.enter_context(tls_connect(site.address, None, context=context)) for _ in range(16)]
        for tls in held:
            tls.sendall(http_2_hello())
        for _ in range(8):
            for tls in held[8:]:
                tls.sendall(frame(PING, b"pingpong"))
            for flag in ("--http2", "--http1.1"):
                assert in_time(partial(site.curl, "/", flag), 1).status == 200
