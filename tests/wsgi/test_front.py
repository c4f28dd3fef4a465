"""tlsrun.wsgi.front and what stands around it: trusted peers are heard, everybody else's headers are gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import bottle
import pytest
from flask import Flask, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

import bottle_tls
from flask_tlsrun import TLSRun
from tests.support.certs import Authority
from tests.wsgi.conftest import Handshake
from tests.wsgi.test_client_header import WRITERS
from tlsrun.errors import ConfigurationError
from tlsrun.proxies.peers import Peers, read_peers
from tlsrun.settings.proxies import HEADERS, headers_of
from tlsrun.wsgi import TLSInfo, application, front
from tlsrun.wsgi.front import ORIGINAL, Front
from tlsrun.wsgi.proxy_headers import ALL, IDENTITIES, PROXY_VARIABLES, variable
from tlsrun.wsgi.to_https import is_exempt, location

Environ = dict[str, Any]

PEERS = read_peers(["10.0.0.0/8", "unix"], "here")
EVERYTHING = frozenset(HEADERS)


def environ_of(peer: str = "10.0.0.1", **headers: str) -> Environ:
    """A request that came over plain HTTP."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=d&e",
        "REMOTE_ADDR": peer,
        "REMOTE_PORT": "4711",
        "SERVER_NAME": "inner",
        "SERVER_PORT": "8000",
        "HTTP_HOST": "example.org",
        "wsgi.url_scheme": "http",
        **{variable(name.replace("_", "-")): value for name, value in headers.items()},
    }


def through(environ: Environ, **front: Any) -> tuple[Environ, str, dict[str, str]]:
    """What an application sees, the status, and the headers of the answer."""
    seen: Environ = {}
    answer: list[Any] = []

    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return []

    told = Front(**{"peers": PEERS, "headers": EVERYTHING, **front})
    list(application(app, told)(environ, lambda status, headers, *_: answer.extend((status, dict(headers)))))
    return seen, answer[0], answer[1]


def test_a_trusted_proxy_is_heard() -> None:
    """What it says stands where every application looks; what stood there is kept."""
    environ = environ_of(
        x_forwarded_for="6.6.6.6, 192.0.2.7:4712, 10.9.9.9",
        x_forwarded_proto="https",
        x_forwarded_port="8443",
        x_forwarded_host="www.example.org",
        x_forwarded_prefix="/shop/",
        x_forwarded_user="jo",
        x_real_ip="6.6.6.6",
    )
    seen, status, _ = through(environ)
    assert status == "200 OK"
    expected = {
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "4712",
        "wsgi.url_scheme": "https",
        "HTTPS": "on",
        "HTTP_HOST": "www.example.org:8443",
        "SERVER_NAME": "www.example.org",
        "SERVER_PORT": "8443",
        "SCRIPT_NAME": "/shop",
        "HTTP_X_FORWARDED_USER": "jo",
    }
    assert {name: seen.get(name) for name in expected} == expected
    assert PROXY_VARIABLES.isdisjoint(seen)
    original = seen[ORIGINAL]
    assert original["REMOTE_ADDR"] == "10.0.0.1"
    assert original["HTTP_X_FORWARDED_FOR"] == "6.6.6.6, 192.0.2.7:4712, 10.9.9.9"
    assert (original["wsgi.url_scheme"], original["HTTP_HOST"], original["SERVER_PORT"]) == (
        "http",
        "example.org",
        "8000",
    )
    assert TLSInfo(seen).secure


@pytest.mark.parametrize("peer", ["192.0.2.1", "::1", "11.0.0.1", "unknown", "10.0.0.1\n", "fe80::1%eth0"])
@pytest.mark.parametrize("header", sorted(ALL))
def test_nobody_else_is(peer: str, header: str) -> None:
    """Each header that a proxy might set is gone, and nothing has become of it."""
    environ = environ_of(peer)
    before = dict(environ)
    seen, _, _ = through({**environ, header: "6.6.6.6"})
    assert header not in seen
    assert {name: value for name, value in seen.items() if not name.startswith("tlsrun.")} == before
    assert seen[ORIGINAL] == {header: "6.6.6.6"}


