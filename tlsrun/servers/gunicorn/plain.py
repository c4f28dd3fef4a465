"""gunicorn behind a platform's edge: the live application over plain HTTP, with gunicorn's own workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication

from tlsrun.behind import PlainPlan
from tlsrun.servers.forking import need_the_main_thread
from tlsrun.servers.gunicorn import NAME, TITLE, check_values, option_targets
from tlsrun.servers.gunicorn.application import exit_code
from tlsrun.servers.gunicorn.body import with_bodies
from tlsrun.servers.gunicorn.options import gunicorn_settings


class HTTPApplication(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """The live application object and gunicorn's settings, which come from the plan alone.

    Arguments:
        application: the WSGI callable.
        settings: gunicorn's settings, checked.
    """

    def __init__(self, application: Callable[..., Any], settings: Mapping[str, Any]) -> None:
        self.application = application
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Ours and the user's."""
        for name, value in self.settings.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """The object itself; nothing is imported."""
        return self.application


def launch_plain(plan: PlainPlan, application: Callable[..., Any]) -> int:
    """Serve until gunicorn is told to stop (SIGTERM, SIGINT).

    Returns:
        the master's exit code. In the workers, which are forked from here, SystemExit passes through.

    Raises:
        ConfigurationError: ``server_options`` has what gunicorn has not, refuses, or what fights with ours; or this
            is not the main thread.
    """
    from gunicorn.config import Config

    need_the_main_thread(NAME, TITLE)
    settings = gunicorn_settings(plan, option_targets())
    check_values(settings, Config)
    return exit_code(HTTPApplication(with_bodies(application, plan.framework), settings))
