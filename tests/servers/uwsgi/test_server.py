"""A site under uWSGI's plain wheel: the live application, TLS and its facts by the edge, dead processes replaced."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.applications.uwsgi import application
from tests.servers.uwsgi.site import IMPORTS, Site, asking, serving
from tests.support.certs import Paths
from tests.support.clients import client_context, curl, free_port, tls_connect
from tests.support.plans import make_plan
from tests.support.process import eventually, until_replaced
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError
from tlsrun.listening.probing import probe
from tlsrun.servers import uwsgi

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def site(localhost_cert: Paths, ca_file: Path) -> Iterator[Site]:
    """2 workers, 2 edges."""
    with serving(localhost_cert, ca_file, workers=2, edges=2) as running:
        yield running


def test_the_live_application_is_served(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """The module was executed once, in the master; the workers have its object, and its sys.argv."""
    imports = tmp_path / "imports"
    with serving(localhost_cert, ca_file, workers=2, env={IMPORTS: str(imports)}) as site:
        seen = site.get()
        assert imports.read_text().split() == [str(site.server.pid)]
        assert seen["pid"] in site.children()
        assert seen["argv"][0].endswith("uwsgi/site.py")
        assert len(seen["argv"]) == 2


def test_the_connection_is_told_to_the_application(site: Site) -> None:
    """Scheme, addresses and TLS facts are those of the connection that the client made."""
    with tls_connect(site.address, site.ca) as client:
        here = client.getsockname()
        client.sendall(GET)
        answer = b""
        while part := client.recv(65536):
            answer += part
    for name, value in {
        "wsgi.url_scheme": "https", "HTTPS": "on", "REMOTE_ADDR": here[0], "REMOTE_PORT": str(here[1]),
        "SERVER_PORT": str(site.address[1]), "SSL_PROTOCOL": "TLSv1.3", "SSL_TLS_SNI": "localhost",
    }.items():  # fmt: skip
        assert f'"{name}": "{value}"'.encode() in answer, answer


def test_a_client_cannot_forge_what_the_connection_tells(site: Site) -> None:
    """Forwarded headers, uWSGI's own and names with an underscore reach nobody."""
    before = site.get()["environ"]
    forged = {
        "X-Forwarded-Proto": "http", "X-Forwarded-SSL": "off", "X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6",
        "HTTPS": "off", "UWSGI_SCHEME": "gopher", "SSL_CLIENT_VERIFY": "SUCCESS", "Ssl-Client-Verify": "SUCCESS",
        "X_Forwarded_Proto": "http",
    }  # fmt: skip
    after = site.get(headers=forged)["environ"]
    changing = {"REMOTE_PORT", "HTTP_HTTPS", "HTTP_SSL_CLIENT_VERIFY", "SSL_SESSION_RESUMED"}
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_resume_at_every_edge(site: Site, version: ssl.TLSVersion) -> None:
    """A session of one edge is resumed by the other, and by one that was started again."""
    context = client_context(site.ca)
    context.minimum_version = context.maximum_version = version

    def connect(session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
        with tls_connect(site.address, None, context=context, session=session) as client:
            client.sendall(GET)
            while client.recv(65536):
                pass
            return bool(client.session_reused), client.session

    _, session = connect(None)
    assert all(connect(session)[0] for _ in range(20))
    edges = site.children()[-2:]
    for edge in edges:
        os.kill(edge, signal.SIGKILL)
    until_replaced(lambda: set(site.children()), edges, 5)
    assert all(connect(session)[0] for _ in range(20))


@pytest.mark.parametrize("kind", ["worker", "keeper", "edge"])
def test_a_dead_process_is_replaced(site: Site, kind: str) -> None:
    """After kill -9 of any process but the master, the next requests are answered."""
    before = site.children()
    victim = before[{"worker": 0, "keeper": 2, "edge": 3}[kind]]
    if kind == "worker":
        victim = site.get()["pid"]
    os.kill(victim, signal.SIGKILL)
    until_replaced(lambda: set(site.children()), [victim], 5)
    assert all(site.get() for _ in range(10))


def test_nothing_outlives_the_master(localhost_cert: Paths, ca_file: Path) -> None:
    """kill -9 of the master ends workers, keeper and edges, and frees the port."""
    with (
        tempfile.TemporaryDirectory(prefix="t-") as parent,
        serving(localhost_cert, ca_file, workers=2, env={"TMPDIR": parent}) as site,
    ):
        family = site.children()
        assert len(family) == 4
        site.server.signal(signal.SIGKILL)
        assert site.server.wait() == -signal.SIGKILL
        eventually(lambda: not site.server.members(), what="the end of all processes")
        endpoint = Endpoint(host=site.address[0], port=site.address[1])
        eventually(lambda: probe(endpoint) is None, what="a free port")


def test_workers_that_replace_themselves_lose_nothing(localhost_cert: Paths, ca_file: Path) -> None:
    """``max-requests`` ends a worker between two requests."""
    options = {"max_requests": 20, "min-worker-lifetime": 0}
    with serving(localhost_cert, ca_file, workers=2, server_options=options) as site:
        first = set(site.children())
        with asking(site, kept=True) as asked:
            eventually(lambda: len(set(site.children()) - first) >= 2 and asked.answers > 100)
        assert not asked.failures


def test_ipv6(localhost_cert: Paths, ca_file: Path) -> None:
    """An IPv6 address is listened on, before a reload and after."""
    with serving(localhost_cert, ca_file, host="::1") as site:
        assert site.get()["environ"]["REMOTE_ADDR"] == "::1"
        site.reload()
        assert site.get()["environ"]["SERVER_PORT"] == str(site.address[1])


def test_the_redirect_port(localhost_cert: Paths, ca_file: Path) -> None:
    """Plain HTTP there leads to https, before a reload and after; on the TLS port too."""
    port = free_port()
    with serving(localhost_cert, ca_file, redirect_port=port) as site:
        for _ in range(2):
            for plain in (port, site.address[1]):
                here = ("--resolve", f"localhost:{plain}:127.0.0.1")
                answer = curl(f"http://localhost:{plain}/a", ca_file, "-D", "-", *here)
                assert answer.status in (301, 308)
                assert f"https://localhost:{site.address[1]}/a" in answer.body
            site.reload()


def test_the_workers_socket_is_private(localhost_cert: Paths, ca_file: Path) -> None:
    """Only this user reaches the workers without TLS, and nothing is left behind."""
    # Not below pytest's folders, which may be too deep for a Unix socket.
    with (
        tempfile.TemporaryDirectory(prefix="t-") as parent,
        serving(localhost_cert, ca_file, env={"TMPDIR": parent}) as site,
    ):
        (folder,) = Path(parent).glob("tlsrun-uwsgi-*")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        site.reload()
        assert list(Path(parent).glob("tlsrun-uwsgi-*")) == [folder]
        site.server.signal(signal.SIGTERM)
        assert site.server.wait() == 0
        assert not folder.exists()


def test_it_runs_in_the_main_thread_only(localhost_cert: Paths) -> None:
    """uWSGI forks, and what other threads hold would stay held."""
    raised: list[BaseException] = []

    def run() -> None:
        job = {"cert": str(localhost_cert.fullchain), "key": str(localhost_cert.key), "port": 0}
        try:
            uwsgi.SERVER.launch(make_plan("uwsgi", **job), application)
        except ConfigurationError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])


def test_a_port_in_use_is_said(localhost_cert: Paths) -> None:
    """Between the check and the start another program may take the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        job = {"cert": str(localhost_cert.fullchain), "key": str(localhost_cert.key), "port": taken.getsockname()[1]}
        with pytest.raises(ConfigurationError, match="cannot be bound: Address already in use"):
            uwsgi.SERVER.launch(make_plan("uwsgi", **job), application)
