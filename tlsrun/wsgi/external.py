"""The proxies in front of an application whose server is started by its own command; read at the first request."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tlsrun.errors import ConfigurationError
from tlsrun.proxies.peers import read_peers
from tlsrun.settings.proxies import dropping, headers_of, may_be_nginx, mixed_up
from tlsrun.wsgi.front import Front

if TYPE_CHECKING:
    from tlsrun.settings.layers import Layer

_log = logging.getLogger("tlsrun.proxy")

#: The settings that apply there; all others concern the server.
_NAMES = ("trusted_proxies", "proxy", "proxy_drops_underscores", "redirect_exempt", "hosts", "hsts")


def front_of(layers: Sequence[Layer]) -> Front:
    """The proxies in front, from ``layers``, the strongest first.

    Raises:
        ConfigurationError: a value cannot be used; it is logged as well.
    """
    # Imported late: a program that imports an application without serving it needs no table of settings.
    from tlsrun.settings.layers import resolve

    resolution = resolve([_only_ours(layer) for layer in layers])
    settings = resolution.settings
    for warning in resolution.warnings:
        _log.warning("%s", warning)
    try:
        if resolution.problems:
            raise ConfigurationError(resolution.problems)
        peers = read_peers(settings.trusted_proxies, resolution.spelling("trusted_proxies"))
        if peers and not settings.proxy_drops_underscores and dropping(settings.proxy) is None:
            _ask_the_server(resolution.spelling("trusted_proxies"))
    except ConfigurationError as error:
        for problem in error.problems:
            _log.error("%s", problem)
        raise
    return Front(
        peers=peers,
        headers=headers_of(settings.proxy),
        exempt=settings.redirect_exempt,
        hosts=settings.hosts,
        hsts=settings.hsts,
        # uWSGI's own command usually speaks the uwsgi protocol with nginx, which needs no entry in trusted_proxies.
        holds_back=(bool(peers) or "uwsgi" in sys.modules) and may_be_nginx(settings.proxy),
    )


def _ask_the_server(where: str) -> None:
    """Warn, or refuse, if the running server confuses underscores and hyphens in header names."""
    if called_by("granian"):
        raise ConfigurationError([mixed_up("Granian", where)])
    # The module exists only inside uWSGI. Over the uwsgi protocol the headers come from nginx and are safe.
    options = getattr(sys.modules.get("uwsgi"), "opt", {})
    if any(name in options for name in ("http", "http-socket", "http11-socket", "https", "https-socket")):
        _log.warning("%s", mixed_up("uWSGI's own HTTP", where))


def called_by(package: str) -> bool:
    """Whether a server of ``package`` runs us: it is among the callers.

    A package that is merely imported is not: the server's own code imports the application or calls it.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package:
            return True
        frame = frame.f_back
    return False


def front_of_environment() -> Front:
    """The proxies according to the environment alone; see `front_of`."""
    from tlsrun.settings.layers import environment_layer

    return front_of([environment_layer()])


def _only_ours(layer: Layer) -> Layer:
    return dataclasses.replace(
        layer,
        given={name: value for name, value in layer.given.items() if name in _NAMES},
        fallback={name: value for name, value in layer.fallback.items() if name in _NAMES},
        problems=(),
    )


def front_from(layers: Callable[[], Sequence[Layer]]) -> Callable[[], Front]:
    """`front_of`, delayed: an application's configuration is complete only at the first request."""
    return lambda: front_of(layers())