def test_only_believed_headers_count() -> None:
    """A proxy passes on what it does not set: of a preset nothing else is read, and nothing else is left."""
    claims = {name.replace("-", "_"): "https" for name in HEADERS} | {"x_forwarded_for": "192.0.2.7"}
    claims |= {"x_forwarded_host": "evil.org", "x_forwarded_prefix": "/evil", "forwarded": "for=6.6.6.6;host=evil.org"}
    seen, _, _ = through(environ_of(**claims), headers=headers_of(["heroku"]))
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("192.0.2.7", "https")
    assert (seen["HTTP_HOST"], seen["SCRIPT_NAME"]) == ("example.org", "")
    assert PROXY_VARIABLES.isdisjoint(seen)
    assert not [name for name in seen if name.startswith("SSL_")]
    seen, _, _ = through(environ_of(x_forwarded_user="root", x_forwarded_for="192.0.2.7"), peers=Peers())
    assert IDENTITIES.isdisjoint(seen)


@pytest.mark.parametrize(
    ("headers", "host", "port"),
    [
        ({"x_forwarded_proto": "https"}, "example.org", "443"),
        ({"x_forwarded_proto": "https", "x_forwarded_port": "443"}, "example.org", "443"),
        ({"x_forwarded_proto": "https", "x_forwarded_port": "8443"}, "example.org:8443", "8443"),
        # What no URL has: the scheme is the client's, the port another connection's.
        ({"x_forwarded_proto": "https", "x_forwarded_port": "80"}, "example.org", "443"),
        ({"x_forwarded_proto": "https", "x_forwarded_host": "a.test", "x_forwarded_port": "80"}, "a.test", "443"),
        ({"x_forwarded_proto": "https", "x_forwarded_host": "a.test:80"}, "a.test", "443"),
        ({"x_forwarded_proto": "https", "x_forwarded_host": "[::1]:80"}, "[::1]", "443"),
        ({"x_forwarded_proto": "https", "host": "example.org:80"}, "example.org", "443"),
        ({"x_forwarded_proto": "https", "host": "[::1]:80", "x_forwarded_port": "80"}, "[::1]", "443"),
        ({"forwarded": 'proto=https;host="a.test:80"'}, "a.test", "443"),
        ({"x_forwarded_port": "443"}, "example.org", "80"),
        (
            {"x_forwarded_proto": "https", "x_forwarded_host": "a.test:9443", "x_forwarded_port": "443"},
            "a.test:9443",
            "9443",
        ),
        ({"x_forwarded_host": "a.test"}, "a.test", "80"),
        ({"x_forwarded_proto": "https", "host": "a.test:8443"}, "a.test:8443", "8443"),
        ({"x_forwarded_proto": "https", "host": "[::1]"}, "[::1]", "443"),
        ({"x_forwarded_proto": "https", "host": "[::1]:8443"}, "[::1]:8443", "8443"),
        ({"x_forwarded_proto": "junk", "x_forwarded_host": "/", "x_forwarded_port": "x"}, "example.org", "8000"),
    ],
)
def test_host_and_port(headers: dict[str, str], host: str, port: str) -> None:
    """The port of the host that the client typed goes before any other; the usual one is not written."""
    seen, _, _ = through(environ_of(**headers))
    assert (seen["HTTP_HOST"], seen["SERVER_PORT"]) == (host, port)


def test_a_unix_socket() -> None:
    """A peer without an address is ``unix``."""
    for missing in ({"REMOTE_ADDR": ""}, {}):
        environ = environ_of(x_forwarded_for="192.0.2.7")
        del environ["REMOTE_ADDR"]
        assert through({**environ, **missing})[0]["REMOTE_ADDR"] == "192.0.2.7"
        assert through({**environ, **missing}, peers=Peers(networks=PEERS.networks))[0].get("REMOTE_ADDR", "") == ""


