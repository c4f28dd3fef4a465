"""The visitor without TLS: sent on to https, for hosts that are served; and told to stay there."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.certs import Authority
from tests.support.clients import curl, free_port
from tests.support.process import in_time
from tests.support.sites import Serve, Site

NAME = "www.example.test"


@dataclass(frozen=True, kw_only=True)
class Redirecting:
    """A site with a redirect port, and the folder for challenges."""

    site: Site
    port: int
    webroot: Path


@pytest.fixture(scope="module")
def redirecting(serve_all: Serve, ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redirecting]:
    """One site for all tests: a certificate for localhost, a name and a wildcard."""
    folder = tmp_path_factory.mktemp("redirecting")
    (folder / ".well-known/acme-challenge").mkdir(parents=True)
    cert = ca.leaf(("localhost", "127.0.0.1", NAME, "*.wild.test")).write(folder / "cert")
    port = free_port()
    flags = ["--redirect-port", str(port), "--acme-webroot", str(folder), "--hsts", "63072000"]
    with serve_all(*flags, cert=cert) as site:
        yield Redirecting(site=site, port=port, webroot=folder)


@dataclass(frozen=True, kw_only=True)
class Plain:
    """An answer without TLS."""

    status: int
    location: str | None
    hsts: str | None
    body: str


def ask(port: int, method: str, host: str, path: str = "/a?b=c", body: bytes | None = None) -> Plain:
    """One request without TLS."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body=body, headers={"Host": host})
        with connection.getresponse() as answer:
            return Plain(
                status=answer.status,
                location=answer.headers["Location"],
                hsts=answer.headers["Strict-Transport-Security"],
                body=answer.read().decode(),
            )
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("HEAD", 301), ("POST", 308), ("PUT", 308)])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", NAME, "x.wild.test"])
def test_http_on_the_https_port(redirecting: Redirecting, method: str, status: int, host: str) -> None:
    """HTTP sent to the TLS port is sent on to https, with a page that says it in words."""
    port = redirecting.site.port
    answer = ask(port, method, f"{host}:{port}", body=b"x" * 1000 if method == "POST" else None)
    assert (answer.status, answer.location) == (status, f"https://{host}:{port}/a?b=c")
    assert ("HTTPS" in answer.body) is (method != "HEAD")
    assert answer.hsts is None


@pytest.mark.parametrize("host", ["evil.test", "localhost.evil.test", "a.b.wild.test", "evil.test#localhost"])
def test_foreign_hosts_are_sent_nowhere(redirecting: Redirecting, host: str) -> None:
    """On neither port is anybody sent to a host that is not served."""
    on_https = ask(redirecting.site.port, "GET", f"{host}:{redirecting.site.port}")
    assert (on_https.status, on_https.location) == (400, None)
    on_http = ask(redirecting.port, "GET", host)
    assert on_http.status in (400, 421)
    assert on_http.location is None


@pytest.mark.parametrize("noise", [b"\x00\x01\x02\x03", b"SSH-2.0-x\r\n", b"\x80\x2e\x01\x03\x01", b"EHLO x\r\n"])
def test_noise_is_closed_at_once(redirecting: Redirecting, noise: bytes) -> None:
    """What is neither TLS nor HTTP is closed without a word."""

    def say() -> None:
        with socket.create_connection(redirecting.site.address, timeout=60) as plain:
            plain.sendall(noise)
            with contextlib.suppress(ConnectionResetError):
                assert plain.recv(100) == b""

    in_time(say, 1)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_the_redirect_port(redirecting: Redirecting, method: str) -> None:
    """308, which keeps method and body, to the same path over https; never with Strict-Transport-Security."""
    for host in ("localhost", NAME, "x.wild.test"):
        answer = ask(redirecting.port, method, host)
        assert (answer.status, answer.location) == (308, f"https://{host}:{redirecting.site.port}/a?b=c")
        assert answer.hsts is None


def test_a_post_arrives(redirecting: Redirecting) -> None:
    """A browser that posts to http arrives at https with method and body."""
    site = redirecting.site
    ports = (redirecting.port, site.port)
    resolve = [word for port in ports for word in ("--resolve", f"{NAME}:{port}:127.0.0.1")]
    answer = curl(f"http://{NAME}:{redirecting.port}/", site.ca, "-L", *resolve, "-d", "all of it")
    seen = json.loads(answer.body)
    assert (answer.status, seen["REQUEST_METHOD"], seen["body"], seen["scheme"]) == (200, "POST", "all of it", "https")


def test_challenges_are_served(redirecting: Redirecting) -> None:
    """What certbot lays into the webroot is served for any host; nothing else of the folder is."""
    (redirecting.webroot / ".well-known/acme-challenge/token_1-A").write_text("token_1-A.thumbprint")
    (redirecting.webroot / "secret").write_text("secret")
    for host in (NAME, "not-yet.test"):
        answer = ask(redirecting.port, "GET", host, "/.well-known/acme-challenge/token_1-A")
        assert (answer.status, answer.body) == (200, "token_1-A.thumbprint")
    for path in ("missing", "../../secret", "..%2f..%2fsecret", ""):
        assert ask(redirecting.port, "GET", NAME, f"/.well-known/acme-challenge/{path}").status == 404


def test_hsts(redirecting: Redirecting) -> None:
    """Over TLS and for a name, browsers are told to use https only; not for localhost, nor for an address."""

    def promised(host: str) -> str | None:
        return redirecting.site.get(headers={"Host": host}).headers["Strict-Transport-Security"]

    assert promised(f"{NAME}:{redirecting.site.port}") == "max-age=63072000"
    assert promised(NAME) == "max-age=63072000"
    assert promised(f"localhost:{redirecting.site.port}") is None
    assert promised("127.0.0.1") is None
    assert promised("[::1]:8443") is None


def test_hosts_that_are_named(serve: Serve) -> None:
    """With `hosts` visitors are sent to those alone, on both ports; without `hsts` nothing is promised."""
    port = free_port()
    with serve("--redirect-port", str(port), "--hosts", "a.test,*.b.test") as site:
        for at in (port, site.port):
            sent = {host: ask(at, "GET", host, "/").location for host in ("a.test", "x.b.test", "localhost")}
            assert all(sent[host] for host in ("a.test", "x.b.test"))
            assert sent["localhost"] is None
        assert site.get(headers={"Host": "a.test"}).headers["Strict-Transport-Security"] is None
