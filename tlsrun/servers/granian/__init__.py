"""Granian: HTTP/2 and HTTP/1.1 in Rust, with its own TLS (rustls); the live application, in workers forked from here.

Its TLS takes certificates from files when a worker starts. So certificates are proved here, written into a private
folder, tried, and served by new workers that take the place of the old ones.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from tlsrun.deciding.facts import ServerFacts
from tlsrun.deciding.plan import Plan
from tlsrun.errors import Problem
from tlsrun.optional import how_to_install, require, version_of
from tlsrun.servers.forking import why_not_here
from tlsrun.settings.mapping import Cell, Ours, To, Unsupported

NAME = "granian"
TITLE = "Granian"
EXTRA: str | None = "granian"

#: What it speaks well.
HTTP = ("2", "1.1")

_FILES = "proved here, then handed over in a private file"
_ONE = Unsupported("serves one certificate, whatever name the client asks for")

MAPPING: Mapping[str, Cell] = {
    "cert": To("ssl_cert"),
    "key": To("ssl_key"),
    "key_password": Ours("Granian gets the decrypted key, in a private file"),
    "key_password_file": Ours("Granian gets the decrypted key, in a private file"),
    "key_password_command": Ours("Granian gets the decrypted key, in a private file"),
    "chain": To("ssl_cert"),
    "server": Ours("this one"),
    "host": Ours("a socket for each worker"),
    "port": Ours("a socket for each worker"),
    "bind": Ours("sockets for each worker; Unix sockets, and systemd's, are shared"),
    "workers": To("workers"),
    "threads": Ours("so many requests run at once; a thread that waits for its client is not counted"),
    "http": To("http"),
    "profile": To("ssl_protocol_min"),
    "min_version": To("ssl_protocol_min"),
    "max_version": Unsupported("always speaks TLS 1.3", accepts=(None, "1.3")),
    "ciphers": Unsupported("has its own suites, which cannot be chosen: those of the profile intermediate"),
    "groups": Unsupported("has its own key exchange groups, which cannot be chosen: X25519, P-256 and P-384"),
    "context_hook": Unsupported("does TLS with rustls, where there is no SSLContext"),
    "reload": Ours("new workers take over, once Granian has been seen to take the files; SIGHUP loads all anew"),
    "sni": _ONE,
    "sni_strict": Unsupported("does not look at the name that the client asks for", accepts=(False,)),
    "client_ca": To("ssl_ca"),
    "client_auth": To("ssl_client_verify"),
    "client_crl": Ours("`ssl_crl`; it wants a list of every authority on a client's path, of version 2"),
    "client_facts": Unsupported(
        "verifies client certificates, and cannot tell the application whose", accepts=(False,)
    ),
    "redirect_port": Ours("a listener of its own"),
    "hosts": Ours("the redirect listener"),
    "acme_webroot": Ours("the redirect listener"),
    "hsts": Ours("a header added to the application's answers"),
    "trusted_proxies": Ours("the middleware around the application"),
    "proxy": Ours("the middleware around the application"),
    "proxy_drops_underscores": Ours("behind a proxy it must be one that does: Granian itself does not tell them apart"),
    "redirect_exempt": Ours("the middleware around the application"),
    "proxy_protocol": Unsupported("shakes hands in Rust, where nothing can be read before", accepts=(False,)),
    "user": Ours("workers change to it before they serve; who reads the certificates stays root"),
    "group": Ours("workers change to it before they serve; who reads the certificates stays root"),
    "handshake_timeout": Unsupported("gives every handshake 10 seconds", accepts=(10.0,)),
    "server_options": Ours("Granian's own parameters"),
}


def probe() -> ServerFacts:
    """What is known of Granian on this machine. Nothing of it is imported."""
    version = version_of("granian")
    missing = elsewhere = why_not_here(NAME)
    if elsewhere is None and version is None:
        remedy = how_to_install(NAME)
        missing = Problem(where=NAME, what="it is not installed", remedy=remedy, code="TLS301")
    return ServerFacts(
        name=NAME,
        title=TITLE,
        version=version,
        missing=missing,
        elsewhere=elsewhere is not None,
        mapping=MAPPING,
        http=HTTP,
        redirects_plain_http=False,
        renews_as_starter=True,
        wants_every_list=True,
        mixes_up_underscores=True,
    )


def option_targets() -> frozenset[str]:
    """The parameters that the installed Granian has."""
    server = require("granian.server.mp", extra=NAME, wanted_by=NAME).MPServer
    return frozenset(inspect.signature(server.__init__).parameters) - {"self"}


def launch(plan: Plan, application: Callable[..., Any]) -> int:
    """Serve until told to stop (SIGTERM, SIGINT); requests in flight finish.

    SIGHUP loads everything anew (`tlsrun.reloading`).
    To be called in the main thread, with no other thread running: Granian forks.

    Returns:
        0; 1 when a worker could not be started, or failed and is not to be replaced.

    Raises:
        ConfigurationError: ``server_options`` has what Granian has not, refuses, or what fights with ours; the
            certificate is of a kind that Granian cannot serve; a port cannot be bound; this is not the main thread.
    """
    from tlsrun.servers.granian.options import granian_parameters

    parameters = granian_parameters(plan, option_targets())
    # Only now: Granian cannot be imported everywhere.
    from tlsrun.servers.granian.start import serve

    return serve(plan, application, parameters)
