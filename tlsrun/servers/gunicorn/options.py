"""gunicorn's settings from a plan: ours, the user's ``server_options``, and why some of those are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError, Problem, did_you_mean
from tlsrun.listening.address import spell
from tlsrun.optional import require
from tlsrun.servers.options import instead

#: The worker classes we provide, by gunicorn's names.
WORKER_CLASSES = {
    "sync": "sync",
    "gthread": "gthread",
    "gunicorn.workers.sync.SyncWorker": "sync",
    "gunicorn.workers.gthread.ThreadWorker": "gthread",
}

_THREADS = 4


#: Options for which there is a setting of ours.
_OURS = {
    "bind": instead("bind"),
    "workers": instead("workers"),
    "threads": instead("threads"),
    "certfile": instead("cert"),
    "keyfile": instead("key"),
    "ca_certs": instead("client_ca"),
    "cert_reqs": instead("client_auth"),
    "ciphers": instead("ciphers"),
    "ssl_version": instead("min_version"),
    "ssl_context": instead("context_hook"),
    "user": instead("user"),
    "group": instead("group"),
    "initgroups": "Leave it out: the groups of TLS_USER (--user) are taken",
    "do_handshake_on_connect": "Leave it out: handshakes never block here",
    "suppress_ragged_eofs": "Leave it out",
}

#: Options that make no sense with a live application object behind our TLS: option -> (why, what to do).
_MEANINGLESS = {
    "config": ("is read by gunicorn's own command only", "Put its contents into server_options"),
    "wsgi_app": ("names an application, and one is running already", "Leave it out"),
    "paste": ("names an application, and one is running already", "Leave it out"),
    "raw_paste_global_conf": ("names an application, and one is running already", "Leave it out"),
    "check_config": ("is for gunicorn's own command only", "Use: tlsrun check"),
    "print_config": ("is for gunicorn's own command only", "Use: tlsrun settings show"),
    "daemon": ("is for gunicorn's own command only", "Use a service manager, such as systemd"),
    "chdir": ("is for gunicorn's own command only", "Start the program in that folder"),
    "pythonpath": ("is for gunicorn's own command only", "Set PYTHONPATH in the environment"),
    "spew": ("is for gunicorn's own command only", "Use a debugger"),
    "reload": (
        "would start workers again with the same application object: nothing is imported twice",
        "Use the built-in server with --reload while you develop",
    ),
    "reload_engine": ("goes with reload", "Use the built-in server with --reload while you develop"),
    "reload_extra_files": ("goes with reload", "Use the built-in server with --reload while you develop"),
    "proxy_protocol": ("would be read inside TLS, where no proxy writes it", "Leave it out"),
    "proxy_allow_ips": ("goes with proxy_protocol", "Leave it out"),
    "uwsgi_allow_ips": ("goes with the uwsgi protocol", "Leave it out"),
    "http2_cleartext": ("is HTTP/2 without TLS", "Leave it out"),
}

#: Options of which only some values conflict with ours: option -> (values that do not, why, what to do).
_PARTLY = {
    "protocol": (("http",), "only HTTP is spoken over TLS", "Leave it out"),
    "preload_app": (
        (True, "true", "True", "TRUE", "1", "yes", "on"),
        "the application is imported once, before the workers are forked",
        "Leave it out; what each worker is to have for itself (threads, connections) begins in post_fork, or with the "
        "first request: docs/how-to/imported-once.md",
    ),
    "http_protocols": (
        ("h1",),
        "HTTP/2 under gunicorn holds a thread for each idle connection",
        "Leave it out; for HTTP/2 use hypercorn, granian or a proxy",
    ),
}


def names() -> frozenset[str]:
    """The settings that the installed gunicorn has."""
    config = require("gunicorn.config", extra="gunicorn", wanted_by="gunicorn")
    return frozenset(config.make_settings())


def read(plan: Plan) -> dict[str, Any]:
    """gunicorn's settings, without ``ssl_context``; ``worker_class`` is ``sync`` or ``gthread``.

    Raises:
        ConfigurationError: with every option that gunicorn does not have or refuses, or that conflicts with ours.
    """
    known = names()
    if problems := list(_problems(plan, known)):
        raise ConfigurationError(problems)
    options = dict(plan.server_options)
    worker = WORKER_CLASSES[options.pop("worker_class", "gthread")]
    ours = {
        "bind": [spell(listener.place) for listener in plan.listeners],
        "workers": plan.workers,
        "threads": 1 if worker == "sync" else plan.threads or _THREADS,
        "worker_class": worker,
        # Our code alone sets the scheme; gunicorn would trust loopback, and refuse headers that contradict each other.
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        # Its thread would run in the master, which forks.
        "control_socket_disable": not any(name.startswith("control_socket") for name in options),
    }
    if plan.account is not None:
        ours |= {"user": plan.account.uid, "group": plan.account.gid, "initgroups": True}
    settings = {name: value for name, value in ours.items() if name in known} | options
    if problems := list(_refused({name: settings[name] for name in plan.server_options})):
        raise ConfigurationError(problems)
    return settings


def _refused(given: Mapping[str, Any]) -> Iterator[Problem]:
    """Check each value with gunicorn's own validator."""
    from gunicorn.config import Config

    config = Config()
    for name, value in given.items():
        try:
            config.set(name, value)
        except Exception as error:  # a validator may raise anything
            yield Problem(where=where(name), what=f"gunicorn refuses it: {error}", remedy="Correct the value")


def where(name: str) -> str:
    """How an option is spelled in messages."""
    return f"server_options, gunicorn's {name}"


def _problems(plan: Plan, known: frozenset[str]) -> Iterator[Problem]:
    for name, value in plan.server_options.items():
        if name not in known:
            yield Problem(where=where(name), what="gunicorn has no such setting", remedy=_did_you_mean(name, known))
        elif name in _OURS:
            yield Problem(where=where(name), what="tlsrun sets it", remedy=_OURS[name])
        elif name in _MEANINGLESS:
            why, remedy = _MEANINGLESS[name]
            yield Problem(where=where(name), what=why, remedy=remedy)
        elif name in _PARTLY and value not in _PARTLY[name][0]:
            _, why, remedy = _PARTLY[name]
            yield Problem(where=where(name), what=f"{value!r} is not possible: {why}", remedy=remedy)
    yield from _worker_problems(plan.server_options, plan.threads)


def _worker_problems(options: Mapping[str, Any], threads: int | None) -> Iterator[Problem]:
    worker = options.get("worker_class", "gthread")
    if not isinstance(worker, str) or worker not in WORKER_CLASSES:
        yield Problem(
            where=where("worker_class"),
            what=f"{worker!r} is not possible: its handshakes and slow clients are not under our deadlines",
            remedy="Use gthread (the default) or sync",
        )
    elif WORKER_CLASSES[worker] == "sync" and threads is not None and threads > 1:
        yield Problem(
            where=where("worker_class"),
            what=f"the sync worker answers one request at a time, and threads is {threads}",
            remedy="Leave worker_class out, or threads",
        )


def _did_you_mean(name: str, known: frozenset[str]) -> str:
    # Flags are spelled with dashes: --max-requests is max_requests.
    return did_you_mean(name.lower().lstrip("-").replace("-", "_"), known, "See docs.gunicorn.org for the settings")