@pytest.mark.parametrize("header", sorted(WRITERS))
def test_client_certificates(header: str, ca: Authority) -> None:
    """Only where it is asked for, only of a trusted peer; facts of nobody else are left."""
    value = WRITERS[header](ca.leaf("jo.test", client=True))
    headers = {header.replace("-", "_"): value, "x_forwarded_proto": "https"}
    asked = headers_of(["nginx", header])
    seen, _, _ = through(environ_of(**headers), headers=asked)
    assert seen["SSL_CLIENT_S_DN"] == TLSInfo(seen).client.subject == "CN=jo.test"
    assert variable(header) not in seen
    for environ, believed in (
        (environ_of("192.0.2.1", **headers), asked),
        (environ_of(**headers), headers_of(["nginx"])),
    ):
        seen, _, _ = through(environ, headers=believed)
        assert not [name for name in seen if name.startswith("SSL_CLIENT_S")]
        assert variable(header) not in seen
    seen, _, _ = through(environ_of(x_forwarded_proto="https"), headers=asked)
    assert seen["SSL_CLIENT_VERIFY"] == "NONE"


def test_over_tls(connect: Handshake, client_cert: Any) -> None:
    """Where the proxy speaks TLS to us: its connection's facts, its client's scheme and certificate."""
    tls = {"gunicorn.socket": connect(client_cert)}
    seen, _, _ = through({**environ_of(x_forwarded_proto="https"), **tls}, headers=headers_of(["caddy", "client-cert"]))
    assert (seen["SSL_PROTOCOL"], seen["HTTPS"], seen["SSL_CLIENT_VERIFY"]) == ("TLSv1.3", "on", "NONE")
    seen, status, _ = through({**environ_of(x_forwarded_proto="http"), **tls}, exempt=("/*",))
    assert (seen["wsgi.url_scheme"], "HTTPS" in seen, TLSInfo(seen).secure) == ("http", False, False)
    seen, _, _ = through({**environ_of("192.0.2.1", x_forwarded_proto="http"), **tls})
    assert (seen["wsgi.url_scheme"], seen["HTTPS"], seen["SSL_CLIENT_S_DN"]) == ("https", "on", "CN=jo.test")
    seen, _, _ = through({**environ_of(), **tls})
    assert (seen["wsgi.url_scheme"], seen["HTTPS"]) == ("https", "on")


def test_redirect() -> None:
    """Only who is said to have come over plain HTTP; it comes back over https, and is served."""
    _, status, headers = through(environ_of(x_forwarded_proto="http"))
    assert (status, headers["Location"]) == ("308 Permanent Redirect", "https://example.org/a%20b?c=d&e")
    assert headers["Cache-Control"] == "no-store"
    for environ in (
        environ_of(x_forwarded_proto="https"),
        environ_of(),
        environ_of("192.0.2.1", x_forwarded_proto="http"),
        environ_of(x_forwarded_proto="gopher"),
    ):
        assert through(environ)[1] == "200 OK"
    for exempt in ("/a b", "/*"):
        assert through(environ_of(x_forwarded_proto="http"), exempt=(exempt,))[1] == "200 OK"
    headed = {**environ_of(x_forwarded_proto="http", host="evil.org"), "REQUEST_METHOD": "HEAD"}
    assert through(headed, hosts=("example.org",))[1] == "421 Misdirected Request"


@pytest.mark.parametrize(
    ("path", "exempt", "expected"),
    [
        ("/health", ("/health",), True),
        ("/health/", ("/health",), False),
        ("/healthy", ("/health",), False),
        ("/health", ("/health/*",), True),
        ("/health/x", ("/health/*",), True),
        ("/healthy", ("/health/*",), False),
        ("/x", (), False),
        ("/", ("/*",), True),
        ("/x/y", ("/*",), True),
        ("/Health", ("/health",), False),
    ],
)
def test_exempt(path: str, exempt: tuple[str, ...], expected: bool) -> None:
    """A path, or all below it."""
    assert is_exempt(path, exempt) is expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HTTP_HOST": "a.test:8080", "PATH_INFO": "/"}, "https://a.test/"),
        ({"HTTP_HOST": "a.test", "SCRIPT_NAME": "/s", "PATH_INFO": "/é\r\nX: y"}, "https://a.test/s/%E9%0D%0AX:%20y"),
        (
            {"HTTP_HOST": "a.test", "PATH_INFO": "//evil.org", "QUERY_STRING": "a=\r\nb"},
            "https://a.test//evil.org?a=%0D%0Ab",
        ),
        ({"HTTP_HOST": "a.test", "PATH_INFO": "", "QUERY_STRING": "%41[]"}, "https://a.test/?%41[]"),
        ({"HTTP_HOST": "[2001:db8::1]:80"}, "https://[2001:db8::1]/"),
        ({"HTTP_HOST": "a.test/x"}, None),
        ({}, None),
        ({"HTTP_HOST": "user@a.test"}, None),
        ({"HTTP_HOST": "a.test\r\nX: y"}, None),
    ],
)
def test_location(environ: Environ, expected: str | None) -> None:
    """Never a header of its own, never another site's."""
    assert location(environ, ()) == expected
    assert location({"HTTP_HOST": "b.a.test", "PATH_INFO": "/"}, ("*.A.test",)) == "https://b.a.test/"
    assert location({"HTTP_HOST": "a.test", "PATH_INFO": "/"}, ("*.a.test",)) is None


