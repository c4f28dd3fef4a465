"""Real TLS connections between two objects in memory, for tests that need a server's end and no server."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certs import Authority, Paths
from tests.support.clients import client_context

Handshake = Callable[..., ssl.SSLObject]


@pytest.fixture(scope="session")
def client_cert(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A client's certificate, signed by the run's authority."""
    names = ("jo.test", "al.test", "jo@jo.test")
    return ca.leaf(names, client=True).write(tmp_path_factory.mktemp("client"))


@pytest.fixture
def server_context(localhost_cert: Paths, ca_file: Path) -> ssl.SSLContext:
    """A server's context that asks clients for a certificate and does without."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost_cert.fullchain, localhost_cert.key)
    context.load_verify_locations(ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def shake_hands(
    server: ssl.SSLContext,
    client: ssl.SSLContext,
    *,
    sni: str | None = "localhost",
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """A finished connection: the server's end, the client's end."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_end = server.wrap_bio(up, down, server_side=True)
    client_end = client.wrap_bio(down, up, server_hostname=sni, session=session)
    left: list[ssl.SSLObject] = [client_end, server_end]
    for _ in range(10):
        for end in list(left):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            left.remove(end)
        if not left:
            return server_end, client_end
    raise AssertionError("no handshake")


@pytest.fixture
def connect(server_context: ssl.SSLContext, ca_file: Path) -> Handshake:
    """Make a connection to ``server_context``; takes the files of a client's certificate."""

    def connect(client: Paths | None = None, **options: str | None) -> ssl.SSLObject:
        context = client_context(ca_file, cert=client.fullchain if client else None, key=client.key if client else None)
        if "sni" in options and options["sni"] is None:
            context.check_hostname = False
        return shake_hands(server_context, context, **options)[0]  # type: ignore[arg-type]

    return connect
