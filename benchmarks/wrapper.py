"""What the WSGI wrapper adds to a request, in this process: no network, no server."""

from __future__ import annotations

import ssl
import timeit
from collections.abc import Callable, Iterable
from typing import Any, cast

from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks.certificates import issue, new_authority
from benchmarks.programs import client_context
from tlsrun.certificates.identity import Identity
from tlsrun.connections.server_context import ServerContext
from tlsrun.tls.context import create_context
from tlsrun.tls.policy import Policy
from tlsrun.wsgi import ConnectionFacts, application, facts_from_certificate, facts_from_tls
from tlsrun.wsgi.facts import TLSConnection, Untold

#: As a browser's request looks to an application.
_REQUEST = {
    "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "", "RAW_URI": "/",
    "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "443", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "a server",
    "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "40000", "HTTP_HOST": "www.example.org", "HTTP_CONNECTION": "keep-alive",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.5", "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
    "HTTP_COOKIE": "session=0123456789abcdef", "HTTP_UPGRADE_INSECURE_REQUESTS": "1",
    "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
}  # fmt: skip


def _app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    return [b"Hello"]


def measure(calls: int) -> dict[str, float]:
    """Seconds that the wrapper adds to a request: without TLS, with TLS, and with a client's certificate as well.

    Arguments:
        calls: in each run that is timed.
    """
    identity = issue(new_authority(), ["www.example.org"])
    tls = _handshake(identity)
    client = ConnectionFacts(tls, **facts_from_certificate(identity.certificate.public_bytes(Encoding.DER)))
    environs: dict[str, dict[str, Any]] = {
        "no TLS": {**_REQUEST, "wsgi.url_scheme": "http"},
        "TLS": {**_REQUEST, "wsgi.url_scheme": "https", "gunicorn.socket": Untold(tls)},
        "TLS, client certificate": {**_REQUEST, "wsgi.url_scheme": "https", "gunicorn.socket": Untold(client)},
    }
    wrapped = application(_app)
    return {name: _time(wrapped, environ, calls) - _time(_app, environ, calls) for name, environ in environs.items()}


def _time(app: Callable[..., Any], environ: dict[str, Any], calls: int) -> float:
    """Seconds of one call, a copy of environ included: the quickest of several runs, as nothing makes one quicker."""
    return min(timeit.repeat(lambda: app(dict(environ), None), number=calls, repeat=7)) / calls


def _handshake(identity: Identity) -> ConnectionFacts:
    """The facts of a real connection, in memory."""
    context = create_context(identity, Policy(), context_class=ServerContext)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context().wrap_bio(to_client, to_server, server_hostname="www.example.org")
    done = [False, False]
    while not all(done):
        for number, side in enumerate((client, server)):
            try:
                side.do_handshake()
                done[number] = True
            except ssl.SSLWantReadError:
                continue
    return facts_from_tls(cast(TLSConnection, server), sni="www.example.org")
