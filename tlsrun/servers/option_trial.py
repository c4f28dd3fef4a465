"""Whether a server takes its own options, read as its start reads them, without starting it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tlsrun import servers
from tlsrun.deciding.behind import SERVER, PlainPlan
from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError

_CODE = "TLS218"


def read_options(plan: Plan | PlainPlan) -> None:
    """Have the plan's server, which must be installed, read ``server_options``.

    Raises:
        ConfigurationError: with every option that it has not or cannot take, or that fights with ours.
    """
    try:
        _READERS[plan.server if isinstance(plan, Plan) else SERVER](plan)
    except ConfigurationError as error:
        raise ConfigurationError([replace(one, code=one.code or _CODE) for one in error.problems]) from error


def _builtin(plan: Any) -> Any:
    from tlsrun.servers.builtin.options import read_options

    return read_options(plan.server_options)


def _gunicorn(plan: Any) -> Any:
    from tlsrun.servers.gunicorn import check_values
    from tlsrun.servers.gunicorn.options import gunicorn_settings

    settings = gunicorn_settings(plan, servers.load("gunicorn").option_targets())
    from gunicorn.config import Config

    check_values({name: value for name, value in settings.items() if name in plan.server_options}, Config)


def _uwsgi(plan: Any) -> Any:
    from tlsrun.servers.uwsgi.options import user_options

    return user_options(plan.server_options, servers.load("uwsgi").option_targets())


def _granian(plan: Any) -> Any:
    from tlsrun.servers.granian.options import granian_parameters

    return granian_parameters(plan, servers.load("granian").option_targets())


def _hypercorn(plan: Any) -> Any:
    from tlsrun.servers.hypercorn.options import hypercorn_options

    return hypercorn_options(plan, servers.load("hypercorn").option_targets())


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "builtin": _builtin,
    "gunicorn": _gunicorn,
    "uwsgi": _uwsgi,
    "granian": _granian,
    "hypercorn": _hypercorn,
}
