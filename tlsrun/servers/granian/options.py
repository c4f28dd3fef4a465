"""Granian's parameters from a plan: ours, the user's ``server_options``, and why some of those are refused."""

from __future__ import annotations

import inspect
import resource
from typing import Any

from tlsrun.deciding.plan import Plan
from tlsrun.optional import require
from tlsrun.servers.options import Parse, ServerOptions, boolean, instead, integer, mapping, path, several, text

_THREADS = 4
_BACKLOG = 1024
#: File descriptors that a worker needs for things other than connections.
_OTHER_FILES = 128
_HEAD_TIMEOUT = 15_000  # milliseconds to receive a request's head; also the keep-alive timeout
#: Concurrent streams per HTTP/2 connection; each may block one of a worker's 256 threads.
_STREAMS = 100
_PING_INTERVAL = 30_000  # milliseconds between PINGs on an HTTP/2 connection


_NAMES = ("names an application, and one is running already", "Leave it out")
_RELOADER = (
    "would start workers again with the same application object: nothing is imported twice",
    "Use the built-in server with --reload while you develop",
)
_SOCKET = ("tlsrun sets it", instead("bind"))
_ASYNC = ("is for asynchronous applications", "Leave it out")

#: option -> (why it is refused, what to do)
_REFUSED: dict[str, tuple[str, str]] = {
    "address": ("tlsrun sets it", instead("host")),
    "port": ("tlsrun sets it", instead("port")),
    "workers": ("tlsrun sets it", instead("workers")),
    "blocking_threads": ("tlsrun sets it", instead("threads")),
    "http": ("tlsrun sets it", instead("http")),
    "ssl_cert": ("tlsrun sets it", instead("cert")),
    "ssl_key": ("tlsrun sets it", instead("key")),
    "ssl_key_password": ("tlsrun sets it", instead("key_password_file")),
    "ssl_protocol_min": ("tlsrun sets it", instead("min_version")),
    "ssl_ca": ("tlsrun sets it", instead("client_ca")),
    "ssl_crl": ("tlsrun sets it", instead("client_crl")),
    "ssl_client_verify": ("tlsrun sets it", instead("client_auth")),
    "interface": ("is WSGI here", "Leave it out"),
    "respawn_interval": ("means nothing: an old worker goes when the new one serves", "Leave it out"),
    **dict.fromkeys(("target", "factory", "working_dir"), _NAMES),
    **dict.fromkeys(("uds", "uds_permissions"), _SOCKET),
    **dict.fromkeys(("loop", "task_impl", "websockets"), _ASYNC),
    **dict.fromkeys(
        (
            "reload",
            "reload_paths",
            "reload_ignore_dirs",
            "reload_ignore_patterns",
            "reload_ignore_paths",
            "reload_filter",
            "reload_tick",
            "reload_ignore_worker_failure",
        ),
        _RELOADER,
    ),  # fmt: skip
}


def _granians(module: str, name: str) -> Parse:
    """Return a parser for one of Granian's own types: an enum by its value, settings by a mapping of their fields."""

    def parse(value: Any) -> Any:
        import importlib

        kind = getattr(importlib.import_module(module), name)
        if isinstance(value, kind):
            return value
        return kind(**mapping(value)) if name.endswith("Settings") else kind(value)

    parse.__doc__ = "a mapping of its fields (in text: JSON)" if name.endswith("Settings") else "one of Granian's words"
    return parse


#: Allowed option -> its parser, whose docstring says what it expects.
_ALLOWED: dict[str, Parse] = {
    "backlog": integer(128),
    "backpressure": integer(1),
    "blocking_threads_idle_timeout": integer(5, 600),
    "runtime_threads": integer(1),
    "runtime_blocking_threads": integer(1),
    "runtime_mode": _granians("granian.constants", "RuntimeModes"),
    "http1_settings": _granians("granian.http", "HTTP1Settings"),
    "http2_settings": _granians("granian.http", "HTTP2Settings"),
    "log_enabled": boolean,
    "log_level": _granians("granian.log", "LogLevels"),
    "log_dictconfig": mapping,
    "log_access": boolean,
    "log_access_format": text,
    "url_path_prefix": text,
    "respawn_failed_workers": boolean,
    "rss_sample_interval": integer(1, 300),
    "rss_samples": integer(1),
    "workers_lifetime": integer(60),
    "workers_max_rss": integer(1),
    "workers_kill_timeout": integer(1, 1800),
    "env_files": several(path),
    "static_path_route": several(text),
    "static_path_mount": several(path),
    "static_path_dir_to_file": text,
    "static_path_expires": integer(0),
    "metrics_enabled": boolean,
    "metrics_scrape_interval": integer(1, 60),
    "metrics_address": text,
    "metrics_port": integer(1, 65535),
    "process_name": text,
    "pid_file": path,
}


OPTIONS = ServerOptions(
    title="Granian",
    noun="parameter",
    help="`granian --help` for what there is",
    allowed=_ALLOWED,
    refused=_REFUSED,
)


def names() -> frozenset[str]:
    """The parameters that the installed version of Granian accepts."""
    server = require("granian.server.mp", extra="granian", wanted_by="granian").MPServer
    return frozenset(inspect.signature(server.__init__).parameters) - {"self"}


def read(plan: Plan) -> dict[str, Any]:
    """Granian's parameters, except the certificates, which change at renewals.

    Raises:
        ConfigurationError: with every option that Granian does not know, whose value is invalid, or that conflicts
            with a setting of tlsrun.
    """
    options = OPTIONS.read(plan.server_options, names())
    from granian.constants import HTTPModes, Interfaces, RuntimeModes, SSLProtocols
    from granian.http import HTTP1Settings, HTTP2Settings
    from granian.log import LogLevels

    modes = {("2", "1.1"): HTTPModes.auto, ("2",): HTTPModes.http2, ("1.1",): HTTPModes.http1}
    ours = {
        "address": plan.endpoint.host,
        "port": plan.endpoint.port,
        "interface": Interfaces.WSGI,
        "workers": plan.workers,
        "blocking_threads": plan.threads or _THREADS,
        "http": modes[plan.http],
        "websockets": False,
        "runtime_mode": RuntimeModes.mt,
        "ssl_protocol_min": SSLProtocols.tls13 if plan.policy.min_version == "1.3" else SSLProtocols.tls12,
        "ssl_client_verify": plan.clients is not None and plan.clients.mode == "required",
        "backlog": _BACKLOG,
        "backpressure": room(),
        "http1_settings": HTTP1Settings(header_read_timeout=_HEAD_TIMEOUT),
        "http2_settings": HTTP2Settings(keep_alive_interval=_PING_INTERVAL, max_concurrent_streams=_STREAMS),
        "log_level": LogLevels.warning if plan.quiet else LogLevels.info,
        "respawn_failed_workers": True,
    }
    parameters = ours | options
    if parameters["runtime_mode"] == RuntimeModes.auto:
        parameters["runtime_mode"] = RuntimeModes.mt
    return parameters


def room() -> int:
    """Maximum number of connections of a worker: what its limit of file descriptors leaves, 128 to 65536."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 65536 if soft == resource.RLIM_INFINITY else max(128, min(65536, soft - _OTHER_FILES))
