"""Behind a proxy: every header, from a trusted peer and from others, under every server; one start for each server."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import socket
import ssl
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.certs import Authority, Pair, Paths
from tests.support.clients import Address, client_context, free_port
from tests.support.haproxy import haproxy
from tests.support.process import APPLICATIONS, ROOT, Server
from tests.support.servers import ALL_SERVERS, need
from tests.support.sites import serving
from tests.wsgi.test_client_header import WRITERS
from tlsrun.settings.proxies import HEADERS
from tlsrun.wsgi.proxy_headers import ALL, PROXY_VARIABLES, variable

#: Linux has all of 127.0.0.0/8 on its loopback interface, so clients can come from several addresses.
TRUSTED, STRANGER = "127.0.0.2", "127.0.0.3"
#: Trusted, too, by the address that a socket for both families shows.
MAPPED = "127.0.0.4"
CLIENT = "192.0.2.7"

#: The PROXY header by which a proxy speaks for itself (version 2, LOCAL).
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"

SETTINGS = {
    "TLSRUN_TRUSTED_PROXIES": f"{TRUSTED}, 10.0.0.0/8, ::ffff:{MAPPED}",
    "TLSRUN_PROXY": ", ".join(("nginx", *HEADERS)),
    "TLSRUN_REDIRECT_EXEMPT": "/flask /bottle",
    "FORWARDED_ALLOW_IPS": "",  # gunicorn's own, where it is asked
}


@dataclass(kw_only=True)
class Site:
    """A running server.

    Arguments:
        first: what a connection from the proxy begins with.
        kept: whether a connection has more than one request.
        redirect: the port that sends plain HTTP to https; 0 for none.
    """

    name: str
    address: Address
    ca: Path | None
    server: Server
    first: bytes = b""
    kept: bool = True
    redirect: int = 0
    scheme: str = "https"
    connections: dict[str, http.client.HTTPConnection] = field(default_factory=dict)

    def connect(self, source: str) -> http.client.HTTPConnection:
        """A new connection from ``source``."""
        plain = socket.create_connection(self.address, timeout=15, source_address=(source, 0))
        connection = http.client.HTTPConnection("localhost", self.address[1], timeout=15)
        try:
            if source in (TRUSTED, MAPPED):
                plain.sendall(self.first)
            connection.sock = plain
            if self.ca is not None:
                connection.sock = client_context(self.ca).wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise
        return connection

    def ask(self, source: str, path: str, *headers: tuple[str, str]) -> http.client.HTTPResponse:
        """One request."""
        connection = self.connections.get(source)
        if connection is not None and not self.kept:
            connection.close()
        if connection is None or connection.sock is None:
            connection = self.connections[source] = self.connect(source)
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", f"example.org:{self.address[1]}"), *headers):
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse()

    def seen(self, source: str, *headers: tuple[str, str], framework: str = "flask") -> dict[str, Any]:
        """What the application saw of it."""
        answer = self.ask(source, f"/{framework}", *headers)
        body = answer.read()
        assert answer.status == 200, (answer.status, body)
        seen: dict[str, Any] = json.loads(body)
        return seen

    def close(self) -> None:
        """End the connections."""
        for connection in self.connections.values():
            connection.close()


def launched(name: str, redirect: int, ca_file: Path, cert: Paths) -> contextlib.AbstractContextManager[Any]:
    """A server that tlsrun starts."""
    app = f"{APPLICATIONS}/proxied.py:both"
    flags = ["--redirect-port", str(redirect), "--proxy-drops-underscores" if name == "granian" else "--proxy-protocol"]
    return serving(name, ca_file, cert)(*flags, app=app, **SETTINGS)


def external(name: str, port: int) -> list[str | Path]:
    """A server that its own command starts, over plain HTTP."""
    bound, target = f"127.0.0.1:{port}", "tests.applications.proxied:application"
    if name == "plain gunicorn":
        return [sys.executable, "-m", "gunicorn", "--no-control-socket", "-b", bound, "--threads", "2", target]
    program = Path(sys.executable).parent / "uwsgi"
    return [program, "--http-socket", bound, "--need-app", "--master", "--die-on-term", "--max-vars", "200",
            "--buffer-size", "65535", "--module", target]  # fmt: skip


@pytest.fixture(params=[*ALL_SERVERS, "plain gunicorn", "plain uwsgi"], scope="module")
def site(request: pytest.FixtureRequest, ca_file: Path, localhost_cert: Paths) -> Iterator[Site]:
    """Each server, once."""
    name: str = request.param
    need(name.removeprefix("plain "))
    with contextlib.ExitStack() as stack:
        if name.startswith("plain"):
            address = ("127.0.0.1", free_port())
            env = {**SETTINGS, "PYTHONPATH": str(ROOT)}
            server = stack.enter_context(Server(external(name, address[1]), cwd=ROOT, env=env))
            server.until_listening(address)
            kept = name != "plain uwsgi"
            made = Site(name=name, address=address, ca=None, server=server, scheme="http", kept=kept)
        else:
            redirect = free_port()
            running = stack.enter_context(launched(name, redirect, ca_file, localhost_cert))
            first = b"" if name == "granian" else LOCAL
            made = Site(name=name, address=running.address, ca=ca_file, server=running.server, first=first,
                        redirect=redirect)  # fmt: skip
        stack.callback(made.close)
        yield made


both = pytest.mark.parametrize("framework", ["flask", "bottle"])

#: header -> a value, and what becomes of it when a trusted proxy says so
EFFECTS: dict[str, tuple[str, dict[str, str]]] = {
    "forwarded": (f"for={CLIENT};proto=http;host=www.example.org",
                  {"REMOTE_ADDR": CLIENT, "wsgi.url_scheme": "http", "SERVER_NAME": "www.example.org"}),
    "x-forwarded-for": (f"6.6.6.6, {CLIENT}, 10.9.9.9", {"REMOTE_ADDR": CLIENT}),
    "x-forwarded-proto": ("https", {"wsgi.url_scheme": "https", "HTTPS": "on"}),
    "x-forwarded-host": ("www.example.org", {"SERVER_NAME": "www.example.org"}),
    "x-forwarded-port": ("8443", {}),  # Host has a port of its own
    "x-forwarded-prefix": ("/shop", {"SCRIPT_NAME": "/shop"}),
    "cf-connecting-ip": (CLIENT, {"REMOTE_ADDR": CLIENT}),
    "cf-visitor": ('{"scheme":"http"}', {"wsgi.url_scheme": "http"}),
    "cf-cert-verified": ("true", {}),
}  # fmt: skip


def test_each_header_of_a_trusted_proxy(site: Site, ca: Authority) -> None:
    """It is heard; the header itself is kept under the documented key only."""
    pair: Pair = ca.leaf("jo.test", client=True)
    for header in HEADERS:
        value, effect = EFFECTS.get(header, ("", {}))
        if header in WRITERS:
            value, effect = WRITERS[header](pair), {"SSL_CLIENT_S_DN": "CN=jo.test"}
        seen = site.seen(TRUSTED, (header, value))
        assert {name: seen["environ"].get(name) for name in effect} == effect, header
        assert seen["original"][variable(header)].strip() == value.strip()
        assert PROXY_VARIABLES.isdisjoint(seen["environ"])
        if header not in WRITERS:
            assert seen["environ"]["SSL_CLIENT_VERIFY"] == "NONE"


def test_each_header_of_anybody_else(site: Site) -> None:
    """Nothing is left of it, and nothing has become of it: one after the other, and all at once."""
    plain = site.seen(STRANGER)["environ"]
    assert (plain["REMOTE_ADDR"], plain["wsgi.url_scheme"]) == (STRANGER, site.scheme)
    names = sorted(name.removeprefix("HTTP_").replace("_", "-").title() for name in ALL)
    values = {name: EFFECTS.get(name.lower(), ("6.6.6.6", {}))[0] for name in names}
    for sent in [*([one] for one in values.items()), list(values.items())]:
        seen = site.seen(STRANGER, *sent)["environ"]
        assert _without_ports(seen) == _without_ports(plain), sent


def _without_ports(environ: dict[str, str]) -> dict[str, str]:
    """gunicorn's log has times of its own in environ; each connection has another port."""
    return {name: value for name, value in environ.items() if name not in ("REMOTE_PORT", "uwsgi.core")}


