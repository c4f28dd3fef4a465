"""Hypercorn's configuration: our defaults, the user's ``server_options``, and why some of those are refused."""

from __future__ import annotations

from typing import Any

from tlsrun.deciding.plan import Plan
from tlsrun.optional import require
from tlsrun.servers.options import Parse, ServerOptions, boolean, instead, integer, mapping, seconds, several, text

THREADS = 4
_BACKLOG = 1024
_KEEP_ALIVE = 15.0  # seconds a connection may be idle between two requests
_GRACE = 30.0  # seconds that requests have to finish when the server stops
_REQUESTS = 1_000_000  # per connection; so high because Hypercorn (0.18) drops running requests when it is reached


_COMMAND = ("is for Hypercorn's own command only", "Leave it out")
_ASYNC = ("is for asynchronous applications", "Leave it out")
_HEAD = ("means nothing here: the head of a request may have 64 KiB", "Leave it out")
_UNUSED = ("means nothing here: request bodies are streamed, and their readers made to wait", "Leave it out")

#: option -> (why it is refused, what to do)
_REFUSED: dict[str, tuple[str, str]] = {
    "bind": ("tlsrun sets it", instead("bind")),
    "quic_bind": ("tlsrun sets it", instead("http")),
    "insecure_bind": ("would serve the application without TLS", instead("redirect_port")),
    "workers": ("tlsrun sets it", instead("workers")),
    "alpn_protocols": ("tlsrun sets it", instead("http")),
    "certfile": ("tlsrun sets it", instead("cert")),
    "keyfile": ("tlsrun sets it", instead("key")),
    "keyfile_password": ("tlsrun sets it", instead("key_password_file")),
    "ca_certs": ("tlsrun sets it", instead("client_ca")),
    "ciphers": ("tlsrun sets it", instead("ciphers")),
    "ssl_handshake_timeout": ("tlsrun sets it", instead("handshake_timeout")),
    "user": ("tlsrun sets it", instead("user")),
    "group": ("tlsrun sets it", instead("group")),
    **dict.fromkeys(("verify_mode", "verify_flags", "cert_reqs"), ("tlsrun sets it", instead("client_auth"))),
    **dict.fromkeys(("application_path", "daemon", "pid_path", "use_reloader", "umask", "debug"), _COMMAND),
    **dict.fromkeys(
        ("startup_timeout", "shutdown_timeout", "websocket_max_message_size", "websocket_ping_interval"), _ASYNC
    ),
    "h11_max_incomplete_size": _HEAD,
    **dict.fromkeys(("wsgi_max_body_size", "max_app_queue_size", "read_timeout", "h11_pass_raw_headers"), _UNUSED),
    **dict.fromkeys(
        ("statsd_host", "statsd_prefix", "dogstatsd_tags", "logger_class"), ("is not passed on", "Leave it out")
    ),
}


def _prefix(value: Any) -> str:
    """a path that begins with /"""
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError
    return value.rstrip("/")


def _loop(value: Any) -> str:
    """asyncio or uvloop"""
    if value not in ("asyncio", "uvloop"):
        raise ValueError
    return str(value)


#: Allowed option -> parser of its value, whose docstring says what is expected.
_ALLOWED: dict[str, Parse] = {
    "access_log_format": text,
    "accesslog": text,
    "alt_svc_headers": several(text),
    "backlog": integer(1),
    "errorlog": text,
    "graceful_timeout": seconds,
    "h2_max_concurrent_streams": integer(1),
    "h2_max_header_list_size": integer(1024),
    "h2_max_inbound_frame_size": integer(16384, 2**24 - 1),
    "include_date_header": boolean,
    "include_server_header": boolean,
    "keep_alive_max_requests": integer(1),
    "keep_alive_timeout": seconds,
    "logconfig": text,
    "logconfig_dict": mapping,
    "loglevel": text,
    "max_requests": integer(1),
    "max_requests_jitter": integer(0),
    "root_path": _prefix,
    "server_names": several(text),
    "worker_class": _loop,
}


OPTIONS = ServerOptions(
    title="Hypercorn",
    noun="option",
    help="Hypercorn's documentation for its options",
    allowed=_ALLOWED,
    refused=_REFUSED,
)


def names() -> frozenset[str]:
    """Return the options of the installed Hypercorn."""
    config = require("hypercorn.config", extra="hypercorn", wanted_by="hypercorn").Config
    return frozenset(name for name in dir(config) if not name.startswith("_") and not callable(getattr(config, name)))


def read(plan: Plan) -> dict[str, Any]:
    """Return Hypercorn's options, checked.

    Raises:
        ConfigurationError: options are unknown, have bad values or conflict with ours; reports all of them at once.
    """
    ours: dict[str, Any] = {
        "accesslog": None,
        "backlog": _BACKLOG,
        "errorlog": "-",
        "graceful_timeout": _GRACE,
        "keep_alive_max_requests": _REQUESTS,
        "keep_alive_timeout": _KEEP_ALIVE,
        "loglevel": "WARNING" if plan.quiet else "INFO",
    }
    return ours | OPTIONS.read(plan.server_options, names())
