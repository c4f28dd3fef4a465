"""Settings for an application under a server that is started by its own command: read at the first request."""

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

#: The settings that count there. All others are the server's own affair.
_NAMES = ("trusted_proxies", "proxy", "proxy_drops_underscores", "redirect_exempt", "hosts", "hsts")


def front_of(layers: Sequence[Layer]) -> Front:
    """Who stands in front, by ``layers``, the strongest first.

    Raises:
        ConfigurationError: a value is no good; it is logged as well.
    """
    # Only now: the table of all settings is not read by a program that imports an application and serves none.
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
        # uWSGI by its own command is mostly asked over its own protocol, by nginx, whose word needs no trust.
        holds_back=(bool(peers) or "uwsgi" in sys.modules) and may_be_nginx(settings.proxy),
    )


def _ask_the_server(where: str) -> None:
    """Whether the server that runs here tells a header with underscores from the one with hyphens."""
    if called_by("granian"):
        raise ConfigurationError([mixed_up("Granian", where)])
    # uWSGI's own, while it runs; its protocol hands over what nginx has made of the request.
    options = getattr(sys.modules.get("uwsgi"), "opt", {})
    if any(name in options for name in ("http", "http-socket", "http11-socket", "https", "https-socket")):
        _log.warning("%s", mixed_up("uWSGI's own HTTP", where))


def called_by(package: str) -> bool:
    """Whether a server of ``package`` runs us: it is among those that wait for this call to return.

    It has imported the application, or asks it for an answer; a module that somebody else has imported does neither.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package:
            return True
        frame = frame.f_back
    return False


def front_of_environment() -> Front:
    """By the environment alone; see `front_of`."""
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
    """As `front_of`, later: an application's configuration is whole only when the first request comes."""
    return lambda: front_of(layers())
