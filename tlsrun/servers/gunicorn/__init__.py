"""gunicorn: its own master and workers in this process, TLS by one context from before the fork, and our reactor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tlsrun.deciding.facts import ServerFacts
from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.optional import how_to_install, require, version_of
from tlsrun.reloading.trial import ends_here
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.forking import need_the_main_thread, why_not_here
from tlsrun.servers.gunicorn.options import gunicorn_settings, where
from tlsrun.settings.mapping import Cell, Ours, To, Unsupported

NAME = "gunicorn"
TITLE = "gunicorn"
EXTRA: str | None = "gunicorn"

_CONTEXT = Ours("one context, made before the workers are forked")

#: The first version whose workers are made as ours need them. What its parser lets through that 27's refuses, we refuse
#: (`tlsrun.servers.gunicorn.older`).
_OLDEST = 25

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
    "host": To("bind"),
    "port": To("bind"),
    "bind": To("bind"),
    "workers": To("workers"),
    "threads": To("threads"),
    "http": Unsupported(
        "speaks HTTP/1.1 only: its own HTTP/2 holds a thread for each connection, so that a few which are idle or only "
        "send PING stop everybody",
        accepts=((), HTTP),
    ),
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
    "proxy_protocol": Ours("read before the handshake, by the reactor"),
    "user": To("user"),
    "group": To("group"),
    "handshake_timeout": Ours("a handshake reactor in each worker"),
    "server_options": Ours("gunicorn's own settings, untouched"),
}


def probe() -> ServerFacts:
    """What is known of gunicorn on this machine."""
    version = version_of("gunicorn")
    missing = elsewhere = why_not_here(NAME)
    if elsewhere is None and version is None:
        remedy = how_to_install(NAME)
        missing = Problem(where=NAME, what="it is not installed", remedy=remedy, code="TLS301")
    elif elsewhere is None and version is not None and not _is_current(version):
        what = f"it is version {version}, whose workers are made otherwise than ours need them, from {_OLDEST} on"
        remedy = (
            f"{how_to_install(NAME)}; or have it serve by its own command, which does TLS too, in its own way: "
            "`tlsrun export gunicorn-conf APP -o gunicorn.conf.py` and `gunicorn -c gunicorn.conf.py`; or `gunicorn "
            "--certfile CERT --keyfile KEY MODULE:application`"
        )
        missing = Problem(where=NAME, what=what, remedy=remedy, code="TLS301")
    return ServerFacts(
        name=NAME,
        title=TITLE,
        version=version,
        missing=missing,
        elsewhere=elsewhere is not None,
        mapping=MAPPING,
        http=HTTP,
    )


def _is_current(version: str) -> bool:
    major = version.partition(".")[0]
    return not major.isdigit() or int(major) >= _OLDEST


def option_targets() -> frozenset[str]:
    """The settings that the installed gunicorn has."""
    config = require("gunicorn.config", extra=NAME, wanted_by=NAME)
    return frozenset(config.make_settings())


def launch(plan: Plan, application: Callable[..., Any]) -> int:
    """Serve until gunicorn is told to stop (SIGTERM, SIGINT).

    SIGHUP loads everything anew (`tlsrun.reloading`). ``gunicorn.conf.py`` and ``GUNICORN_CMD_ARGS`` are not read:
    ``server_options`` takes their place.

    Returns:
        the master's exit code. In the workers, which are forked from here, SystemExit passes through.

    Raises:
        ConfigurationError: ``server_options`` has what gunicorn has not, refuses, or what fights with ours; or this is
            not the main thread.
    """
    need_the_main_thread(NAME, TITLE)
    settings = gunicorn_settings(plan, option_targets())
    # Only now: gunicorn cannot be imported everywhere.
    from tlsrun.servers.gunicorn import application as embedded
    from tlsrun.servers.gunicorn import sockets, workers

    classes = {"gthread": workers.TLSThreadWorker, "sync": workers.TLSSyncWorker}
    settings["worker_class"] = classes[settings["worker_class"]]
    check_values(settings, embedded.TLSConfig)
    ends_here(lambda: certificates_of(plan))
    taken_over = sockets.are_handed_over()
    plan, settings["bind"] = sockets.prepare(plan, settings["bind"], backlog=settings.get("backlog", 2048))
    try:
        return embedded.exit_code(embedded.HTTPSApplication(plan, application, settings))
    except Exception:
        # It did not start: in the workers nothing but SystemExit comes here.
        if not taken_over:
            sockets.remove_files(plan)
        raise


def check_values(settings: Mapping[str, Any], config_class: Callable[[], Any]) -> None:
    """Have gunicorn look at each setting.

    Raises:
        ConfigurationError: with those that it refuses.
    """
    config = config_class()
    problems = []
    for name, value in settings.items():
        try:
            config.set(name, value)
        except Exception as error:  # a validator may raise anything
            problems.append(
                Problem(where=where(name), what=f"gunicorn refuses it: {error}", remedy="Correct the value")
            )
    if problems:
        raise ConfigurationError(problems)
