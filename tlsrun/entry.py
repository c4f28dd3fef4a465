"""The application for servers that are started by their own command: ``gunicorn tlsrun.entry:application``.

Importing this module imports the application that TLSRUN_APP in the environment names, as `tlsrun run` takes it, and
puts around it what `tlsrun run` puts around it: the facts of the connection, the word of trusted proxies, HSTS, and
what mends the server's own ways. Hypercorn is given an ASGI application: ``hypercorn asgi:tlsrun.entry:asgi``.
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
        AppNotFound: TLSRUN_APP names none.
        ConfigurationError: a setting of the environment or of the application cannot be used; with all of them.
    """
    adopt()
    found = apps.resolve()
    facts = with_facts(found.application, front_of([environment_layer(), *app_layers(found)]))
    return _mended(facts, found.framework)


def _mended(application: Callable[..., Any], framework: str) -> Callable[..., Any]:
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
    """`application` as ASGI: Hypercorn's own adapter would answer 500 to every answer without a body."""
    await _adapter()(scope, receive, send)
