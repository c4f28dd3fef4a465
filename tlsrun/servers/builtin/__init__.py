"""The built-in server: threads, HTTP/1.1 with keep-alive, lazy handshakes; Werkzeug's ways for Flask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tlsrun
from tlsrun.deciding.facts import ServerFacts
from tlsrun.deciding.plan import Plan
from tlsrun.servers.builtin.options import NAMES
from tlsrun.settings.mapping import Cell, Ours, Unsupported

NAME = "builtin"
TITLE = "the built-in server"
EXTRA: str | None = None

_CONTEXT = Ours("Python's ssl")
_LISTENER = Ours("its own listening sockets")
_REDIRECT = Ours("a listener of its own")

#: What it speaks well.
HTTP = ("1.1",)

MAPPING: Mapping[str, Cell] = {
    "cert": _CONTEXT,
    "key": _CONTEXT,
    "key_password": _CONTEXT,
    "key_password_file": _CONTEXT,
    "key_password_command": _CONTEXT,
    "chain": _CONTEXT,
    "server": Ours("this one"),
    "host": _LISTENER,
    "port": _LISTENER,
    "bind": _LISTENER,
    "workers": Unsupported("runs in one process", accepts=(1,)),
    "threads": Ours("so many requests at a time; without it as many as come"),
    "http": Unsupported("speaks HTTP/1.1 only", accepts=((), HTTP)),
    "profile": _CONTEXT,
    "min_version": _CONTEXT,
    "max_version": _CONTEXT,
    "ciphers": _CONTEXT,
    "groups": _CONTEXT,
    "context_hook": _CONTEXT,
    "trusted_proxies": Ours("the middleware around the application"),
    "proxy": Ours("the middleware around the application"),
    "proxy_drops_underscores": Ours("dropped here in any case"),
    "redirect_exempt": Ours("the middleware around the application"),
    "proxy_protocol": Ours("read before the handshake, in the connection's own thread"),
    "user": Ours("changes to it before the first request"),
    "group": Ours("changes to it before the first request"),
    "handshake_timeout": Ours("in the connection's own thread"),
    "reload": Ours("a thread watches the files; on demand by a restart"),
    "sni": _CONTEXT,
    "sni_strict": _CONTEXT,
    "client_ca": _CONTEXT,
    "client_auth": _CONTEXT,
    "client_crl": _CONTEXT,
    "client_facts": Ours("a client's certificate is in environ"),
    "redirect_port": _REDIRECT,
    "hosts": _REDIRECT,
    "acme_webroot": _REDIRECT,
    "hsts": Ours("a header added to the application's answers"),
    "server_options": Ours("time-outs, limits, reloader and debugger"),
}


def probe() -> ServerFacts:
    """It is always there."""
    return ServerFacts(name=NAME, title=TITLE, version=tlsrun.__version__, missing=None, mapping=MAPPING, http=HTTP)


def option_targets() -> frozenset[str]:
    """The names that ``server_options`` may have."""
    return NAMES


def launch(plan: Plan, application: Callable[..., Any]) -> int:
    """Serve until SIGTERM or Ctrl-C; running requests finish first.

    Flask's applications run as under Werkzeug's server (environ, log lines, debugger, reloader), all others as under
    the standard library's. With the reloader this process only watches over a child that runs the program again.

    Returns:
        0; 130 after a second Ctrl-C; under the reloader the exit code of the child.

    Raises:
        ConfigurationError: ``server_options`` has what this server has not, or a port cannot be bound.
        KeyboardInterrupt: Bottle's reloader asked for it (it interrupts the main thread, and waits for that).
    """
    # Only now: a table of settings needs none of it.
    from tlsrun.servers.builtin.launching import run

    return run(plan, application)