@both
def test_frameworks_agree(site: Site, framework: str) -> None:
    """URL, address and scheme, as Flask and as Bottle tell them."""
    claim = [
        ("X-Forwarded-For", f"6.6.6.6, {CLIENT}"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "www.example.org"),
    ]
    seen = site.seen(TRUSTED, *claim, framework=framework)
    assert (seen["url"], seen["address"]) == (f"https://www.example.org/{framework}", CLIENT)
    assert seen["secure"] is True
    seen = site.seen(STRANGER, *claim, framework=framework)
    assert seen["url"] == f"{site.scheme}://example.org:{site.address[1]}/{framework}"
    assert (seen["address"], seen["secure"]) == (STRANGER, site.scheme == "https")


def test_a_mapped_address(site: Site) -> None:
    """A proxy whose address is given as IPv6 shows it."""
    seen = site.seen(MAPPED, ("X-Forwarded-For", CLIENT))["environ"]
    assert seen["REMOTE_ADDR"] == CLIENT


def test_https_and_port_80(site: Site) -> None:
    """As ingress-nginx says behind a load balancer that ends TLS: a contradiction, in which the scheme is right."""
    claim = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "www.example.org"), ("X-Forwarded-Port", "80")]
    seen = site.seen(TRUSTED, *claim)
    assert seen["url"] == "https://www.example.org/flask"
    assert (seen["environ"]["HTTP_HOST"], seen["environ"]["SERVER_PORT"]) == ("www.example.org", "443")


