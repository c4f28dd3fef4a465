"""gunicorn behind a platform's edge: the live application over plain HTTP, with gunicorn's own workers."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication

from tlsrun.connections.presence import has_gone
from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError
from tlsrun.listening.kept import take
from tlsrun.reloading.trial import ends_here
from tlsrun.servers.gunicorn.application import exit_code
from tlsrun.servers.gunicorn.arbiter import Readiness, ReloadingArbiter
from tlsrun.servers.gunicorn.body import with_bodies


def for_those_who_wait(application: Callable[..., Any]) -> Callable[..., Any]:
    """``application``, not called for clients that left while their requests waited for a thread."""

    def wanted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        sock = environ["gunicorn.socket"]
        if has_gone(sock, sock.sendall if environ["SERVER_PROTOCOL"] == "HTTP/1.1" else None):
            # Every server takes this for a client that went away, and logs it quietly.
            raise ConnectionResetError(errno.ECONNRESET, "the client went before its request's turn")
        return application(environ, start_response)

    return wanted


class HTTPApplication(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """The live application object and gunicorn's settings, which come from the plan alone.

    Arguments:
        application: the WSGI callable.
        settings: gunicorn's settings, checked.

    Attributes:
        readiness: how a worker says that it serves.
    """

    def __init__(self, application: Callable[..., Any], settings: Mapping[str, Any]) -> None:
        self.application = application
        self.settings = settings
        self.readiness = Readiness()
        super().__init__()

    def load_config(self) -> None:
        """Apply our settings and the user's."""
        for name, value in self.settings.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """The live application object; nothing is imported."""
        return self.application

    def wsgi(self) -> Callable[..., Any]:
        """What a worker serves; called once its signal handlers are in place."""
        self.readiness.say()
        return super().wsgi()  # type: ignore[no-any-return]

    def run(self) -> None:
        """Serve until told to stop; leaves by SystemExit, in the master as in the workers."""
        try:
            ReloadingArbiter(self).run()
        except RuntimeError as error:
            where = "gunicorn's settings (server_options)"
            raise ConfigurationError.of(where=where, what=str(error), remedy="Correct them") from error


def serve(plan: Plan, application: Callable[..., Any], settings: dict[str, Any]) -> int:
    """As `tlsrun.servers.gunicorn.launch.launch`.

    Arguments:
        settings: gunicorn's, checked.
    """
    ends_here()
    kept = [take(listener) for listener in plan.listeners]
    settings["bind"] = [f"fd://{sock.detach()}" for sock in kept if sock is not None] or settings["bind"]
    return exit_code(HTTPApplication(for_those_who_wait(with_bodies(application, plan.framework)), settings))
