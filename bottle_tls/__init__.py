"""HTTPS for Bottle: importing this registers the server adapters "tls" and "tls-<server>".

The name makes ``from bottle.ext import tls`` work, too. What only a request or a server needs is imported late, so that
merely importing an application, in a test or a tool, is fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import bottle

from bottle_tls.adapter import NAMED_ADAPTERS, TLSServer
from bottle_tls.client import require_client_cert

if TYPE_CHECKING:
    from tlsrun.settings.layers import Layer
    from tlsrun.status import ProcessStatus

__all__ = ["TLSServer", "application", "require_client_cert", "status", "tls"]

bottle.server_names["tls"] = TLSServer
bottle.server_names.update({f"tls-{name}": adapter for name, adapter in NAMED_ADAPTERS.items()})


def application(app: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The WSGI entry point for servers that are started by their own command.

    Arguments:
        app: the application; None for Bottle's default application.
    """
    from tlsrun.wsgi import application as with_facts
    from tlsrun.wsgi.external import front_from

    served = bottle.default_app() if app is None else app
    return with_facts(served, front_from(lambda: _layers(served)))


def _layers(app: Callable[..., Any]) -> list[Layer]:
    from tlsrun.settings.layers import bottle_layer, environment_layer

    return [environment_layer(), bottle_layer(getattr(app, "config", {}))]


def status() -> list[ProcessStatus]:
    """The certificates that this server's processes serve, when they were loaded, and the last failures."""
    from tlsrun.status import current

    return current()


class _CurrentRequest:
    """The TLS connection of the current request: `tls.version`, `tls.cipher`, `tls.client.subject`, …"""

    def __getattr__(self, name: str) -> Any:
        from tlsrun.wsgi.connection import TLSInfo

        return getattr(TLSInfo(bottle.request.environ), name)


tls = _CurrentRequest()