def test_several_lines_and_underscores(site: Site) -> None:
    """The last line is the proxy's (HAProxy adds one); a name with an underscore is not the header it looks like."""
    lines = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", CLIENT)]
    assert site.seen(TRUSTED, *lines)["environ"]["REMOTE_ADDR"] == CLIENT
    if site.name == "plain uwsgi":
        return  # it makes one variable of both names, where nobody can tell them apart any more
    for lines in (
        [("X_Forwarded_For", "6.6.6.6"), ("X-Forwarded-For", CLIENT)],
        [("X-Forwarded-For", CLIENT), ("X_Forwarded_For", "6.6.6.6")],
    ):
        assert site.seen(TRUSTED, *lines)["environ"]["REMOTE_ADDR"] in (CLIENT, TRUSTED)


def test_contradictory_headers(site: Site) -> None:
    """No 400 and no guess: X-Forwarded-Proto counts, and of a stranger nothing."""
    claim = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Protocol", "http"), ("X-Forwarded-Ssl", "off")]
    assert site.seen(TRUSTED, *claim)["environ"]["wsgi.url_scheme"] == "https"
    assert site.seen(STRANGER, *claim)["environ"]["wsgi.url_scheme"] == site.scheme


MALFORMED = (
    '"', "%00%ff", "=;,", "\xff\xfe", "A" * 4000, ":AAAA:",
    "-----BEGIN CERTIFICATE-----AA==-----END CERTIFICATE-----",
)  # fmt: skip


def test_malformed_headers(site: Site) -> None:
    """Said by a trusted proxy, since a client made it say so: no error, and no fact."""
    for header in HEADERS:
        for value in MALFORMED:
            if header == "x-forwarded-proto" and "uwsgi" in site.name and not value.isascii():
                continue  # uWSGI decodes it itself, as UTF-8, and ends the request
            seen = site.seen(TRUSTED, (header, value))["environ"]
            assert (seen["REMOTE_ADDR"], seen["SSL_CLIENT_VERIFY"]) == (TRUSTED, "NONE"), (header, value)


def test_redirect(site: Site) -> None:
    """Who came to the proxy over plain HTTP is sent to https once; exempt paths and strangers are not."""
    answer = site.ask(TRUSTED, "/other?a=b", ("X-Forwarded-Proto", "http"))
    answer.read()
    assert (answer.status, answer.getheader("Location")) == (308, "https://example.org/other?a=b")
    for source, claim in ((TRUSTED, "https"), (STRANGER, "http")):
        answer = site.ask(source, "/other", ("X-Forwarded-Proto", claim))
        answer.read()
        assert answer.status == 404
    assert site.seen(TRUSTED, ("X-Forwarded-Proto", "http"))["url"].startswith("http://example.org")


# -- the PROXY protocol ----------------------------------------------------------------------------------------------

_BACKENDS = """\
frontend one
    bind 127.0.0.1:{one}
    default_backend v1
backend v1
    server s 127.0.0.1:{port} send-proxy source {trusted}
frontend two
    bind 127.0.0.1:{two}
    default_backend v2
backend v2
    server s 127.0.0.1:{port} send-proxy-v2-ssl-cn source {trusted}
"""


def introduced(site: Site) -> None:
    """Skip where the protocol is not spoken."""
    if not site.first:
        pytest.skip("refused before the start: see tests/servers/test_mapping.py")


def test_haproxy_passes_tls_through(site: Site, tmp_path: Path) -> None:
    """Both versions: the client's own address, its TLS ended here; and what the client says of itself is removed."""
    introduced(site)
    one, two = free_port(), free_port()
    sections = _BACKENDS.format(one=one, two=two, port=site.address[1], trusted=TRUSTED)
    with haproxy(tmp_path / "haproxy", sections, one, two):
        for port in (one, two):
            through = dataclasses.replace(site, address=("127.0.0.1", port), first=b"", connections={})
            for _ in range(2):  # on a connection that is kept, too
                seen = through.seen("127.0.0.7", ("X-Forwarded-For", "6.6.6.6"))["environ"]
                assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("127.0.0.7", "https")
                assert int(seen["REMOTE_PORT"]) == through.connections["127.0.0.7"].sock.getsockname()[1]
            through.close()


