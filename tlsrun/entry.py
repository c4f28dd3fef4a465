"""The application for servers that are started by their own command: ``gunicorn tlsrun.entry:application``.

Importing this module imports the application named by TLSRUN_APP in the environment, as `tlsrun run` does, and wraps it
in the same middleware: the facts of the connection, headers of trusted proxies, HSTS, and corrections for the server.
Hypercorn needs an ASGI application: ``hypercorn asgi:tlsrun.entry:asgi``.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from tlsrun import apps
from tlsrun.apps.layers import app_layers
from tlsrun.errors import ConfigurationError
from tlsrun.servers import running
from tlsrun.servers.stock import for_framework
from tlsrun.servers.uwsgi.variables import adopt
from tlsrun.settings.layers import environment_layer, resolve
from tlsrun.wsgi import application as with_facts
from tlsrun.wsgi.external import front_of


def _load() -> Callable[..., Any]:
    """The application.

    Raises:
        AppNotFound: TLSRUN_APP names no application.
        ConfigurationError: settings in the environment or the application's configuration cannot be used.
    """
    adopt()
    found = apps.resolve()
    facts = with_facts(found.application, front_of([environment_layer(), *app_layers(found)]))
    return _corrected(facts, found.framework)


def _corrected(application: Callable[..., Any], framework: str) -> Callable[..., Any]:
    if (stock := running()) is not None:
        return stock.around(application, framework)
    if "mod_wsgi" in sys.modules:
        from tlsrun.wsgi.mod_wsgi import with_path

        application = with_path(application)
    return for_framework(application, framework)


application = _load()


@functools.cache
def _adapter() -> Callable[[Any, Any, Any], Awaitable[None]]:
    from tlsrun.servers.hypercorn.asgi import Adapter

    resolution = resolve([environment_layer()])
    if resolution.problems:
        raise ConfigurationError(resolution.problems)
    return Adapter(application, threads=resolution.settings.threads)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """`application` as ASGI: Hypercorn's own adapter (0.18) answers 500 for every response without a body."""
    await _adapter()(scope, receive, send)