def test_hsts() -> None:
    """Where a trusted proxy says https, and not where it says http."""
    assert through(environ_of(x_forwarded_proto="https"), hsts=60)[2] == {"Strict-Transport-Security": "max-age=60"}
    for environ in (
        environ_of(),
        environ_of(x_forwarded_proto="http"),
        environ_of("192.0.2.1", x_forwarded_proto="https"),
    ):
        assert "Strict-Transport-Security" not in through(environ, hsts=60, exempt=("/*",))[2]


def test_uwsgi_believes_anybody() -> None:
    """What it made of the header of an untrusted peer is undone; what its front server says stands."""
    uwsgi = {"uwsgi.version": b"2.0", "wsgi.url_scheme": "https"}
    seen, _, _ = through({**environ_of("192.0.2.1", x_forwarded_proto="https"), **uwsgi})
    assert seen["wsgi.url_scheme"] == "http"
    seen, _, _ = through({**environ_of("192.0.2.1", x_forwarded_ssl="off"), **uwsgi, "UWSGI_SCHEME": "https"})
    assert seen["wsgi.url_scheme"] == "https"
    seen, _, _ = through({**environ_of("192.0.2.1"), **uwsgi})
    assert seen["wsgi.url_scheme"] == "https"
    # A trusted peer hands on what is no scheme.
    seen, _, _ = through({**environ_of(x_forwarded_proto="gopher"), **uwsgi, "wsgi.url_scheme": "gopher"})
    assert seen["wsgi.url_scheme"] == "http"


def test_gunicorn_believes_loopback() -> None:
    """Where proxies are named, they count, and not gunicorn's own; where none are, its word is left alone."""
    gunicorn = {"gunicorn.socket": object(), "wsgi.url_scheme": "https"}
    seen, _, _ = through({**environ_of("127.0.0.1", x_forwarded_proto="https"), **gunicorn})
    assert seen["wsgi.url_scheme"] == "http"
    assert seen[ORIGINAL]["wsgi.url_scheme"] == "https"
    seen, _, _ = through({**environ_of("127.0.0.1", x_forwarded_proto="https"), **gunicorn}, peers=Peers())
    assert seen["wsgi.url_scheme"] == "https"
    seen, _, _ = through({**environ_of(x_forwarded_proto="https"), **gunicorn, "wsgi.url_scheme": "http"})
    assert seen["wsgi.url_scheme"] == "https"


def test_a_server_that_was_told_whom_to_believe() -> None:
    """gunicorn's own decision on the scheme stands, where ours is not asked."""
    environ = {**environ_of("127.0.0.1", x_forwarded_proto="https"), "wsgi.url_scheme": "https"}
    assert through(environ)[0]["wsgi.url_scheme"] == "https"


def test_it_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy on this machine or network that nobody named is worth a line; the Internet's visitors are not."""
    monkeypatch.setattr(front, "_warned", [])
    with caplog.at_level(logging.WARNING, "tlsrun.proxy"):
        for peer in ("8.8.8.8", "127.0.0.1", "127.0.0.1"):
            through(environ_of(peer, x_forwarded_for="192.0.2.7"), peers=Peers())
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["X-Forwarded-For from 127.0.0.1"]
    assert "TLS_TRUSTED_PROXIES" in caplog.text


def visit(app: Callable[..., Iterable[bytes]], **headers: str) -> tuple[str, str]:
    """Status and body, of a request through 127.0.0.1."""
    status: list[str] = []
    body = b"".join(app(environ_of("127.0.0.1", **headers) | {"PATH_INFO": "/"}, lambda *said: status.append(said[0])))
    return status[0], body.decode()


