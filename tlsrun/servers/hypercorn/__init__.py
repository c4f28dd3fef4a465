"""Hypercorn: HTTP/3, HTTP/2 and HTTP/1.1 in Python; the live application, in workers forked from here.

Hypercorn speaks HTTP; the TLS of TCP is ours, one context from before the fork. The TLS of QUIC is aioquic's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tlsrun.deciding.facts import ServerFacts
from tlsrun.deciding.plan import Plan
from tlsrun.errors import Problem
from tlsrun.optional import how_to_install, is_installed, require, version_of
from tlsrun.servers.forking import why_not_here
from tlsrun.settings.bind_kind import is_one_endpoint
from tlsrun.settings.mapping import Cell, Ours, Unsupported

NAME = "hypercorn"
TITLE = "Hypercorn"
EXTRA: str | None = "hypercorn"

#: What it speaks well; HTTP/3 with aioquic.
HTTP = ("3", "2", "1.1")

_CONTEXT = Ours("one context, made before the workers are forked; HTTP/3 has its own")
_SOCKET = Ours("sockets that the workers share; HTTP/3 has one for each worker")

MAPPING: Mapping[str, Cell] = {
    "cert": _CONTEXT,
    "key": _CONTEXT,
    "key_password": _CONTEXT,
    "key_password_file": _CONTEXT,
    "key_password_command": _CONTEXT,
    "chain": _CONTEXT,
    "server": Ours("this one"),
    "host": _SOCKET,
    "port": _SOCKET,
    "bind": _SOCKET,
    "workers": Ours("processes forked from this one"),
    "threads": Ours("so many requests run at once; a thread that waits for its client is not counted"),
    "http": Ours("by ALPN; HTTP/3 on the same port by UDP, announced by Alt-Svc"),
    "profile": _CONTEXT,
    "min_version": _CONTEXT,
    "max_version": _CONTEXT,
    "ciphers": _CONTEXT,
    "groups": _CONTEXT,
    "context_hook": _CONTEXT,
    "reload": Ours("a thread in each worker watches the files; SIGHUP loads all anew"),
    "sni": _CONTEXT,
    "sni_strict": _CONTEXT,
    "client_ca": _CONTEXT,
    "client_auth": _CONTEXT,
    "client_crl": _CONTEXT,
    "client_facts": Ours("a client's certificate is in environ"),
    "redirect_port": Ours("a listener of its own"),
    "hosts": Ours("the redirect listener"),
    "acme_webroot": Ours("the redirect listener"),
    "hsts": Ours("a header added to the application's answers"),
    "trusted_proxies": Ours("the middleware around the application"),
    "proxy": Ours("the middleware around the application"),
    "proxy_drops_underscores": Ours("dropped here in any case"),
    "redirect_exempt": Ours("the middleware around the application"),
    "proxy_protocol": Ours("read before the handshake"),
    "user": Ours("each worker becomes it"),
    "group": Ours("each worker becomes it"),
    "handshake_timeout": Ours("a deadline for each connection"),
    "server_options": Ours("Hypercorn's own options"),
}

#: What its HTTP/3, whose TLS is aioquic's, cannot honour: setting -> why, and what is no error.
BY_QUIC: Mapping[str, Unsupported] = {
    "bind": Unsupported("listens at one address and port, by UDP", accepts=((),), allows=is_one_endpoint),
    "max_version": Unsupported("is TLS 1.3 (RFC 9001)", accepts=(None, "1.3")),
    "groups": Unsupported("has its own key exchange groups", accepts=((),)),
    "context_hook": Unsupported("does TLS without an SSLContext", accepts=(None,)),
    "sni": Unsupported("serves one certificate, whatever name the client asks for", accepts=(None,)),
    "sni_strict": Unsupported("does not look at the name that the client asks for", accepts=(False,)),
    "client_ca": Unsupported("cannot ask clients for certificates", accepts=(None,)),
    "proxy_protocol": Unsupported("comes in datagrams, where no PROXY header is awaited", accepts=(False,)),
}


def probe() -> ServerFacts:
    """What is known of Hypercorn on this machine. Nothing of it is imported."""
    version = version_of("hypercorn")
    missing = elsewhere = why_not_here(NAME)
    if elsewhere is None and (version is None or not is_installed("h2")):
        remedy = how_to_install(NAME)
        missing = Problem(where=NAME, what="it is not installed", remedy=remedy, code="TLS301")
    http = HTTP if is_installed("aioquic") else HTTP[1:]
    return ServerFacts(
        name=NAME, title=TITLE, version=version, missing=missing, elsewhere=elsewhere is not None,
        mapping=MAPPING, http=http, http_limits={"3": BY_QUIC},
    )  # fmt: skip


def option_targets() -> frozenset[str]:
    """The options that the installed Hypercorn has."""
    config = require("hypercorn.config", extra=NAME, wanted_by=NAME).Config
    return frozenset(name for name in dir(config) if not name.startswith("_") and not callable(getattr(config, name)))


def launch(plan: Plan, application: Callable[..., Any]) -> int:
    """Serve until told to stop (SIGTERM, SIGINT); requests in flight finish.

    SIGHUP loads everything anew (`tlsrun.reloading`). To be called in the main thread, with no other thread running:
    workers are forked.

    Returns:
        0; 1 when a worker could not be started.

    Raises:
        ConfigurationError: ``server_options`` has what Hypercorn has not, refuses, or what fights with ours; a port
            cannot be bound; this is not the main thread.
    """
    from tlsrun.servers.hypercorn.options import hypercorn_options

    options = hypercorn_options(plan, option_targets())
    # Only now: Hypercorn cannot be imported everywhere.
    from tlsrun.servers.hypercorn.start import serve

    return serve(plan, application, options)