def test_a_header_in_pieces(site: Site) -> None:
    """Byte by byte, and with the ClientHello in the last one."""
    introduced(site)
    header = b"PROXY TCP6 2001:db8::7 ::1 4711 443\r\n"
    assert site.ca is not None
    with socket.create_connection(site.address, timeout=15, source_address=(TRUSTED, 0)) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in header[:-1]:
            plain.sendall(bytes((byte,)))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context(site.ca).wrap_bio(incoming, outgoing, server_hostname="localhost")
        _pump(tls, incoming, outgoing, plain, tls.do_handshake, first=header[-1:])
        request = b"GET /flask HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"
        _pump(tls, incoming, outgoing, plain, lambda: tls.write(request))
        answer = b""
        while b'"REMOTE_ADDR":"2001:db8::7"' not in answer.replace(b" ", b""):
            more = _pump(tls, incoming, outgoing, plain, lambda: tls.read(65536))
            assert more, answer
            answer += more


def _pump(tls: Any, incoming: Any, outgoing: Any, plain: socket.socket, do: Any, first: bytes = b"") -> Any:
    while True:
        try:
            done = do()
        except ssl.SSLWantReadError:
            done = None
        if outgoing.pending:
            plain.sendall(first + outgoing.read())
            first = b""
        if done is not None or tls.version() and do == tls.do_handshake:
            return done
        incoming.write(plain.recv(65536))


@pytest.mark.parametrize(
    ("source", "data"),
    [
        (TRUSTED, b"PROXY TCP4 192.0.2.7 127.0.0.1 4711\r\n"),  # malformed
        (TRUSTED, b"\x16\x03\x01"),  # no header, where one is due
        (TRUSTED, b"GET / HTTP/1.1\r\n\r\n"),
        (STRANGER, b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n"),  # a header of somebody else
        (STRANGER, LOCAL),
    ],
)
def test_refused_introductions(site: Site, source: str, data: bytes) -> None:
    """The connection ends; no answer is given to a proxy that does not keep the protocol."""
    introduced(site)
    with socket.create_connection(site.address, timeout=15, source_address=(source, 0)) as plain:
        plain.sendall(data)
        try:
            answer = plain.recv(65536)
        except ConnectionResetError:
            answer = b""
        assert not answer.startswith(b"HTTP/1.1 2")
        assert source == STRANGER or answer == b""


def test_introductions_at_the_redirect_port(site: Site) -> None:
    """Both versions, from a trusted proxy; its own plain request is answered too, a stranger's header is no request."""
    if not site.redirect:
        pytest.skip("has none")
    request = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
    v1 = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n"
    cases = [(TRUSTED, b""), (STRANGER, b"")] + ([(TRUSTED, v1), (TRUSTED, LOCAL), (MAPPED, v1)] if site.first else [])
    location = f"\r\nLocation: https://localhost:{site.address[1]}/a\r\n".encode()
    for source, first in cases:
        assert location in _said(site.redirect, source, first + request), (source, first)
    for first in (v1, LOCAL):
        assert _said(site.redirect, STRANGER, first + request) == b""


def _said(port: int, source: str, data: bytes) -> bytes:
    """Everything that is answered."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=15, source_address=(source, 0)) as plain:
        plain.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            while part := plain.recv(65536):
                answer += part
    return answer


@pytest.mark.parametrize("reset", [False, True])
def test_probes_write_nothing(site: Site, reset: bool) -> None:
    """Health checks that only open a port, from anywhere, leave no line in the log."""
    before = site.server.log()
    for source in (TRUSTED, STRANGER):
        for port in filter(None, (site.address[1], site.redirect)):
            for half in (False, True):
                with socket.create_connection(("127.0.0.1", port), timeout=15, source_address=(source, 0)) as probe:
                    if half:
                        probe.shutdown(socket.SHUT_WR)
                        with contextlib.suppress(ConnectionResetError):
                            assert probe.recv(1) == b""
                    elif reset:
                        probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if site.first:  # HAProxy's checks say whose they are, and no more
        with socket.create_connection(site.address, timeout=15, source_address=(TRUSTED, 0)) as probe:
            probe.sendall(LOCAL)
    assert site.seen(STRANGER)["environ"]["REMOTE_ADDR"] == STRANGER
    after = site.server.log().removeprefix(before).splitlines()
    assert [line for line in after if "GET /flask" not in line] == []


def test_an_introduction_within_tls(site: Site) -> None:
    """A client's own PROXY line, before a request, is no request."""
    if site.ca is None:
        pytest.skip("its own affair")
    with contextlib.closing(site.connect(STRANGER)) as connection:
        connection.sock.sendall(b"PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\nGET /flask HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            answer = connection.sock.recv(65536)
        except ConnectionResetError:
            answer = b""
        assert answer[9:12] in (b"400", b"")


def test_the_log_has_no_traceback(site: Site) -> None:
    """After all that."""
    assert "Traceback" not in site.server.log()