CLAIM = {"x_forwarded_for": "192.0.2.7", "x_forwarded_proto": "https", "x_forwarded_host": "www.example.org"}


@pytest.mark.parametrize("framework", ["flask", "bottle"])
def test_the_external_application(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a server of its own command: the application's configuration, the environment, the same behaviour."""
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)

    def make(**config: Any) -> Callable[..., Iterable[bytes]]:
        if framework == "flask":
            app = Flask("x")
            app.add_url_rule("/", "index", lambda: f"{url_for('index', _external=True)} {request.remote_addr}")
            tls = TLSRun(app)
            app.config.update(
                {f"TLS_{name.upper()}": value for name, value in config.items()}
            )  # later, as factories do
            return tls.application
        site = bottle.Bottle()
        site.route("/", callback=lambda: f"{bottle.request.url.partition('?')[0]} {bottle.request.remote_addr}")
        site.config.update({f"tls.{name}": value for name, value in config.items()})
        return bottle_tls.application(site)

    assert visit(make(), **CLAIM)[1] == "http://example.org/ 127.0.0.1"
    trusting = make(trusted_proxies="127.0.0.1", proxy="traefik", redirect_exempt=["/health"])
    assert visit(trusting, **CLAIM)[1] == "https://www.example.org/ 192.0.2.7"
    assert visit(trusting, x_forwarded_proto="http")[0] == "308 Permanent Redirect"
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
    assert visit(make(), **CLAIM)[1] == "https://example.org/ 192.0.2.7"
    assert visit(make(trusted_proxies="10.0.0.1"), **CLAIM)[1] == "http://example.org/ 127.0.0.1"
    monkeypatch.setenv("TLSRUN_TRUSTED_PROXIES", "10.0.0.1")
    assert visit(make(trusted_proxies="127.0.0.1"), **CLAIM)[1] == "http://example.org/ 127.0.0.1"
    with pytest.raises(ConfigurationError, match="cannot be used"):
        visit(make(proxy="squid"))


def test_proxy_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside, it finds nothing to do, whether we listened or not; outside, what it did stands."""
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)

    def flask(**config: Any) -> Flask:
        app = Flask("x")
        app.config.update(config)
        app.add_url_rule("/", "index", lambda: f"{url_for('index', _external=True)} {request.remote_addr}")
        return app

    inside = flask()
    inside.wsgi_app = ProxyFix(inside.wsgi_app, x_host=1)  # type: ignore[method-assign]
    assert visit(TLSRun(inside).application, **CLAIM)[1] == "http://example.org/ 127.0.0.1"
    both = flask(TLS_TRUSTED_PROXIES="127.0.0.1")
    both.wsgi_app = ProxyFix(both.wsgi_app, x_host=1)  # type: ignore[method-assign]
    assert visit(TLSRun(both).application, **CLAIM)[1] == "https://example.org/ 192.0.2.7"
    outside = flask()
    TLSRun(outside)
    assert visit(ProxyFix(outside, x_host=1), **CLAIM)[1] == "https://www.example.org/ 192.0.2.7"


def test_peers(tmp_path: Path) -> None:
    """Addresses, networks, words and files."""
    ranges = tmp_path / "ips.txt"
    ranges.write_text("# Cloudflare\n173.245.48.0/20\n\n2400:cb00::/32  # v6\n")
    peers = read_peers(["192.0.2.1", "10.0.0.0/8", f"@{ranges}"], "here")
    for inside in ("192.0.2.1", "::ffff:192.0.2.1", "10.255.255.255", "173.245.48.9", "2400:cb00::1"):
        assert inside in peers, inside
    for outside in ("192.0.2.2", "", "unix", "10.0.0.1 ", "::1", "2400:cb01::1", "x", None, 3):
        assert outside not in peers, outside
    everybody = read_peers(["*"], "here")
    assert all(peer in everybody for peer in ("8.8.8.8", "::1", ""))
    assert "x" not in everybody
    ranges.write_text("173.245.48.0/20\n<html>\n")
    with pytest.raises(ConfigurationError, match=r"ips.txt:2: '<html>' is no address") as caught:
        read_peers([f"@{ranges}", f"@{tmp_path}/none"], "TLS_TRUSTED_PROXIES")
    assert "cannot be read" in str(caught.value)
