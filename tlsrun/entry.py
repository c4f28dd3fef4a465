"""The application for servers that are started by their own command: ``gunicorn tlsrun.entry:application``.

Importing this module imports the application that TLSRUN_APP in the environment names, as `tlsrun run` takes it, and
puts around it what `tlsrun run` puts around it: the facts of the connection, the word of trusted proxies, HSTS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tlsrun import apps
from tlsrun.apps.layers import app_layers
from tlsrun.servers.uwsgi.variables import adopt
from tlsrun.settings.layers import environment_layer
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
    return with_facts(found.application, front_of([environment_layer(), *app_layers(found)]))


application = _load()
